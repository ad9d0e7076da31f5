"""The $filter of usage reports."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from apiward_lab.web import Problem

_TERM = re.compile(
    r"(?P<field>timestamp|apiId|operationId|productId|subscriptionId)\s+(?P<operator>ge|le|eq)\s+"
    r"(?:(?:datetime)?'(?P<text>(?:[^']|'')*)'|(?P<bare>[\dTZ:.+-]+))"
)
_AND = re.compile(r"\s+and\s+")


@dataclass(frozen=True)
class ReportFilter:
    """A period, and the names of what is asked for in lower case; "" asks for all."""

    start: datetime
    end: datetime
    api: str = ""
    operation: str = ""
    subscription: str = ""
    product: str = ""

    def takes(self, api: str, operation: str, subscription: str, product: str) -> bool:
        """Whether calls with these names are asked for."""
        pairs = (
            (self.api, api),
            (self.operation, operation),
            (self.subscription, subscription),
            (self.product, product),
        )
        return all(not wanted or wanted == name.lower() for wanted, name in pairs)


def parse_filter(text: str | None) -> ReportFilter:
    """The filter: `timestamp ge`, `timestamp le` and names by `eq`, joined by "and".

    A name may be the last word of its path or the path that reports show, such as "/apis/orders". Raises Problem 400
    when a bound is missing or a term is not one of these.
    """
    bounds: dict[str, datetime] = {}
    names: dict[str, str] = {}
    for term in _AND.split((text or "").strip()):
        match = _TERM.fullmatch(term)
        if match is None or (match["field"] == "timestamp") == (match["operator"] == "eq"):
            raise _invalid(f"The filter term '{term}' is not understood.")
        value = match["bare"] or (match["text"] or "").replace("''", "'")
        if match["field"] == "timestamp":
            bounds[match["operator"]] = _moment(value)
        else:
            names[match["field"].removesuffix("Id")] = value.rpartition("/")[2].lower()
    if len(bounds) != len(("ge", "le")):
        raise _invalid("The filter must bound the period by 'timestamp ge' and 'timestamp le'.")
    return ReportFilter(bounds["ge"], bounds["le"], **names)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid(f"'{text}' is not a time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> Problem:
    return Problem(400, "ValidationError", f"Invalid field '$filter': {message}")

"""The $filter of usage reports."""

import re
from collections.abc import Collection, Mapping
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
    """A period, and what is asked for: names in lower case by "api", "operation", "product" and "subscription"."""

    start: datetime
    end: datetime
    names: Mapping[str, str]

    def takes(self, **names: str) -> bool:
        """Whether what has these names is asked for; a name that is not given does not count."""
        return all(self.names.get(kind, name.lower()) == name.lower() for kind, name in names.items())


def parse_filter(text: str | None, fields: Collection[str]) -> ReportFilter:
    """The filter: `timestamp ge`, `timestamp le` and names of `fields` by `eq`, joined by "and".

    A name may be the last word of its path or the path that reports show, such as "/apis/orders". Raises Problem 400
    when a bound is missing or a term is not one of these.
    """
    bounds: dict[str, datetime] = {}
    names: dict[str, str] = {}
    for term in _AND.split((text or "").strip()):
        match = _TERM.fullmatch(term)
        if match is None or (match["field"] == "timestamp") == (match["operator"] == "eq"):
            raise _invalid(f"The filter term '{term}' is not understood.")
        if match["field"] not in ("timestamp", *fields):
            raise _invalid(f"This report cannot be filtered by {match['field']}.")
        value = match["bare"] or (match["text"] or "").replace("''", "'")
        if match["field"] == "timestamp":
            bounds[match["operator"]] = _moment(value)
        else:
            names[match["field"].removesuffix("Id")] = value.rpartition("/")[2].lower()
    if len(bounds) != len(("ge", "le")):
        raise _invalid("The filter must bound the period by 'timestamp ge' and 'timestamp le'.")
    return ReportFilter(bounds["ge"], bounds["le"], names)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid(f"'{text}' is not a time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> Problem:
    return Problem(400, "ValidationError", f"Invalid field '$filter': {message}")

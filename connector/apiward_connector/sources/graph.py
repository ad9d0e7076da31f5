"""Queries to Azure Resource Graph 2021-03-01, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from apiward_connector.assessment import GraphAssessment
from apiward_connector.rest import member, text
from apiward_connector.sources.paging import Page
from apiward_connector.sources.raw import Decode, Raw, raw_answer
from apiward_core.errors import IncompleteError, RejectedDataError

if TYPE_CHECKING:  # the SDK takes a while to import, and most runs of a day do without it
    from azure.mgmt.resourcegraph import ResourceGraphClient

PAGE_ROWS = 1000
"""The most rows that the service gives at a time ("Working with large Azure resource data sets")."""

SUBSCRIPTIONS_AT_ONCE = 1000
"""The most subscriptions that one request may name ("Troubleshoot errors using Azure Resource Graph")."""

_COUNT = "summarize rows = count() by subscriptionId\n| order by subscriptionId asc"
_LIMIT_HIT = "x-ms-tenant-subscription-limit-hit"


class Graph:
    """Gives every row of a query, or says that it cannot. Thread-safe, as the SDK's client is.

    Resource Graph leaves out what the caller may not read and says nothing of it: whoever needs to know that rows are
    absent, and not hidden, has to prove the permission elsewhere.
    """

    def __init__(self, client: "ResourceGraphClient") -> None:
        self._client = client

    def pages(
        self, query: str, *, subscriptions: Sequence[str], what: str, decode: Decode = orjson.loads
    ) -> Iterator[Page]:
        """The rows of `query` over the subscriptions, page by page; `what` names them in errors.

        `decode` may make something else than plain JSON values of the rows of a document.

        The query has to project `id`, without which the service gives no skip token, and to order by it, because pages
        may overlap otherwise. Raises the errors of `apiward_core.errors`, IncompleteError when not every row came.
        """
        token: str | None = None
        used: set[str] = set()
        came, total, last = 0, 0, frozenset[str]()
        while True:
            answer = self._ask(query, subscriptions, token, what, decode)
            # What is added or removed between two pages shifts the rest: rows come twice, or a row that was not given
            # yet slips down past the token, and the total shrinks with it.
            ids = frozenset(map(_id, answer.rows))
            came, total, last = came + len(ids - last), max(total, answer.total), ids
            yield answer.rows
            token = answer.token
            if token is None:
                break
            if token in used:
                raise RejectedDataError(
                    f"Resource Graph gave the same skip token twice for {what}.",
                    remedy="Run again; report it to Microsoft if it lasts.",
                )
            used.add(token)
        if came < total:
            raise incomplete(what, f"{came} of {total} came")

    def count_by_subscription(self, rows: str, *, subscriptions: Sequence[str], what: str) -> Mapping[str, int]:
        """How many rows each of the subscriptions has, by its id in lower case; those that have none are left out.

        `rows` is a table and its filters, e.g. "securityresources | where ...". Raises as `pages` does.
        """
        counts: dict[str, int] = {}
        for start in range(0, len(subscriptions), SUBSCRIPTIONS_AT_ONCE):
            asked = subscriptions[start : start + SUBSCRIPTIONS_AT_ONCE]
            answer = self._ask(f"{rows}\n| {_COUNT}", asked, None, what)  # one page: a row for each subscription
            counts |= {text(row, "subscriptionId").lower(): _number(member(row, "rows")) for row in answer.rows}
        return counts

    def _ask(
        self,
        query: str,
        subscriptions: Sequence[str],
        token: str | None,
        what: str,
        decode: Decode = orjson.loads,
    ) -> "_Answer":
        from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions  # noqa: PLC0415 - see above

        options = QueryRequestOptions(top=PAGE_ROWS, skip_token=token, result_format="objectArray")
        request = QueryRequest(subscriptions=list(subscriptions), query=query, options=options)
        # it changes nothing, so one that was throttled or failed may be sent again
        send = partial(self._client.resources, request, retry_on_methods=["POST"])
        doing = f"querying Resource Graph for {what}"
        answer = _answer(raw_answer(send, doing=doing, decode=decode), doing)
        if answer.limit_hit:
            raise incomplete(
                what,
                f"more subscriptions are in scope than it looks into (header {_LIMIT_HIT})",
                remedy="Name management groups with fewer subscriptions, or set source = 'assessments'.",
            )
        if answer.truncated and answer.token is None:
            raise incomplete(what, "the answer is truncated and has no skip token for the rest")
        return answer


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: Page
    token: str | None
    truncated: bool
    total: int
    limit_hit: bool


def _answer(raw: Raw, doing: str) -> _Answer:
    rows = member(raw.document, "data")
    if not isinstance(rows, list):
        raise RejectedDataError(
            f"The answer while {doing} has no list `data`.", remedy="Check that arm_endpoint is Azure Resource Manager."
        )
    return _Answer(
        rows=rows,
        token=text(raw.document, "$skipToken") or None,
        truncated=text(raw.document, "resultTruncated").lower() == "true",  # a text, not a boolean
        total=_number(member(raw.document, "totalRecords")),
        limit_hit=str(raw.headers.get(_LIMIT_HIT, "")).lower() == "true",
    )


def _id(row: Any) -> str:
    return row.id.strip() if isinstance(row, GraphAssessment) else text(row, "id")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def incomplete(what: str, why: str, *, remedy: str = "Run again later.") -> IncompleteError:
    """That Resource Graph did not give everything."""
    return IncompleteError(f"Resource Graph did not give all of {what}: {why}.", remedy=remedy)

"""Assessments of one subscription, from Azure Resource Graph 2021-03-01."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apiward_connector.assessment import GraphAssessment
from apiward_connector.rest import member, text
from apiward_connector.sources.assessment_pages import assessment_table
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.graph import PAGE_ROWS, SUBSCRIPTIONS_AT_ONCE, Graph, incomplete
from apiward_connector.sources.paging import Page
from apiward_connector.sources.shared_query import SharedQuery, pack
from apiward_core.errors import ApiwardError, IncompleteError

ROWS = """securityresources
| where type =~ 'microsoft.security/assessments'"""

# Metadata is left out because it is read once for all rows, and because an answer above 16 MiB is refused. Rows are not
# filtered: whether one is about APIs is judged by metadata, too.
QUERY = f"""{ROWS}
| project id, name, location, subscriptionId, displayName = properties.displayName,
    resourceDetails = properties.resourceDetails, status = properties.status,
    additionalData = properties.additionalData, risk = properties.risk
| order by id asc"""
_PROPERTIES = ("displayName", "resourceDetails", "status", "additionalData", "risk", "metadata")


class ResourceGraphSource:
    """Queries the assessments of a subscription, and proves first that they may be read. Thread-safe after `expect`.

    Resource Graph leaves out what the caller may not read and says nothing of it, so the first page of Defender's own
    `direct` list is the proof: that operation is refused (403) without Microsoft.Security/assessments/read on the whole
    subscription, which is the permission that the rows need, and no other one is needed for asking. It also tells an
    empty subscription from one that Resource Graph does not show yet, such as after a role was granted.

    `expect` counts the rows of all subscriptions of a run. What has none is not queried, what has few shares a query
    with others, and what brings fewer than counted is incomplete.
    """

    name = "resource_graph"

    def __init__(self, graph: Graph, *, direct: AssessmentsSource) -> None:
        self._graph = graph
        self._direct = direct
        self._expected: dict[str, _Expected] = {}

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Count the rows of the subscriptions that a run is about, given by their ids in lower case.

        Raises nothing: what cannot be counted is queried on its own by `pages`, and an answer that says of itself that
        it is not whole is the error of each subscription in it.
        """
        self._expected = {}
        for start in range(0, len(subscriptions), SUBSCRIPTIONS_AT_ONCE):
            asked = subscriptions[start : start + SUBSCRIPTIONS_AT_ONCE]
            try:
                counts = self._count(asked)
            except IncompleteError as error:
                self._expected |= dict.fromkeys(asked, _Expected(error=error))
            except ApiwardError:
                continue
            else:
                self._expected |= self._expectations(counts)

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw assessments as Defender's list has them, page by page.

        Raises the errors of `apiward_core.errors`: AccessError when the subscription may not be read, IncompleteError
        when the service did not give every row.
        """
        listed = self._direct.pages(subscription_id)
        proof = next(listed, [])
        expected = self._expected.pop(subscription_id, _UNKNOWN)  # once: what is read again is queried on its own
        came = 0
        for page in self._rows(subscription_id, expected):
            came += len(page)
            yield [row if isinstance(row, GraphAssessment) else _assessment(row) for row in page]
        if not came and (proof or any(listed)):
            raise _incomplete(subscription_id, "none came, and Defender lists some")
        if came < (expected.rows or 0):
            self._count_again(subscription_id, came)

    def _rows(self, subscription_id: str, expected: "_Expected") -> Iterator[Page]:
        if expected.error is not None:
            raise expected.error
        if expected.shared is not None:
            return iter([expected.shared.take(subscription_id)])
        return self._query([subscription_id]) if expected.rows != 0 else iter(())

    def _query(self, subscriptions: Sequence[str]) -> Iterator[Page]:
        return self._graph.pages(QUERY, subscriptions=subscriptions, what=_what(subscriptions), decode=assessment_table)

    def _count(self, subscriptions: Sequence[str]) -> Mapping[str, int]:
        what = f"the number of assessments of {len(subscriptions)} subscriptions"
        counts = self._graph.count_by_subscription(ROWS, subscriptions=subscriptions, what=what)
        return {subscription: counts.get(subscription, 0) for subscription in subscriptions}

    def _expectations(self, counts: Mapping[str, int]) -> dict[str, "_Expected"]:
        shared = {
            subscription: query
            for together in pack(counts, most=PAGE_ROWS)
            for query in [SharedQuery(together, self._query)]
            for subscription in together
        }
        return {name: _Expected(rows, shared.get(name)) for name, rows in counts.items()}

    def _count_again(self, subscription_id: str, came: int) -> None:
        """Fewer came than were counted: some may be gone since then, or not have been given."""
        there = self._count([subscription_id])[subscription_id]
        if came < there:
            raise _incomplete(subscription_id, f"{came} of {there} came")


@dataclass(frozen=True, slots=True)
class _Expected:
    """What was counted: None when nothing was. `error` is why the count is no use."""

    rows: int | None = None
    shared: SharedQuery | None = None
    error: IncompleteError | None = None


_UNKNOWN = _Expected()


def _assessment(row: Any) -> Any:
    """The row as an item of Defender's list."""
    properties = {name: member(row, name) for name in _PROPERTIES}
    return {**{name: text(row, name) for name in ("id", "name", "location")}, "properties": properties}


def _what(subscriptions: Sequence[str]) -> str:
    if len(subscriptions) == 1:
        return f"the assessments of subscription {subscriptions[0]}"
    return f"the assessments of {len(subscriptions)} subscriptions, {subscriptions[0]} to {subscriptions[-1]}"


def _incomplete(subscription_id: str, why: str) -> IncompleteError:
    return incomplete(_what([subscription_id]), why, remedy="Run again later; if it lasts, set source = 'assessments'.")

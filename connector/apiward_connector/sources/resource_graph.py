"""Assessments of one subscription, from Azure Resource Graph 2021-03-01."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineResponse

from apiward_connector.rest import member, text
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.paging import Page
from apiward_core.errors import IncompleteError, RejectedDataError, azure_errors

if TYPE_CHECKING:  # the SDK takes a while to import, and the other source does without it
    from azure.mgmt.resourcegraph import ResourceGraphClient
    from azure.mgmt.resourcegraph.models import QueryResponse

PAGE_ROWS = 1000  # the most that the service gives at a time

# Without `id` the service gives no skip token, and without an order pages may overlap. Metadata is left out because it
# is read once for all rows, and because an answer above 16 MiB is refused. Rows are not filtered: whether one is about
# APIs is judged by metadata, too.
QUERY = """securityresources
| where type =~ 'microsoft.security/assessments'
| project id, name, location, displayName = properties.displayName, resourceDetails = properties.resourceDetails,
    status = properties.status, additionalData = properties.additionalData, risk = properties.risk
| order by id asc"""
_PROPERTIES = ("displayName", "resourceDetails", "status", "additionalData", "risk")
_LIMIT_HIT = "x-ms-tenant-subscription-limit-hit"


class ResourceGraphSource:
    """Queries the assessments of a subscription, and proves first that they may be read.

    Resource Graph leaves out what the caller may not read and says nothing of it, so the first page of Defender's own
    `direct` list is the proof: that operation is refused (403) without Microsoft.Security/assessments/read on the whole
    subscription, which is the permission that the rows need, and no other one is needed for asking. It also tells an
    empty subscription from one that Resource Graph does not show yet, such as after a role was granted.

    One query is for one subscription, as one state and one lease are; a query over many would save a call for each
    further subscription with few assessments.
    """

    name = "resource_graph"

    def __init__(self, client: "ResourceGraphClient", *, direct: AssessmentsSource) -> None:
        self._client = client
        self._direct = direct

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw assessments as Defender's list has them, page by page.

        Raises the errors of `apiward_core.errors`: AccessError when the subscription may not be read, IncompleteError
        when the service did not give every row.
        """
        listed = self._direct.pages(subscription_id)
        proof = next(listed, [])
        rows = total = 0
        for answer in self._answers(subscription_id):
            # what is removed between two pages shifts the rest, and the total, down past a row that was not given yet
            rows, total = rows + len(answer.rows), max(total, answer.total)
            yield [_assessment(row) for row in answer.rows]
        if not rows and (proof or any(listed)):
            raise _incomplete(subscription_id, "none came, and Defender lists some")
        if rows < total:
            raise _incomplete(subscription_id, f"{rows} of {total} came")

    def _answers(self, subscription_id: str) -> Iterator["_Answer"]:
        token: str | None = None
        used: set[str] = set()
        while True:
            answer = self._ask(subscription_id, token)
            yield answer
            token = answer.token
            if token is None:
                return
            if token in used:
                raise RejectedDataError(
                    f"Resource Graph gave the same skip token twice for subscription {subscription_id}.",
                    remedy="Run again; report it to Microsoft if it lasts.",
                )
            used.add(token)

    def _ask(self, subscription_id: str, token: str | None) -> "_Answer":
        from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions  # noqa: PLC0415 - see above

        options = QueryRequestOptions(top=PAGE_ROWS, skip_token=token, result_format="objectArray")
        request = QueryRequest(subscriptions=[subscription_id], query=QUERY, options=options)
        with azure_errors(f"querying Resource Graph for the assessments of subscription {subscription_id}"):
            answer: Any = self._client.resources(
                request,
                cls=_answer,
                retry_on_methods=["POST"],  # it changes nothing, so one that was throttled or failed may be sent again
            )
        return _checked(answer, subscription_id)


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: list[Any]
    token: str | None
    truncated: bool
    total: int
    limit_hit: bool


def _answer(response: PipelineResponse[Any, Any], body: "QueryResponse", _: dict[str, Any]) -> _Answer:
    if not isinstance(body.data, list):
        raise RejectedDataError(
            "The answer of Resource Graph has no list `data`.",
            remedy="Check that arm_endpoint is Azure Resource Manager.",
        )
    return _Answer(
        rows=body.data,
        token=body.skip_token or None,
        truncated=str(body.result_truncated).lower() == "true",  # a text, not a boolean
        total=body.total_records or 0,
        limit_hit=str(response.http_response.headers.get(_LIMIT_HIT, "")).lower() == "true",
    )


def _checked(answer: _Answer, subscription_id: str) -> _Answer:
    if answer.limit_hit:
        raise _incomplete(subscription_id, f"the answer has the header {_LIMIT_HIT}")
    if answer.truncated and answer.token is None:
        raise _incomplete(subscription_id, "the answer is truncated and has no skip token for the rest")
    return answer


def _assessment(row: Any) -> Any:
    """The row as an item of Defender's list."""
    properties = {name: member(row, name) for name in _PROPERTIES}
    return {**{name: text(row, name) for name in ("id", "name", "location")}, "properties": properties}


def _incomplete(subscription_id: str, why: str) -> IncompleteError:
    return IncompleteError(
        f"Resource Graph did not give every assessment of subscription {subscription_id}: {why}.",
        remedy="Run again later; if it lasts, set source = 'assessments'.",
    )

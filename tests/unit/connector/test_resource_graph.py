from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.resource_graph import ResourceGraphSource
from apiward_core.errors import (
    AccessError,
    ApiwardError,
    IncompleteError,
    RejectedDataError,
    ThrottledError,
    TransientError,
)
from tests.unit.connector.samples import KEY, SCOPE, SERVICE, SUBSCRIPTION, assessment, finding, with_properties
from tests.unit.connector.transport import Credential, Replies

LISTED = (200, {"value": [assessment()]})
NOTHING: tuple[int, Any] = (200, {"value": []})
REFUSED = (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})
DIRECT = f"https://management.azure.com{SCOPE}/providers/Microsoft.Security/assessments?api-version=2021-06-01"


def row(resource: str = f"{SERVICE}/apis/echo", **properties: Any) -> Any:
    """What Resource Graph answers about an assessment, with its own spelling of ids and members."""
    listed = assessment(resource)
    return {
        "id": listed["id"].lower(),
        "name": KEY,
        "location": "",
        "displayName": listed["properties"]["displayName"],
        "resourceDetails": {"Source": "Azure", "Id": resource.lower(), "ResourceType": "microsoft.apimanagement/x"},
        "status": {**listed["properties"]["status"], "cause": None, "description": None},
        "additionalData": None,
        "links": None,
        "risk": None,
        **properties,
    }


def answer(*rows: Any, token: str | None = None, truncated: Any = "false", total: int | None = None) -> tuple[int, Any]:
    body = {"totalRecords": len(rows) if total is None else total, "count": len(rows), "resultTruncated": truncated}
    return 200, {**body, "facets": [], "data": list(rows), **({"$skipToken": token} if token else {})}


class Tenant:
    """A source on real SDK clients: Defender's direct list, then Resource Graph."""

    def __init__(self, *graph: Any, listed: Sequence[Any] = (LISTED,)) -> None:
        self.direct = Replies(*listed)
        self.graph = Replies(*graph)
        security = AssessmentsSource(lambda _: SecurityCenter(Credential(), SUBSCRIPTION, transport=self.direct))
        client = ResourceGraphClient(Credential(), transport=self.graph, retry_total=2)
        self.source = ResourceGraphSource(client, direct=security)

    def read(self) -> list[Any]:
        return [item for page in self.source.pages(SUBSCRIPTION) for item in page]

    @property
    def queries(self) -> list[Any]:
        return [orjson.loads(str(request.body)) for request in self.graph.requests]


def test_the_same_assessment_gives_the_same_finding_as_defenders_list() -> None:
    listed = with_properties(
        assessment(f"{SERVICE}/apis/Echo;rev=2/operations/Get", cause="Exempt", statusChangeDate="2026-11-01T00:00Z"),
        additionalData={"Plain": "As It Is"},
    )
    same = {name: listed["properties"].get(name) for name in ("displayName", "status", "additionalData")}
    [item] = Tenant(answer(row(f"{SERVICE}/apis/Echo;rev=2/operations/Get", **same))).read()
    assert finding(item) == finding(listed)


def test_a_subscription_as_the_assessed_resource_gives_the_same_finding() -> None:
    [item] = Tenant(answer(row(SCOPE))).read()
    assert finding(item) == finding(assessment(SCOPE))
    assert finding(item).service_id == SCOPE


def test_what_only_resource_graph_knows_is_kept() -> None:
    [item] = Tenant(answer(row(risk={"level": "Critical"}))).read()
    assert finding(item).risk_level == "Critical"


def test_the_query_is_for_one_subscription_ordered_by_the_id_that_paging_needs() -> None:
    tenant = Tenant(answer(row()))
    tenant.read()
    [query] = tenant.queries
    assert query["subscriptions"] == [SUBSCRIPTION]
    assert (query["options"]["$top"], query["options"]["resultFormat"]) == (1000, "objectArray")
    assert "project id," in query["query"]
    assert query["query"].endswith("order by id asc")


def test_skip_tokens_are_followed_to_the_end_whatever_truncated_says() -> None:
    pages = (answer(row(), token="two", truncated="true", total=3), answer(row(), token="three", total=3))
    tenant = Tenant(*pages, answer(row(), total=3))
    assert len(tenant.read()) == 3
    assert [query["options"].get("$skipToken") for query in tenant.queries] == [None, "two", "three"]
    assert len({query["query"] for query in tenant.queries}) == 1


def test_a_subscription_that_may_not_be_read_is_not_asked_of_resource_graph() -> None:
    tenant = Tenant(answer(), listed=[REFUSED])
    with pytest.raises(AccessError, match=f"listing the assessments of subscriptions/{SUBSCRIPTION}"):
        tenant.read()
    assert tenant.queries == []


def test_one_page_of_the_direct_list_is_proof_enough() -> None:
    tenant = Tenant(answer(row()), listed=[(200, {"value": [], "nextLink": f"{DIRECT}&$skipToken=two"})])
    tenant.read()
    assert len(tenant.direct.requests) == 1


def test_nothing_is_believed_only_where_defender_lists_nothing() -> None:
    assert Tenant(answer(), listed=[NOTHING]).read() == []
    with pytest.raises(IncompleteError, match=f"{SUBSCRIPTION}: none came"):
        Tenant(answer()).read()


def test_an_empty_first_page_of_the_direct_list_is_not_its_end() -> None:
    first = (200, {"value": [], "nextLink": f"{DIRECT}&$skipToken=two"})
    assert Tenant(answer(), listed=[first, NOTHING]).read() == []
    with pytest.raises(IncompleteError, match=f"{SUBSCRIPTION}: none came"):
        Tenant(answer(), listed=[first, LISTED]).read()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answer(row(), truncated="true", total=1), "truncated and has no skip token"),
        (answer(row(), truncated=True, total=1), "truncated and has no skip token"),
        (answer(row(), total=2), "1 of 2 came"),
        ((*answer(row()), {"X-Ms-Tenant-Subscription-Limit-Hit": "true"}), "x-ms-tenant-subscription-limit-hit"),
    ],
    ids=["truncated", "truncated as a boolean", "fewer rows than the total", "subscription limit"],
)
def test_an_answer_that_is_not_everything_is_an_error(reply: Any, why: str) -> None:
    with pytest.raises(IncompleteError, match=f"{SUBSCRIPTION}: .*{why}"):
        Tenant(reply).read()


def test_rows_that_slip_between_two_pages_are_missed() -> None:
    tenant = Tenant(answer(row(f"{SERVICE}/apis/a"), token="two", total=3), answer(row(f"{SERVICE}/apis/c"), total=2))
    with pytest.raises(IncompleteError, match=f"{SUBSCRIPTION}: 2 of 3 came"):
        tenant.read()


def test_paging_in_a_circle_ends() -> None:
    with pytest.raises(RejectedDataError, match="same skip token twice"):
        Tenant(*[answer(row(), token="again")] * 2).read()


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"x-ms-user-quota-resets-after": "00:00:01"}])
def test_a_throttled_query_is_asked_again(headers: dict[str, str]) -> None:
    throttled = (429, {"error": {"code": "RateLimiting", "message": "slow down"}}, headers)
    tenant = Tenant(throttled, answer(row()))
    assert len(tenant.read()) == 1
    with pytest.raises(ThrottledError):
        Tenant(*[throttled] * 3).read()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": {"code": "BadRequest", "message": "no"}}, RejectedDataError),
        (403, {"error": {"code": "AccessDenied", "message": "no"}}, AccessError),
        (200, b'{"data": [', TransientError),
        (200, {"totalRecords": 0, "count": 0, "resultTruncated": "false", "data": {"rows": []}}, RejectedDataError),
    ],
    ids=["refused query", "refused access", "cut answer", "table instead of objects"],
)
def test_an_answer_that_cannot_be_used_is_an_error(status: int, body: Any, error: type[ApiwardError]) -> None:
    with pytest.raises(error, match="Resource Graph"):
        Tenant((status, body)).read()

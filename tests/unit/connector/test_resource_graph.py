from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.graph import Graph
from apiward_connector.sources.resource_graph import QUERY, ResourceGraphSource
from apiward_core.errors import (
    AccessError,
    ApiwardError,
    IncompleteError,
    RejectedDataError,
    ThrottledError,
    TransientError,
)
from apiward_lab.defender.definition import EXEMPT, UNHEALTHY, Status
from tests.unit.connector.samples import KEY, SCOPE, SERVICE, SUBSCRIPTION, assessment, finding, with_properties
from tests.unit.connector.transport import Credential, Replies
from tests.unit.lab import graph_tenant
from tests.unit.lab_logs.direct import START

LISTED = (200, {"value": [assessment()]})
NOTHING: tuple[int, Any] = (200, {"value": []})
REFUSED = (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})
LIMIT_HIT = {"X-Ms-Tenant-Subscription-Limit-Hit": "true"}
DIRECT = f"https://management.azure.com{SCOPE}/providers/Microsoft.Security/assessments?api-version=2021-06-01"


def row(resource: str = f"{SERVICE}/apis/echo", **properties: Any) -> Any:
    """What Resource Graph answers about an assessment, with its own spelling of ids and members."""
    listed = assessment(resource)
    return {
        "id": listed["id"].lower(),
        "name": KEY,
        "location": "",
        "subscriptionId": resource.split("/")[2],
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
        self.source = ResourceGraphSource(Graph(client), direct=security)

    def read(self, subscription: str = SUBSCRIPTION) -> list[Any]:
        return [item for page in self.source.pages(subscription) for item in page]

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


@pytest.mark.parametrize("status", [UNHEALTHY, EXEMPT], ids=["unhealthy", "exempt"])
def test_the_query_asks_for_all_that_defenders_list_says(status: Status) -> None:
    azure, times = graph_tenant.Tenant(), dict.fromkeys(("firstEvaluationDate", "statusChangeDate"), START.isoformat())
    azure.assess(1, status=status)
    [known] = azure.assessments
    listed = assessment(
        known.resource_id, code=status.code, cause=status.cause, description=status.description, **times
    )
    [item] = Tenant(answer(*azure.query(QUERY)["data"])).read()
    assert finding(item) == finding(with_properties(listed, additionalData=dict(known.additional_data)))


def test_a_subscription_as_the_assessed_resource_gives_the_same_finding() -> None:
    [item] = Tenant(answer(row(SCOPE))).read()
    assert finding(item) == finding(assessment(SCOPE))
    assert finding(item).place.service_id == SCOPE


def test_what_only_resource_graph_knows_is_kept() -> None:
    [item] = Tenant(answer(row(risk={"level": "Critical"}))).read()
    assert finding(item).statement.risk_level == "Critical"


def test_the_query_is_for_one_subscription_ordered_by_the_id_that_paging_needs() -> None:
    tenant = Tenant(answer(row()))
    tenant.read()
    [query] = tenant.queries
    assert query["subscriptions"] == [SUBSCRIPTION]
    assert (query["options"]["$top"], query["options"]["resultFormat"]) == (1000, "objectArray")
    assert "project id," in query["query"]
    assert query["query"].endswith("order by id asc")


def test_skip_tokens_are_followed_to_the_end_whatever_truncated_says() -> None:
    first, second, third = (row(f"{SERVICE}/apis/{name}") for name in "abc")
    pages = (answer(first, token="two", truncated="true", total=3), answer(second, token="three", total=3))
    tenant = Tenant(*pages, answer(third, total=3))
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
        ((*answer(row()), LIMIT_HIT), "x-ms-tenant-subscription-limit-hit"),
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


def test_a_row_that_comes_twice_does_not_stand_for_one_that_did_not_come() -> None:
    again = row(f"{SERVICE}/apis/b")
    tenant = Tenant(answer(row(f"{SERVICE}/apis/a"), again, token="two", total=4), answer(again, row(), total=4))
    with pytest.raises(IncompleteError, match=f"{SUBSCRIPTION}: 3 of 4 came"):
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


def subscription(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


def rows_of(number: int, count: int) -> list[Any]:
    scope = f"/subscriptions/{subscription(number)}/resourceGroups/rg/providers/Microsoft.ApiManagement/service/s"
    return [row(f"{scope}/apis/{api:05}") for api in range(count)]


def census(counts: Mapping[int, int]) -> tuple[int, Any]:
    """How Resource Graph counts: only subscriptions that have any rows are in the answer."""
    return answer(*[{"subscriptionId": subscription(name), "rows": rows} for name, rows in counts.items() if rows])


def expecting(counts: Mapping[int, int], *graph: Any, listed: Sequence[Any] = ()) -> Tenant:
    tenant = Tenant(census(counts), *graph, listed=listed or [LISTED] * (len(counts) + 1))
    tenant.source.expect([subscription(name) for name in counts])
    return tenant


def test_small_subscriptions_share_a_query_and_each_gets_its_own_rows() -> None:
    counts = {1: 600, 2: 300, 3: 200}
    tenant = expecting(counts, answer(*rows_of(1, 600), *rows_of(2, 300)), answer(*rows_of(3, 200)))
    for number, count in counts.items():
        ids = [item["id"] for item in tenant.read(subscription(number))]
        assert ids == [item["id"] for item in rows_of(number, count)]
    asked = [query["subscriptions"] for query in tenant.queries]
    assert asked == [[*map(subscription, counts)], [subscription(1), subscription(2)], [subscription(3)]]


def test_the_count_names_every_subscription_and_fits_into_one_answer() -> None:
    tenant = Tenant(*[answer()] * 3)
    tenant.source.expect([subscription(number) for number in range(2001)])
    assert [len(query["subscriptions"]) for query in tenant.queries] == [1000, 1000, 1]
    assert all("summarize rows = count() by subscriptionId" in query["query"] for query in tenant.queries)


def test_a_large_subscription_has_a_query_of_its_own() -> None:
    rows = rows_of(2, 1001)
    pages = (answer(*rows[:1000], token="two", total=1001), answer(*rows[1000:], total=1001))
    tenant = expecting({1: 1, 2: 1001, 3: 1}, *pages, answer(*rows_of(1, 1), *rows_of(3, 1)))
    assert [len(tenant.read(subscription(number))) for number in (2, 1, 3)] == [1001, 1, 1]


def test_a_subscription_without_rows_is_not_queried_but_has_to_be_readable() -> None:
    tenant = expecting({1: 0, 2: 0, 3: 0}, listed=[NOTHING, REFUSED, LISTED])
    assert tenant.read(subscription(1)) == []
    with pytest.raises(AccessError):
        tenant.read(subscription(2))
    with pytest.raises(IncompleteError, match=f"{subscription(3)}: none came, and Defender lists some"):
        tenant.read(subscription(3))
    assert len(tenant.queries) == 1


def test_a_subscription_that_is_missing_from_a_shared_answer_is_named() -> None:
    tenant = expecting({1: 2, 2: 2}, answer(*rows_of(1, 2)), census({2: 2}))
    assert len(tenant.read(subscription(1))) == 2
    with pytest.raises(IncompleteError, match=f"{subscription(2)}: none came"):
        tenant.read(subscription(2))


def test_fewer_rows_than_counted_are_believed_only_when_a_second_count_agrees() -> None:
    assert len(expecting({1: 3}, answer(*rows_of(1, 2)), census({1: 2})).read(subscription(1))) == 2
    with pytest.raises(IncompleteError, match=f"{subscription(1)}: 2 of 3 came"):
        expecting({1: 3}, answer(*rows_of(1, 2)), census({1: 3})).read(subscription(1))


def test_rows_that_appear_after_the_count_are_read() -> None:
    rows = rows_of(1, 3)
    tenant = expecting({1: 1}, answer(*rows[:2], token="two", total=3), answer(*rows[2:], total=3))
    assert len(tenant.read(subscription(1))) == 3


def test_a_failed_shared_query_fails_each_of_its_subscriptions_and_no_other() -> None:
    refused = (400, {"error": {"code": "BadRequest", "message": "no"}})
    tenant = expecting({1: 500, 2: 500, 3: 1}, refused, answer(*rows_of(3, 1)))
    for number in (1, 2):
        with pytest.raises(RejectedDataError):
            tenant.read(subscription(number))
    assert len(tenant.read(subscription(3))) == 1


def test_what_cannot_be_counted_is_queried_on_its_own() -> None:
    tenant = Tenant((403, {"error": {"code": "AccessDenied", "message": "no"}}), answer(*rows_of(1, 2)))
    tenant.source.expect([subscription(1), subscription(2)])
    assert len(tenant.read(subscription(1))) == 2
    assert tenant.queries[-1]["subscriptions"] == [subscription(1)]


def test_a_count_that_is_not_whole_is_no_count() -> None:
    tenant = Tenant((*census({1: 1}), LIMIT_HIT))
    tenant.source.expect([subscription(1)])
    with pytest.raises(IncompleteError, match=r"limit-hit.*Name management groups"):
        tenant.read(subscription(1))


def test_what_is_read_again_in_a_run_is_asked_again() -> None:
    tenant = expecting({1: 1, 2: 1}, answer(*rows_of(1, 1), *rows_of(2, 1)), answer(*rows_of(1, 1)))
    assert len(tenant.read(subscription(1))) == len(tenant.read(subscription(1))) == 1


def test_subscriptions_are_read_side_by_side_with_one_shared_query() -> None:
    numbers = range(1, 9)
    shared = answer(*[item for number in numbers for item in rows_of(number, 3)])
    tenant = expecting(dict.fromkeys(numbers, 3), shared)
    with ThreadPoolExecutor(len(numbers)) as pool:
        read = list(pool.map(lambda number: tenant.read(subscription(number)), numbers))
    assert [{item["id"].split("/")[2] for item in items} for items in read] == [{subscription(n)} for n in numbers]
    assert len(tenant.queries) == 2

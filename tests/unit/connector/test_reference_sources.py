"""Endpoints, governance and tags from rows of Resource Graph; names of operations from API Management."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.security import SecurityCenter

from apiward_connector.finding import Unreadable
from apiward_connector.reference.inventory import Endpoint
from apiward_connector.sources.endpoints import EndpointsSource, endpoint_of
from apiward_connector.sources.governance import Assignment, GovernanceSource, assignment_of
from apiward_connector.sources.graph_rows import GraphRows
from apiward_connector.sources.metadata import MetadataSource
from apiward_connector.sources.operations import OperationsSource
from apiward_connector.sources.paging import Page
from apiward_connector.sources.tags import TagsSource
from apiward_core.errors import (
    AccessError,
    ApiwardError,
    MissingError,
    RejectedDataError,
    ThrottledError,
    TransientError,
)
from tests.unit.connector.samples import KEY, SCOPE, SERVICE, SUBSCRIPTION
from tests.unit.connector.transport import Credential, Replies

SERVICE_ID = SERVICE.lower()
COLLECTION = f"{SERVICE_ID}/providers/microsoft.security/apicollections/echo"
SITE = f"{SCOPE}/resourcegroups/rg/providers/microsoft.web/sites/shop"
GUID = "0b1e6f0a-8d0f-4a5e-9d64-2f5f7c1f4a11"
CALLED = "2026-11-19T10:00:00.000000Z"
OTHER = "22222222-2222-2222-2222-222222222222"
REFUSED = (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})


class Graph:
    """Answers with pages by subscription, and keeps what it was asked."""

    def __init__(self, pages: Mapping[str, Sequence[Page]]) -> None:
        self._pages = pages
        self.queries: list[tuple[str, Sequence[str]]] = []
        self.counts = 0

    def pages(self, query: str, *, subscriptions: Sequence[str], what: str) -> Iterator[Page]:
        del what
        self.queries.append((query, subscriptions))
        return (page for subscription in subscriptions for page in self._pages.get(subscription, []))

    def count_by_subscription(self, rows: str, *, subscriptions: Sequence[str], what: str) -> Mapping[str, int]:
        del rows, what
        self.counts += 1
        return {name: sum(map(len, self._pages.get(name, []))) for name in subscriptions}


def rows(*found: Any) -> GraphRows:
    return GraphRows(Graph({SUBSCRIPTION: [list(found)]}), rows="t", columns="id", what="the rows")


def row(name: str = "Get", collection: str = COLLECTION, **properties: Any) -> Any:
    return {"id": f"{collection}/apiendpoints/{name}", "properties": properties}


class NoOperations:
    """Knows no operation, and counts who asked."""

    def __init__(self, names: Mapping[tuple[str, str], str] | None = None) -> None:
        self._names = names or {}
        self.asked: list[tuple[str, str]] = []

    def names(self, service_id: str, api: str) -> Mapping[tuple[str, str], str]:
        self.asked.append((service_id, api))
        return self._names


def endpoint(raw: Any) -> Endpoint:
    found = endpoint_of(raw)
    assert isinstance(found, Endpoint), found
    return found


def test_the_rows_of_a_subscription_are_asked_by_id() -> None:
    graph = Graph({SUBSCRIPTION: [[1], [2]]})
    asked = GraphRows(graph, rows="table\n| where x", columns="id, y", what="the rows")
    assert list(asked.pages(SUBSCRIPTION)) == [[1], [2]]
    assert graph.queries == [("table\n| where x\n| project id, y\n| order by id asc", [SUBSCRIPTION])]
    assert graph.counts == 0


def test_a_subscription_without_rows_is_not_asked_for_them() -> None:
    graph = Graph({SUBSCRIPTION: [[1]]})
    asked = GraphRows(graph, rows="table", columns="id", what="the rows")
    asked.expect([SUBSCRIPTION, OTHER])
    assert [list(asked.pages(name)) for name in (OTHER, SUBSCRIPTION)] == [[], [[1]]]
    assert [subscriptions for _, subscriptions in graph.queries] == [[SUBSCRIPTION]]
    assert graph.counts == 1
    asked.expect([OTHER])
    list(asked.pages(OTHER))
    assert graph.counts == 2


class Throttled(Graph):
    """Counts nothing."""

    def count_by_subscription(self, rows: str, *, subscriptions: Sequence[str], what: str) -> Mapping[str, int]:
        super().count_by_subscription(rows, subscriptions=subscriptions, what=what)
        raise ThrottledError("HTTP 429 for 300 s.", remedy="Wait.")


def test_what_cannot_be_counted_is_asked_for_once_in_a_run() -> None:
    """Each attempt may take minutes, and all the others wait for it."""
    graph = Throttled({SUBSCRIPTION: [[1]]})
    asked = GraphRows(graph, rows="table", columns="id", what="the rows")
    asked.expect([SUBSCRIPTION, OTHER])
    for name in (SUBSCRIPTION, OTHER):
        with pytest.raises(ThrottledError):
            list(asked.pages(name))
    assert graph.counts == 1


def test_an_endpoint_is_the_operation_that_it_names() -> None:
    found = endpoint(
        row(
            EndPoint="/orders/{id}",
            HttpMethod="get",
            IsExternal=True,
            IsEndpointAuthorized=False,
            PII={"Credit Card Number": "Response"},
            TriggerDate="2026-11-19T10:00:00Z",
        )
    )
    assert found == Endpoint(SERVICE_ID, "echo", "get", "GET", "/orders/{id}", True, False, True, CALLED)


def test_what_a_row_lacks_is_unknown() -> None:
    assert endpoint(row()) == Endpoint(SERVICE_ID, "echo", "get", "", "", None, None, None, "")


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), ("true", True), ("False", False), ("", None), (None, None), (1, None), ([], None)],
    ids=["true", "false", "text true", "text False", "empty", "null", "number", "list"],
)
def test_a_flag_is_a_boolean_or_its_text(value: Any, flag: bool | None) -> None:
    assert endpoint(row(IsExternal=value)).is_external is flag


@pytest.mark.parametrize(
    ("value", "flag"),
    [({}, False), ("{}", False), ("", False), ([], False), ({"Email": 1}, True), ('{"Email":1}', True), (None, None)],
    ids=["empty", "empty text", "no text", "empty list", "object", "text", "null"],
)
def test_sensitive_data_was_seen_where_it_is_named(value: Any, flag: bool | None) -> None:
    assert endpoint(row(PII=value)).has_sensitive_data is flag


def test_members_are_found_in_any_case() -> None:
    found = endpoint(
        {"ID": f"{COLLECTION}/apiendpoints/get", "Properties": {"isExternal": "true", "httpmethod": "PUT"}}
    )
    assert (found.is_external, found.http_method) == (True, "PUT")


def test_an_endpoint_outside_of_api_management_keeps_its_own_id() -> None:
    raw = row("Submit", f"{SITE}/providers/Microsoft.Security/apiCollections/Shop", CollectionName="Shop;rev=2")
    found = endpoint(raw)
    assert (found.service_id, found.api, found.name) == (SITE, "shop", raw["id"].lower())


@pytest.mark.parametrize("raw", ["text", {}, {"id": "nonsense"}], ids=["no object", "no id", "no ARM id"])
def test_what_is_no_endpoint_is_named(raw: Any) -> None:
    found = endpoint_of(raw)
    assert isinstance(found, Unreadable)
    assert found.what
    assert "no ARM id" in found.why


def test_an_operation_without_a_name_is_found_by_method_and_template() -> None:
    operations = NoOperations({("PUT", "/orders/{id}"): "replace-order"})
    listed = rows(
        row(GUID, HttpMethod="PUT", EndPoint="/orders/{id}"),
        row(GUID.upper(), HttpMethod="GET", EndPoint="/orders/{id}"),
        row("named", HttpMethod="PUT", EndPoint="/orders/{id}"),
        row(GUID, f"{SITE}/providers/Microsoft.Security/apiCollections/shop"),
        "no endpoint",
    )
    found = list(EndpointsSource(listed, operations=operations).read(SUBSCRIPTION))
    names = [item.name for item in found if isinstance(item, Endpoint)]
    own_ids = [
        f"{COLLECTION}/apiendpoints/{GUID}",
        f"{SITE}/providers/microsoft.security/apicollections/shop/apiendpoints/{GUID}",
    ]
    assert names == ["replace-order", own_ids[0], "named", own_ids[1]]
    assert operations.asked == [(SERVICE_ID, "echo")]
    assert isinstance(found[-1], Unreadable)


def operations(*replies: tuple[int, Any]) -> tuple[OperationsSource, Replies]:
    transport = Replies(*replies)
    return OperationsSource(
        lambda subscription: ApiManagementClient(Credential(), subscription, transport=transport, retry_total=0)
    ), transport


def test_operations_are_listed_by_what_calls_them() -> None:
    document = {"name": "Get-Order", "properties": {"method": "get", "urlTemplate": "/orders/{id}"}}
    source, transport = operations((200, {"value": [document]}))
    assert source.names(SERVICE_ID, "echo") == {("GET", "/orders/{id}"): "get-order"}
    assert urlsplit(transport.requests[0].url).path.lower() == f"{SERVICE_ID}/apis/echo/operations"


def test_an_api_that_is_gone_has_no_operations() -> None:
    source, _ = operations((404, {"error": {"code": "ResourceNotFound", "message": "gone"}}))
    assert source.names(SERVICE_ID, "echo") == {}


def test_operations_that_may_not_be_read_are_no_empty_list() -> None:
    source, _ = operations(REFUSED)
    with pytest.raises(AccessError, match="listing the operations of"):
        source.names(SERVICE_ID, "echo")


def governed(**changes: Any) -> Any:
    assessment = f"{SERVICE_ID}/apis/echo/providers/microsoft.security/assessments/{KEY}"
    return {
        "id": f"{assessment}/governanceassignments/{GUID}",
        "assessment": assessment,
        "owner": "ann@contoso.com",
        "due": "2026-12-24T13:00:00.0000000Z",
        "grace": True,
        **changes,
    }


@pytest.mark.parametrize(
    "raw",
    [
        governed(),
        governed(assessment=f"{SERVICE}/apis/Echo/providers/Microsoft.Security/assessments/{KEY.upper()}"),
        governed(assessment=None),
    ],
    ids=["id", "casing", "own id"],
)
def test_an_assignment_names_its_assessment(raw: Any) -> None:
    due = "2026-12-24T13:00:00.000000Z"
    assert assignment_of(raw) == Assignment(f"{SERVICE_ID}/apis/echo", KEY, "ann@contoso.com", due, True)


def test_what_an_assignment_lacks_is_unknown() -> None:
    found = assignment_of(governed(owner=None, due=None, grace=None))
    assert found == Assignment(f"{SERVICE_ID}/apis/echo", KEY, "", "", None)


@pytest.mark.parametrize(
    "raw",
    [
        7,
        {},
        governed(id="nonsense", assessment=SERVICE_ID),
        governed(assessment=f"/providers/Microsoft.Security/assessments/{KEY}"),
    ],
    ids=["no object", "nothing", "no assessment", "no resource"],
)
def test_an_assignment_of_nothing_is_named(raw: Any) -> None:
    found = assignment_of(raw)
    assert isinstance(found, Unreadable)
    assert found.what


class Arm:
    """Answers one request, or refuses it, and keeps the paths."""

    def __init__(self, answer: Any, api_version: str = "2022-01-01-preview") -> None:
        self._answer = answer
        self._api_version = api_version
        self.paths: list[str] = []

    def get(self, path: str, *, api_version: str, **query: str) -> Any:
        assert (api_version, query) == (self._api_version, {})
        self.paths.append(path)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_assignments_that_came_need_no_proof() -> None:
    arm = Arm({"value": []})
    found = GovernanceSource(rows(governed(), 7), arm=arm).read(SUBSCRIPTION)
    assert [type(item) for item in found] == [Assignment, Unreadable]
    assert arm.paths == []


@pytest.mark.parametrize(
    "answer",
    [{"value": []}, MissingError("no such assessment", remedy="none")],
    ids=["none", "no such assessment"],
)
def test_no_assignment_is_an_answer_where_they_may_be_read(answer: Any) -> None:
    arm = Arm(answer)
    assert list(GovernanceSource(rows(), arm=arm).read(SUBSCRIPTION)) == []
    [path] = arm.paths
    assert path.startswith(f"{SCOPE}/providers/Microsoft.Security/assessments/")
    assert path.endswith("/governanceAssignments")


@pytest.mark.parametrize(
    "error",
    [AccessError("HTTP 403", remedy="a role"), TransientError("HTTP 500", remedy="again")],
    ids=["refused", "failed"],
)
def test_no_assignment_is_no_answer_where_they_may_not_be_read(error: ApiwardError) -> None:
    with pytest.raises(type(error)):
        list(GovernanceSource(rows(), arm=Arm(error)).read(SUBSCRIPTION))


def test_tags_are_those_of_the_resource() -> None:
    listed = rows({"id": SERVICE, "tags": {"env": "prod", "tier": 1}}, {"id": SITE, "tags": None})
    arm = Arm({"value": []}, "2024-05-01")
    found = list(TagsSource(listed, arm=arm).read(SUBSCRIPTION))
    assert found == [(SERVICE_ID, {"env": "prod", "tier": "1"}), (SITE, {})]
    assert arm.paths == []


def test_no_resource_is_an_answer_where_services_may_be_listed() -> None:
    arm = Arm({"value": []}, "2024-05-01")
    assert list(TagsSource(rows(), arm=arm).read(SUBSCRIPTION)) == []
    assert arm.paths == [f"{SCOPE}/providers/Microsoft.ApiManagement/service"]
    refused = Arm(AccessError("HTTP 403", remedy="a role"), "2024-05-01")
    with pytest.raises(AccessError):
        list(TagsSource(rows(), arm=refused).read(SUBSCRIPTION))


def test_a_subscription_without_any_metadata_is_no_answer() -> None:
    transport = Replies((200, {"value": []}))
    source = MetadataSource(
        lambda subscription: SecurityCenter(Credential(), subscription, transport=transport, retry_total=0)
    )
    with pytest.raises(RejectedDataError, match="assessment metadata of subscriptions/1111"):
        list(source.read(SUBSCRIPTION))

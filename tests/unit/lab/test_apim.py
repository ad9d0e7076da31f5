import json
from typing import Any

import pytest

from apiward_lab.apim import ApiManagement
from apiward_lab.clock import VirtualClock
from apiward_lab.estate import build
from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem, Reply


class Tenant:
    """API Management over the small estate; paths are relative to the service apim-contoso-orders."""

    def __init__(self) -> None:
        self.estate = build()
        self.service = next(service for service in self.estate.services if service.name == "apim-contoso-orders")
        self._router = Router(ApiManagement(self.estate, VirtualClock()).routes)

    def send(self, method: str, path: str, properties: Any = None, match: str | None = "*", **query: str) -> Reply:
        whole = self.service.resource_id + path
        found = self._router.find(method, whole, "2024-05-01")
        assert found is not None
        headers = {} if match is None else {"if-match": match}
        body = json.dumps({"properties": properties}).encode()
        call = Call(method, whole, found.params, query, headers, body, "https://lab")
        try:
            return found.route.handler(call)
        except Problem as problem:
            return problem.reply()

    def etag(self, api: str) -> str:
        return self.send("HEAD", f"/apis/{api}").headers["ETag"]


def test_a_patch_changes_what_it_names_and_the_etag() -> None:
    tenant = Tenant()
    before, old = tenant.send("GET", "/apis/orders-v1").body["properties"], tenant.etag("orders-v1")
    reply = tenant.send("PATCH", "/apis/orders-v1", {"protocols": ["https"]}, match=old)
    assert reply.status == 200
    assert tenant.send("GET", "/apis/orders-v1").body["properties"] == {**before, "protocols": ["https"]}
    assert reply.headers["ETag"] == tenant.etag("orders-v1") != old


def test_nested_settings_are_merged_and_null_removes() -> None:
    tenant = Tenant()
    tenant.send("PATCH", "/apis/orders-v1", {"subscriptionKeyParameterNames": {"header": "X-Key"}, "serviceUrl": None})
    properties = tenant.send("GET", "/apis/orders-v1").body["properties"]
    assert properties["subscriptionKeyParameterNames"] == {"header": "X-Key", "query": "subscription-key"}
    assert "serviceUrl" not in properties


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(("match", "status"), [(None, 428), ('"stale"', 412)])
def test_writes_need_the_current_etag(method: str, match: str | None, status: int) -> None:
    tenant = Tenant()
    assert tenant.send(method, "/apis/orders-v1", {"protocols": ["https"]}, match=match).status == status
    assert tenant.send("GET", "/apis/orders-v1").body["properties"]["protocols"] == ["http", "https"]


@pytest.mark.parametrize(
    ("api", "properties", "target"),
    [
        ("orders-v1", {"protocols": ["ftp"]}, "protocols"),
        ("orders-v1", {"protocols": ["wss"]}, "protocols"),
        ("orders-v1", {"protocols": []}, "protocols"),
        ("orders-v1", {"type": "rest"}, "type"),
        ("orders-v1", {"displayName": ""}, "displayName"),
        ("orders-v1", {"displayName": "x" * 301}, "displayName"),
        ("orders-v1", {"path": "returns"}, "path"),
        ("orders-v1", {"value": "{}", "format": "openapi+json"}, "value"),
    ],
)
def test_invalid_fields_are_named(api: str, properties: dict[str, Any], target: str) -> None:
    tenant, before = Tenant(), Tenant().etag(api)
    error = tenant.send("PATCH", f"/apis/{api}", properties).body["error"]
    assert (error["code"], error["details"][0]["target"]) == ("ValidationError", target)
    assert tenant.etag(api) == before


def test_a_websocket_api_takes_only_socket_protocols() -> None:
    tenant = Tenant()
    tenant.service = next(service for service in tenant.estate.services if service.name == "apim-contoso-partner")
    assert tenant.send("PATCH", "/apis/stock-feed", {"protocols": ["https"]}).status == 400
    assert tenant.send("PATCH", "/apis/stock-feed", {"protocols": ["wss"]}).status == 200


def test_put_creates_replaces_and_is_polled_at_both_addresses() -> None:
    tenant = Tenant()
    created = tenant.send("PUT", "/apis/gifts", {"displayName": "Gifts", "path": "gifts"}, match=None)
    assert (created.status, created.body["properties"]["provisioningState"]) == (201, "InProgress")
    operation = created.headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]
    polled = tenant.send("GET", f"/tenant/operationResults/{operation}")
    final = tenant.send("GET", "/apis/gifts", asyncId=operation)
    assert polled.body["status"] == "Succeeded"
    assert final.body["properties"]["protocols"] == ["https"]
    replaced = tenant.send("PUT", "/apis/gifts", {"displayName": "Gifts 2", "path": "gifts"}, match='"stale"')
    assert replaced.status == 412
    assert tenant.send("PUT", "/apis/gifts", {"displayName": "Gifts 2", "path": "gifts"}).status == 200


def test_replacing_an_api_keeps_its_operations() -> None:
    tenant = Tenant()
    before = tenant.send("GET", "/apis/orders-v1/operations").body
    tenant.send("PUT", "/apis/orders-v1", {"displayName": "Orders", "path": "orders/v1"})
    assert tenant.send("GET", "/apis/orders-v1/operations").body == before
    assert before["count"] == 7


def test_delete_takes_revisions_along_only_when_told() -> None:
    tenant = Tenant()
    tenant.service = next(service for service in tenant.estate.services if service.name == "apim-contoso-retail")
    assert tenant.send("DELETE", "/apis/catalogue").status == 400
    assert tenant.send("DELETE", "/apis/catalogue", deleteRevisions="true").status == 202
    assert not [name for name in tenant.service.apis if name.startswith("catalogue")]
    assert tenant.send("DELETE", "/apis/catalogue").status == 204


def test_lists_filter_page_and_count() -> None:
    tenant = Tenant()

    def names(**query: str) -> list[str]:
        return [row["name"] for row in tenant.send("GET", "/apis", **query).body["value"]]

    page = tenant.send("GET", "/apis", **{"$top": "2", "$skip": "1"}).body
    assert names(**{"$filter": "displayName eq 'Orders'"}) == ["orders-v1", "orders-v2"]
    assert names(**{"$filter": "contains(path, 'orders') and name ne 'orders-v1'"}) == ["orders-v2"]
    assert names(**{"$filter": "isCurrent eq false"}) == []
    assert names(**{"$filter": "path ge 'returns' and path lt 't'"}) == ["returns", "shipments"]
    assert (len(page["value"]), page["count"]) == (2, 5)
    assert "$skip=3" in page["nextLink"]
    assert tenant.send("GET", "/apis", **{"$filter": "path like 'x'"}).status == 400
    assert tenant.send("GET", "/apis", **{"$filter": "apiRevision eq '1'"}).status == 400
    assert tenant.send("GET", "/apis", **{"$top": "0"}).status == 400


def test_what_is_not_there_is_named() -> None:
    tenant = Tenant()
    assert tenant.send("GET", "/apis/none").body["error"]["message"] == "API not found."
    tenant.service.name = "renamed"
    known = tenant.service.resource_id
    tenant.estate.services.remove(tenant.service)
    error = tenant.send("GET", "").body["error"]
    assert error["code"] == "ResourceNotFound"
    assert known.rpartition("/")[2] in error["message"]


def test_a_service_can_be_updated() -> None:
    tenant = Tenant()
    before = tenant.send("GET", "").body["etag"]
    changed = tenant.send("PATCH", "", {"virtualNetworkType": "External", "publicNetworkAccess": "Disabled"}).body
    assert changed["properties"]["virtualNetworkType"] == "External"
    assert changed["properties"]["publicNetworkAccess"] == "Disabled"
    assert changed["etag"] != before
    assert tenant.send("PATCH", "", {"virtualNetworkType": "Public"}).status == 400

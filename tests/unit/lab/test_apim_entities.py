"""Operations, subscriptions, backends, products and tenant access of API Management."""

from typing import Any

import pytest

from apiward_lab.web import Reply
from tests.unit.lab.tenant import Tenant

ENTITIES = {
    "operation": ("/apis/stores/operations/get-store", {"displayName": "Read a store"}),
    "subscription": ("/subscriptions/search-widget", {"displayName": "Widget"}),
    "backend": ("/backends/media-origin", {"description": "Media"}),
    "product": ("/products/storefront", {"description": "Shop"}),
    "tenant access": ("/tenant/access", {"enabled": False}),
}
EACH = pytest.mark.parametrize(("path", "change"), ENTITIES.values(), ids=ENTITIES.keys())


class Service:
    """The service apim-contoso-retail; paths are relative to it."""

    def __init__(self) -> None:
        self.tenant = Tenant()
        self.model = self.tenant.service("retail")

    def send(self, method: str, path: str, properties: Any = None, match: str | None = "*", **query: str) -> Reply:
        whole = self.model.resource_id + path
        return self.tenant.send(method, whole, "2024-05-01", properties, match=match, **query)

    def properties(self, path: str) -> Any:
        return self.send("GET", path).body["properties"]

    def names(self, path: str, **query: str) -> list[str]:
        return [row["name"] for row in self.send("GET", path, **query).body["value"]]


@EACH
def test_a_patch_with_the_current_etag_changes_what_it_names(path: str, change: dict[str, Any]) -> None:
    service = Service()
    before, etag = service.properties(path), service.send("HEAD", path).headers["ETag"]
    reply = service.send("PATCH", path, change, match=etag)
    assert reply.status == 200
    assert service.properties(path) == reply.body["properties"] == {**before, **change} != before
    assert service.send("GET", path).headers["ETag"] == reply.headers["ETag"] != etag


@EACH
@pytest.mark.parametrize(("match", "status"), [(None, 428), ('"stale"', 412)])
def test_a_patch_without_the_current_etag_changes_nothing(
    path: str, change: dict[str, Any], match: str | None, status: int
) -> None:
    service = Service()
    before = service.properties(path)
    assert service.send("PATCH", path, change, match=match).status == status
    assert service.properties(path) == before


@EACH
def test_an_entity_is_in_its_list_and_names_itself(path: str, change: dict[str, Any]) -> None:
    service = Service()
    collection, _, name = path.rpartition("/")
    listed = {row["name"]: row for row in service.send("GET", collection).body["value"]}
    assert listed[name] == service.send("GET", path).body
    assert listed[name]["id"] == service.model.resource_id + path
    missing = service.send("PATCH", f"{collection}/none", change)
    assert missing.status == 404
    assert missing.body["error"]["message"].endswith("not found.")


@pytest.mark.parametrize(
    ("path", "change", "target"),
    [
        ("/subscriptions/search-widget", {"state": "paused"}, "state"),
        ("/subscriptions/search-widget", {"scope": "/products/none"}, "scope"),
        ("/subscriptions/search-widget", {"scope": "/apis/none"}, "scope"),
        ("/subscriptions/search-widget", {"scope": "/users/1"}, "scope"),
        ("/subscriptions/search-widget", {"displayName": "x" * 101}, "displayName"),
        ("/backends/media-origin", {"protocol": "grpc"}, "protocol"),
        ("/backends/media-origin", {"tls": {"validateCertificateName": "yes"}}, "tls.validateCertificateName"),
        ("/products/storefront", {"state": "hidden"}, "state"),
        ("/tenant/access", {"enabled": "false"}, "enabled"),
        ("/apis/stores/operations/get-store", {"urlTemplate": ""}, "urlTemplate"),
    ],
)
def test_what_is_not_valid_is_named_and_changes_nothing(path: str, change: dict[str, Any], target: str) -> None:
    service = Service()
    before = service.properties(path)
    error = service.send("PATCH", path, change).body["error"]
    assert error["details"][0]["target"] == target
    assert service.properties(path) == before


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/apis", "/apis"),
        ("/apis/search", "/apis/search"),
        ("/products/content", "/products/content"),
        ("whole", "/apis/stores"),
    ],
)
def test_a_scope_is_kept_as_an_arm_id(sent: str, kept: str) -> None:
    service = Service()
    scope = f"{service.model.resource_id}/apis/stores" if sent == "whole" else sent
    service.send("PATCH", "/subscriptions/search-widget", {"scope": scope})
    assert service.properties("/subscriptions/search-widget")["scope"] == service.model.resource_id + kept


def test_the_built_in_subscription_has_the_service_as_its_scope() -> None:
    service = Service()
    assert service.properties("/subscriptions/master")["scope"] == f"{service.model.resource_id}/"


def test_keys_are_shown_by_list_secrets_alone() -> None:
    service = Service()
    path = "/subscriptions/search-widget"
    secrets = service.send("POST", f"{path}/listSecrets").body
    answers = [
        service.send("GET", path),
        service.send("GET", "/subscriptions"),
        service.send("PATCH", path, {"state": "suspended"}),
    ]
    assert set(secrets) == {"primaryKey", "secondaryKey"}
    for answer in answers:
        assert not [key for key in secrets.values() if key in str(answer.body)]
    assert service.send("POST", f"{path}/listSecrets").body == secrets


def test_an_operation_can_be_created_replaced_and_deleted() -> None:
    service = Service()
    path, properties = "/apis/stores/operations/ping", {"displayName": "Ping", "method": "GET", "urlTemplate": "/ping"}
    assert service.send("PUT", path, {"displayName": "Ping"}, match=None).status == 400
    created = service.send("PUT", path, properties, match=None)
    replaced = service.send("PUT", path, {**properties, "displayName": "Pong"}, match=created.headers["ETag"])
    assert (created.status, replaced.status) == (201, 200)
    assert service.send("PUT", path, properties, match=created.headers["ETag"]).status == 412
    assert service.properties(path)["displayName"] == "Pong"
    assert service.send("DELETE", path, match=None).status == 428
    assert service.send("DELETE", path, match=created.headers["ETag"]).status == 412
    assert service.send("DELETE", path, match=replaced.headers["ETag"]).status == 200
    assert service.send("GET", path).status == 404
    assert service.send("DELETE", path).status == 204


def test_lists_know_the_documented_filters() -> None:
    service = Service()
    assert service.names("/subscriptions", **{"$filter": "endswith(scope, '/apis')"}) == ["search-widget"]
    assert service.names("/apis/stores/operations", **{"$filter": "method eq 'POST'"}) == ["create-store"]
    assert service.send("GET", "/subscriptions", **{"$filter": "primaryKey eq 'x'"}).status == 400
    page = service.send("GET", "/apis/stores/operations", **{"$top": "3"}).body
    assert (len(page["value"]), page["count"]) == (3, 7)
    assert "nextLink" in page


def test_products_and_apis_know_each_other() -> None:
    service = Service()
    assert service.names("/apis/catalogue/products") == ["content", "storefront"]
    assert service.names("/products/content/apis") == ["catalogue", "media"]
    assert service.names("/products/storefront/apis", **{"$filter": "path eq 'search'"}) == ["search"]
    assert service.send("GET", "/products/none/apis").status == 404
    assert service.send("GET", "/apis/none/products").status == 404
    service.send("DELETE", "/apis/media")
    assert service.names("/products/content/apis") == ["catalogue"]

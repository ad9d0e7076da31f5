"""What a subscription that is scoped to all APIs becomes, by what the service says of its use; the real SDK client."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from azure.core.pipeline.transport import HttpRequest

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import RejectedDataError
from apiward_core.settings import explicit_settings
from apiward_playbooks.remediation import Change
from apiward_playbooks.remediations.apim_subscription_all_apis import REMEDIATION
from tests.property.world import SERVICE, START
from tests.unit.connector.transport import Answer, Credential, Replies

Rows = list[dict[str, Any]]
MINE = ArmId.parse(f"{SERVICE}/subscriptions/widget")


class Service(Replies):
    """An API Management service: a subscription, its calls by API, and the products of each API that exists."""

    def __init__(self, *, calls: dict[str, int] | None = None, products: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        self.name = "widget"
        self.properties: dict[str, Any] = {"scope": f"{SERVICE}/apis", "state": "active", "displayName": "Widget"}
        self.created: datetime = START - timedelta(days=400)
        self.by_operation: Rows = [{"apiId": f"/apis/{api}", "callCountTotal": n} for api, n in (calls or {}).items()]
        self.by_subscription: Rows = [{"subscriptionId": "/subscriptions/another", "callCountTotal": 7}]
        if calls:
            self.by_subscription.append(
                {"subscriptionId": "/subscriptions/Widget", "callCountTotal": sum(calls.values())}
            )
        self.lately: Rows | None = None  # of the last week, where that is not as before
        self.products = products or {}
        self.sizes: dict[str, int] = {}
        self.etag = '"1"'

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        self.requests.append(request)
        url = urlsplit(unquote(request.url))
        status, body = self._answer(url.path.partition("/service/apim/")[2], url.query)
        self._replies = [(status, body)]
        answer = super().send(request, **kwargs)
        self.requests.pop()
        answer.headers["ETag"] = self.etag
        return answer

    def _answer(self, path: str, query: str) -> tuple[int, Any]:
        match path.split("/"):
            case ["subscriptions", _]:
                created = self.created.isoformat().replace("+00:00", "Z")
                return 200, {"name": self.name, "properties": {**self.properties, "createdDate": created}}
            case ["reports", "bySubscription"] if self.lately is not None and "ge datetime'2026-11-16" in query:
                return 200, {"value": self.lately}
            case ["reports", "bySubscription"]:
                return 200, {"value": self.by_subscription}
            case ["reports", "byOperation"]:
                return 200, {"value": self.by_operation}
            case ["apis", api, "products"] if api in self.products:
                return 200, {"value": [_product(name) for name in self.products[api]]}
            case ["products", name, "apis"]:
                return 200, {"value": [{"name": f"api-{n}"} for n in range(self.sizes.get(name, 1))]}
        return 404, {"error": {"code": "ResourceNotFound", "message": f"{path} is gone"}}

    def filters(self) -> list[str]:
        return [
            found for request in self.requests for found in parse_qs(urlsplit(request.url).query).get("$filter", [])
        ]


def _product(name: str) -> dict[str, Any]:
    """A published product; "draft-" and "open-" are others."""
    state = "notPublished" if name.startswith("draft-") else "published"
    return {
        "name": name,
        "properties": {"displayName": name, "state": state, "subscriptionRequired": name[:5] != "open-"},
    }


def plan(service: Service) -> list[Change]:
    with AzureClients(explicit_settings(), credential=Credential(), transport=service) as clients:
        return REMEDIATION.plan(clients, MINE, START)


@pytest.mark.parametrize(
    ("calls", "products", "after"),
    [
        ({"search": 5}, {"search": []}, {"scope": "/apis/search"}),
        ({"search": 5, "search;rev=3": 2}, {"search": []}, {"scope": "/apis/search"}),
        ({"a": 5, "b": 1}, {"a": ["big", "small"], "b": ["small", "big", "other"]}, {"scope": "/products/small"}),
        ({"a": 5, "b": 1, "gone": 9}, {"a": ["big"], "b": ["big"]}, {"scope": "/products/big"}),
        ({"a": 5, "gone": 9}, {"a": []}, {"scope": "/apis/a"}),
        ({}, {}, {"state": "suspended"}),
    ],
    ids=["one API", "revisions of one", "the smallest product", "and a deleted API", "one API that is left", "unused"],
)
def test_it_gets_the_narrowest_scope_that_its_calls_need(
    calls: dict[str, int], products: dict[str, list[str]], after: dict[str, str]
) -> None:
    service = Service(calls=calls, products=products)
    service.sizes = {"big": 9, "small": 2}
    [change] = plan(service)
    assert dict(change.after) == after
    assert set(change.before) == set(after)
    assert f"{sum(calls.values()):,} calls from 2026-08-25 to 2026-11-23" in change.summary


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"state": "suspended"}, "not active"),
        ({"scope": f"{SERVICE}/products/starter"}, "a product"),
        ({"scope": f"{SERVICE}/apis/search"}, "an API"),
        ({"scope": f"{SERVICE}/"}, "the service itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_that_is_as_it_should_be_needs_nothing(properties: dict[str, str], reason: str) -> None:
    service = Service(calls={"search": 1})
    service.properties |= properties
    assert plan(service) == [], reason
    assert service.filters() == []


def test_a_scope_is_read_in_any_spelling() -> None:
    for scope in ("/apis", f"{SERVICE}/apis", f"{SERVICE.lower()}/apis"):
        service = Service(calls={"search": 1}, products={"search": []})
        service.properties["scope"] = scope
        assert [dict(change.before) for change in plan(service)] == [{"scope": "/apis"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda service: setattr(service, "by_subscription", []), "has no usage reports since 2026-08-25"),
        (lambda service: setattr(service, "by_operation", []), "do not say which APIs"),
        (
            lambda service: setattr(service, "by_operation", [{"apiId": "/apis/-", "callCountTotal": 3}]),
            "do not say which",
        ),
        (lambda service: service.products.clear(), "calls only APIs that are gone: a, b"),
        (lambda service: service.products.update(b=["other"]), "calls a, b, which share no published product"),
        (lambda service: service.products.update(a=["draft-x"], b=["draft-x"]), "no published product"),
        (lambda service: service.products.update(a=["open-x"], b=["open-x"]), "no published product"),
        (lambda service: setattr(service, "etag", ""), "without an ETag"),
    ],
    ids=[
        "no reports",
        "not by operation",
        "no API matched",
        "APIs gone",
        "no product",
        "unpublished",
        "open",
        "no ETag",
    ],
)
def test_a_doubt_changes_nothing(change: Any, said: str) -> None:
    service = Service(calls={"a": 2, "b": 3}, products={"a": ["one"], "b": ["one"]})
    change(service)
    with pytest.raises(RejectedDataError, match=said):
        plan(service)


def test_a_key_that_is_new_is_not_taken_for_unused() -> None:
    service = Service()
    service.created = START - timedelta(days=29)
    with pytest.raises(RejectedDataError, match="was made on 2026-10-25 and has not been used yet"):
        plan(service)


@pytest.mark.parametrize(
    "lately", [[], [{"subscriptionId": "/subscriptions/another", "callCountTotal": 0}]], ids=["no rows", "no calls"]
)
def test_reports_that_stopped_do_not_say_that_a_key_is_unused(lately: Rows) -> None:
    service = Service()
    service.lately = lately
    with pytest.raises(RejectedDataError, match="has no usage reports since 2026-11-16"):
        plan(service)


@pytest.mark.parametrize("name", ["master", "Master"])
def test_the_built_in_subscription_is_left_alone_in_any_spelling(name: str) -> None:
    service = Service()
    with (
        AzureClients(explicit_settings(), credential=Credential(), transport=service) as clients,
        pytest.raises(RejectedDataError, match="is the built-in subscription"),
    ):
        REMEDIATION.plan(clients, ArmId.parse(f"{SERVICE}/subscriptions/{name}"), START)
    assert service.requests == []


def test_the_reports_are_asked_for_the_subscription_by_its_own_name() -> None:
    service = Service(calls={"search": 5}, products={"search": []})
    service.name = "O'Hara or 1 eq 1"
    service.by_subscription[1]["subscriptionId"] = f"/subscriptions/{service.name}"
    plan(service)
    period = "timestamp ge datetime'2026-08-25T10:00:00' and timestamp le datetime'2026-11-23T10:00:00'"
    assert service.filters() == [period, f"{period} and subscriptionId eq 'O''Hara or 1 eq 1'"]


def test_no_key_is_asked_for_or_written() -> None:
    service = Service(calls={"search": 5}, products={"search": []})
    with AzureClients(explicit_settings(), credential=Credential(), transport=service) as clients:
        [change] = REMEDIATION.plan(clients, MINE, START)
        REMEDIATION.apply(clients, change, '"1"', "correlation")
    assert not [request for request in service.requests if "secret" in request.url.lower()]
    [write] = [request for request in service.requests if request.method == "PATCH"]
    assert write.headers["If-Match"] == '"1"'
    assert write.body == '{"properties": {"scope": "/apis/search"}}'

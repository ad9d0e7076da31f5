"""Builds an API Management service from its row of the tables."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from apiward_lab.estate.apis import Api, Calls, Entity, Product
from apiward_lab.estate.ids import stable_id
from apiward_lab.estate.model import ApimService, ResourceGroup
from apiward_lab.estate.operations import operations
from apiward_lab.estate.rows import ApiRow, BackendRow, ProductRow, ServiceRow

CREATED = "2024-02-12T08:41:07.3191122Z"
_MOST_CALLS_A_DAY = 4_000
_ONBOARDED_AGO = timedelta(days=180)


def build_service(row: ServiceRow, group: ResourceGroup, *, seed: str, at: datetime, is_watched: bool) -> ApimService:
    """The service at the moment `at`. `is_watched` tells whether its subscription has Defender for APIs."""
    service = ApimService(
        name=row.name,
        group=group,
        sku=row.sku,
        capacity=1,
        publisher=row.publisher,
        created=CREATED,
        virtual_network_type=row.virtual_network_type,
        tags=dict(row.tags),
    )
    service.apis = {api.name.lower(): _api(api) for api in row.apis}
    service.products = {product.name: _product(product) for product in row.products}
    service.subscriptions = {entry.name: entry for entry in _subscriptions(service, row, seed)}
    service.backends = {backend.name: _backend(backend) for backend in row.backends}
    service.tenant_access = _tenant_access(enabled=row.direct_management)
    if is_watched:
        service.onboarded = {api.name.lower(): at - _ONBOARDED_AGO for api in row.apis if _can_be_watched(api)}
    _add_calls(service, row, at=at, chance=random.Random(f"{seed}/{row.name}"))  # noqa: S311 - data, not a secret
    return service


def _can_be_watched(row: ApiRow) -> bool:
    return row.is_onboarded and row.api_type == "http" and ";" not in row.name


def _api(row: ApiRow) -> Api:
    base, _, revision = row.name.partition(";rev=")
    properties: dict[str, Any] = {
        "displayName": row.display_name,
        "apiRevision": revision or "1",
        "subscriptionRequired": row.subscription_required,
        "serviceUrl": f"https://{base}.backend.contoso.example/api",
        "path": row.path,
        "protocols": list(row.protocols),
        "authenticationSettings": {"oAuth2AuthenticationSettings": [], "openidAuthenticationSettings": []},
        "subscriptionKeyParameterNames": {"header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"},
        "isCurrent": not revision,
    }
    if row.api_type != "http":
        properties["type"] = row.api_type
    if row.api_type == "websocket":
        properties["serviceUrl"] = f"wss://{base}.backend.contoso.example/stream"
    return Api(
        row.name,
        properties,
        operations={operation.name.lower(): operation for operation in operations(row)},
        policy=row.policy,
        exposes_sensitive_data=row.is_sensitive,
    )


def _product(row: ProductRow) -> Product:
    properties = {
        "displayName": row.display_name,
        "description": f"APIs for {row.display_name.lower()} of Contoso.",
        "subscriptionRequired": True,
        "approvalRequired": True,
        "subscriptionsLimit": 10,
        "state": "published",
    }
    return Product(row.name, properties, apis=[name.lower() for name in row.apis])


def _subscriptions(service: ApimService, row: ServiceRow, seed: str) -> Iterator[Entity]:
    yield _subscription(service, seed, "master", "Built-in all-access subscription", "/")
    for product in row.products:
        for subscriber in product.subscribers:
            label = subscriber.replace("-", " ").title()
            yield _subscription(service, seed, f"{subscriber}-{product.name}", label, f"/products/{product.name}")
    for entry in row.all_apis:
        yield _subscription(service, seed, entry.name, entry.display_name, "/apis", entry.state)


def _subscription(service: ApimService, seed: str, name: str, label: str, scope: str, state: str = "active") -> Entity:
    def key(which: str) -> str:
        return stable_id(seed, f"{service.resource_id}/{name}/{which}").replace("-", "")

    properties = {
        "ownerId": f"{service.resource_id}/users/1",
        "scope": service.resource_id + scope,
        "displayName": label,
        "state": state,
        "createdDate": "2024-03-01T09:12:44.51Z",
        "allowTracing": False,
        "primaryKey": key("primary"),
        "secondaryKey": key("secondary"),
    }
    return Entity(name, properties)


def _backend(row: BackendRow) -> Entity:
    properties: dict[str, Any] = {"description": f"Backend {row.name}", "url": row.url, "protocol": "http"}
    if not (row.checks_chain and row.checks_name):
        properties["tls"] = {"validateCertificateChain": row.checks_chain, "validateCertificateName": row.checks_name}
    return Entity(row.name, properties)


def _tenant_access(*, enabled: bool) -> dict[str, Entity]:
    git = Entity("gitAccess", {"principalId": "git", "enabled": False})
    return {"access": Entity("access", {"enabled": enabled}), "gitaccess": git}


def _add_calls(service: ApimService, row: ServiceRow, *, at: datetime, chance: random.Random) -> None:
    for api_row in row.apis:
        api = service.apis[api_row.name.lower()]
        callers = dict(_callers(row, api_row)) if api.is_current else {}
        for operation in api.operations.values():
            silent = api_row.silent.get(operation.name, 0)
            for subscription, days in callers.items():
                per_day = chance.randint(3, _MOST_CALLS_A_DAY)
                operation.calls.append(Calls(subscription, per_day, _days_before(at, max(silent, days))))


def _callers(row: ServiceRow, api: ApiRow) -> Iterator[tuple[str, int]]:
    """Names of the subscriptions that call the API, "" for calls without a key, and for how many days they have not."""
    for product in row.products:
        if api.name in product.apis:
            yield from ((f"{subscriber}-{product.name}", 0) for subscriber in product.subscribers)
    for entry in row.all_apis:
        if api.name in entry.uses:
            yield entry.name, entry.silent_days
    if not api.subscription_required:
        yield "", 0


def _days_before(at: datetime, days: int) -> datetime | None:
    return at - timedelta(days=days) if days else None

"""Builds an estate from a seed and a size; the same input gives the same estate."""

import random
import uuid
from dataclasses import dataclass

from apiward_lab.estate import catalogue
from apiward_lab.estate.model import (
    Api,
    ApimService,
    Estate,
    ResourceGroup,
    StorageAccount,
    Subscription,
    VirtualMachine,
)

_NAMESPACE = uuid.UUID("6d0cfb5e-6a4b-4b8e-9d0c-6f0a6a1f7c11")
_SUBJECTS = (
    "orders",
    "invoices",
    "shipments",
    "returns",
    "customers",
    "prices",
    "stock",
    "coupons",
    "claims",
    "ledger",
)
_REGIONS = ("westeurope", "northeurope", "eastus2", "swedencentral")


@dataclass(frozen=True)
class Size:
    """How much is generated on top of the hand-written services."""

    extra_services: int
    apis_per_extra_service: int


SIZES = {"small": Size(0, 0), "medium": Size(16, 60), "large": Size(100, 200)}


def build(size: str = "small", *, seed: str = "contoso") -> Estate:
    """The estate of this size. Raises ValueError when there is no such size."""
    if size not in SIZES:
        raise ValueError(f"there is no estate {size!r}; choose one of {', '.join(SIZES)}")
    subscriptions = [Subscription(stable_id(seed, name), name) for name in catalogue.SUBSCRIPTIONS]
    groups = {
        name: ResourceGroup(subscriptions[index].subscription_id, name, location)
        for name, index, location in catalogue.GROUPS
    }
    estate = Estate(
        tenant_id=stable_id(seed, "tenant"),
        subscriptions=subscriptions,
        groups=list(groups.values()),
        services=[_service(row, groups) for row in catalogue.SERVICES],
        storage_accounts=[StorageAccount(n, groups[g], https, public) for n, g, https, public in catalogue.STORAGE],
        machines=[VirtualMachine(n, groups[g], closed) for n, g, closed in catalogue.MACHINES],
    )
    _add_generated(estate, SIZES[size], random.Random(seed))  # noqa: S311 - reproducible data, not a secret
    return estate


def stable_id(seed: str, name: str) -> str:
    """A GUID that depends on the seed and the name only."""
    return str(uuid.uuid5(_NAMESPACE, f"{seed}/{name}"))


def _service(row: catalogue.ServiceRow, groups: dict[str, ResourceGroup]) -> ApimService:
    service = ApimService(
        name=row.name,
        group=groups[row.group],
        sku=row.sku,
        capacity=1,
        publisher=row.publisher,
        created="2024-02-12T08:41:07.3191122Z",
        virtual_network_type=row.virtual_network_type,
        tags=dict(row.tags),
    )
    for api in row.apis:
        service.apis[api.name.lower()] = _api(api)
    return service


def _api(row: catalogue.ApiRow) -> Api:
    base, _, revision = row.name.partition(";rev=")
    properties = {
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
    return Api(row.name, properties)


def _add_generated(estate: Estate, size: Size, chance: random.Random) -> None:
    for number in range(size.extra_services):
        subscription = estate.subscriptions[number % len(estate.subscriptions)]
        group = ResourceGroup(subscription.subscription_id, f"rg-api-{number:03}", chance.choice(_REGIONS))
        estate.groups.append(group)
        row = catalogue.ServiceRow(
            name=f"apim-contoso-{number:03}",
            group=group.name,
            sku="Standard",
            publisher="Contoso",
            apis=[_generated_api(index, chance) for index in range(size.apis_per_extra_service)],
        )
        estate.services.append(_service(row, {group.name: group}))


def _generated_api(index: int, chance: random.Random) -> catalogue.ApiRow:
    subject = chance.choice(_SUBJECTS)
    encrypted = chance.random() < 0.8  # noqa: PLR2004 - four in five are fine
    return catalogue.ApiRow(
        f"{subject}-{index:04}",
        f"{subject.title()} {index}",
        f"{subject}/{index}",
        ("https",) if encrypted else ("http", "https"),
    )

"""Builds an estate from a seed and a size; the same input gives the same estate."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from apiward_lab.estate import catalogue
from apiward_lab.estate.ids import stable_id
from apiward_lab.estate.model import (
    Estate,
    ManagementGroup,
    ResourceGroup,
    StorageAccount,
    Subscription,
    VirtualMachine,
)
from apiward_lab.estate.plans import seeded_plans
from apiward_lab.estate.rows import BOTH, HTTPS, AllApisRow, ApiRow, ProductRow, ServiceRow
from apiward_lab.estate.services import build_service

_SUBJECTS = (
    "order",
    "invoice",
    "shipment",
    "return",
    "customer",
    "price",
    "stock",
    "coupon",
    "claim",
    "ledger",
)
_REGIONS = ("westeurope", "northeurope", "eastus2", "swedencentral")


@dataclass(frozen=True)
class Size:
    """How much is generated on top of the hand-written services."""

    extra_services: int
    apis_per_extra_service: int


SIZES = {"small": Size(0, 0), "medium": Size(16, 60), "large": Size(100, 200)}


def build(size: str = "small", *, seed: str = "contoso", at: datetime | None = None) -> Estate:
    """The estate of this size as it is at a moment, by default now: traffic that stopped did so before it.

    Raises ValueError when there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"there is no estate {size!r}; choose one of {', '.join(SIZES)}")
    at = at or datetime.now(UTC)
    tenant_id = stable_id(seed, "tenant")
    subscriptions = [Subscription(stable_id(seed, name), name, group) for name, group in catalogue.SUBSCRIPTIONS]
    groups = {
        name: ResourceGroup(subscriptions[index].subscription_id, name, location)
        for name, index, location in catalogue.GROUPS
    }
    estate = Estate(
        tenant_id=tenant_id,
        subscriptions=subscriptions,
        groups=list(groups.values()),
        services=[],
        storage_accounts=[StorageAccount(n, groups[g], https, public) for n, g, https, public in catalogue.STORAGE],
        machines=[VirtualMachine(n, groups[g], closed) for n, g, closed in catalogue.MACHINES],
        plans={entry.subscription_id: seeded_plans(index, at) for index, entry in enumerate(subscriptions)},
        management_groups=_management_groups(tenant_id),
    )
    for row in catalogue.SERVICES:
        _add_service(estate, row, groups[row.group], seed=seed, at=at)
    _add_generated(estate, SIZES[size], seed=seed, at=at)
    return estate


def _management_groups(tenant_id: str) -> list[ManagementGroup]:
    below = [ManagementGroup(name, label, above or tenant_id) for name, label, above in catalogue.MANAGEMENT_GROUPS]
    return [ManagementGroup(tenant_id, "Tenant Root Group"), *below]


def _add_service(estate: Estate, row: ServiceRow, group: ResourceGroup, *, seed: str, at: datetime) -> None:
    is_watched = estate.plans[group.subscription_id]["api"].is_on
    estate.services.append(build_service(row, group, seed=seed, at=at, is_watched=is_watched))


def _add_generated(estate: Estate, size: Size, *, seed: str, at: datetime) -> None:
    chance = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    for number in range(size.extra_services):
        subscription = estate.subscriptions[number % len(estate.subscriptions)]
        group = ResourceGroup(subscription.subscription_id, f"rg-api-{number:03}", chance.choice(_REGIONS))
        estate.groups.append(group)
        apis = [_generated_api(index, chance) for index in range(size.apis_per_extra_service)]
        row = ServiceRow(
            name=f"apim-contoso-{number:03}",
            group=group.name,
            sku="Standard",
            publisher="Contoso",
            apis=apis,
            products=(ProductRow("everything", "Everything", [api.name for api in apis], ("integration",)),),
            all_apis=(AllApisRow("batch", "Batch", [apis[0].name]),),
            direct_management=chance.random() < 0.25,  # noqa: PLR2004 - one in four
        )
        _add_service(estate, row, group, seed=seed, at=at)


def _generated_api(index: int, chance: random.Random) -> ApiRow:
    subject = chance.choice(_SUBJECTS)
    return ApiRow(
        f"{subject}-{index:04}",
        f"{subject.title()} {index}",
        f"{subject}/{index}",
        protocols=HTTPS if chance.random() < 0.8 else BOTH,  # noqa: PLR2004 - four in five are fine
        subscription_required=chance.random() < 0.95,  # noqa: PLR2004 - one in twenty is open
        entities=(subject,),
        silent={f"delete-{subject}": 60} if chance.random() < 0.1 else {},  # noqa: PLR2004 - one in ten
        is_onboarded=chance.random() < 0.8,  # noqa: PLR2004 - one in five is not
    )

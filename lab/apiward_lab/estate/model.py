"""The estate as plain objects that the services read and change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apiward_lab.estate.apis import Api, Entity, Product

MANAGEMENT_GROUPS = "/providers/Microsoft.Management/managementGroups"


@dataclass(frozen=True)
class ManagementGroup:
    """A management group. `parent` is the name of the group that holds it, "" for the tenant's root group."""

    name: str
    display_name: str
    parent: str = ""

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"{MANAGEMENT_GROUPS}/{self.name}"


@dataclass(frozen=True)
class Subscription:
    """An Azure subscription. `management_group` is the name of the group that holds it, "" for the tenant's root."""

    subscription_id: str
    name: str
    management_group: str = ""

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"/subscriptions/{self.subscription_id}"


@dataclass(frozen=True)
class ResourceGroup:
    """A resource group."""

    subscription_id: str
    name: str
    location: str

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.name}"


@dataclass(frozen=True)
class DefenderPlan:
    """A Defender plan of a subscription (Microsoft.Security/pricings, 2024-01-01). It is on while the tier is Standard.

    `extensions` are those of the REST API; their isEnabled is the text "True" or "False".
    """

    name: str
    tier: str
    sub_plan: str = ""
    extensions: Sequence[Mapping[str, Any]] = ()
    enabled: datetime | None = None
    enforce: str = "False"

    @property
    def is_on(self) -> bool:
        """Whether the plan protects anything."""
        return self.tier == "Standard"


@dataclass
class ApimService:
    """An API Management service and what is in it; every table goes by the name in lower case.

    The properties of a subscription hold its keys, which the REST API shows to listSecrets alone.
    `onboarded` tells since when Defender for APIs has watched an API; a time to come means that it is being onboarded.
    """

    name: str
    group: ResourceGroup
    sku: str
    capacity: int
    publisher: str
    created: str
    virtual_network_type: str = "None"
    platform_version: str = "stv2"
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    apis: dict[str, Api] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    subscriptions: dict[str, Entity] = field(default_factory=dict)
    backends: dict[str, Entity] = field(default_factory=dict)
    tenant_access: dict[str, Entity] = field(default_factory=dict)
    onboarded: dict[str, datetime] = field(default_factory=dict)
    version: int = 1

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"{self.group.resource_id}/providers/Microsoft.ApiManagement/service/{self.name}"

    def api_id(self, api: Api) -> str:
        """The ARM id of one of its APIs."""
        return self.child_id("apis", api)

    def child_id(self, collection: str, entity: Entity) -> str:
        """The ARM id of an entity directly under the service, such as one of its "subscriptions"."""
        return f"{self.resource_id}/{collection}/{entity.name}"


@dataclass
class StorageAccount:
    """A storage account, as far as Defender assesses it here."""

    name: str
    group: ResourceGroup
    https_only: bool
    allow_public_blobs: bool

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"{self.group.resource_id}/providers/Microsoft.Storage/storageAccounts/{self.name}"


@dataclass
class VirtualMachine:
    """A virtual machine, as far as Defender assesses it here."""

    name: str
    group: ResourceGroup
    management_ports_closed: bool

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"{self.group.resource_id}/providers/Microsoft.Compute/virtualMachines/{self.name}"


@dataclass
class Estate:
    """Everything that exists in the tenant. `plans` go by subscription id and by the plan's name in lower case.

    The root of `management_groups` has the tenant's id as its name.
    """

    tenant_id: str
    subscriptions: list[Subscription]
    groups: list[ResourceGroup]
    services: list[ApimService]
    storage_accounts: list[StorageAccount]
    machines: list[VirtualMachine]
    plans: dict[str, dict[str, DefenderPlan]] = field(default_factory=dict)
    management_groups: list[ManagementGroup] = field(default_factory=list)

    def service(self, subscription_id: str, group: str, name: str) -> ApimService | None:
        """The API Management service with these names, which Azure compares without regard to case."""
        wanted = f"/subscriptions/{subscription_id}/resourceGroups/{group}".lower()
        for service in self.services:
            if service.group.resource_id.lower() == wanted and service.name.lower() == name.lower():
                return service
        return None

    def apis(self) -> Iterator[tuple[ApimService, Api]]:
        """Every API of every service."""
        for service in self.services:
            for api in service.apis.values():
                yield service, api

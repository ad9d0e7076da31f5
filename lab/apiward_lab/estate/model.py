"""The estate as plain objects that the services read and change."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Subscription:
    """An Azure subscription."""

    subscription_id: str
    name: str

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


@dataclass
class Api:
    """An API, or one revision of it (";rev=N" in the name).

    `properties` are those of the REST API (ApiManagement 2024-05-01, ApiContractProperties). `version` grows with each
    change and makes the ETag.
    """

    name: str
    properties: dict[str, Any]
    version: int = 1

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols by which it can be called."""
        return tuple(self.properties.get("protocols", ()))

    @property
    def api_type(self) -> str:
        """ "http", "websocket", "soap", …"""
        return str(self.properties.get("type", "http"))


@dataclass
class ApimService:
    """An API Management service and its APIs, by name in lower case."""

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
    version: int = 1

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return f"{self.group.resource_id}/providers/Microsoft.ApiManagement/service/{self.name}"

    def api_id(self, api: Api) -> str:
        """The ARM id of one of its APIs."""
        return f"{self.resource_id}/apis/{api.name}"


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
    """Everything that exists in the tenant."""

    tenant_id: str
    subscriptions: list[Subscription]
    groups: list[ResourceGroup]
    services: list[ApimService]
    storage_accounts: list[StorageAccount]
    machines: list[VirtualMachine]

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

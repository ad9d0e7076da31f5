"""The ground truth: what exists in the tenant, before any service looks at it."""

from apiward_lab.estate.apis import Api, Calls, Entity, Operation, Product
from apiward_lab.estate.model import (
    ApimService,
    DefenderPlan,
    Estate,
    ManagementGroup,
    ResourceGroup,
    StorageAccount,
    Subscription,
    VirtualMachine,
)
from apiward_lab.estate.seed import SIZES, Size, build

__all__ = [
    "SIZES",
    "Api",
    "ApimService",
    "Calls",
    "DefenderPlan",
    "Entity",
    "Estate",
    "ManagementGroup",
    "Operation",
    "Product",
    "ResourceGroup",
    "Size",
    "StorageAccount",
    "Subscription",
    "VirtualMachine",
    "build",
]

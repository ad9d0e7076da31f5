"""The ground truth: what exists in the tenant, before any service looks at it."""

from apiward_lab.estate.model import (
    Api,
    ApimService,
    Estate,
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
    "Estate",
    "ResourceGroup",
    "Size",
    "StorageAccount",
    "Subscription",
    "VirtualMachine",
    "build",
]

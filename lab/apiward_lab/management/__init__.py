"""Management groups: the tenant's tree above its subscriptions."""

from apiward_lab.management.hierarchy import Hierarchy
from apiward_lab.management.service import ManagementGroups

__all__ = ["Hierarchy", "ManagementGroups"]

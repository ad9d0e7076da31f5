"""Azure Resource Graph: KQL over what exists in the tenant, as far as the caller may read it."""

from apiward_lab.resourcegraph.endpoints import Endpoints
from apiward_lab.resourcegraph.inventory import Inventory
from apiward_lab.resourcegraph.quota import GraphLimits, UserQuota
from apiward_lab.resourcegraph.service import ResourceGraph

__all__ = ["Endpoints", "GraphLimits", "Inventory", "ResourceGraph", "UserQuota"]

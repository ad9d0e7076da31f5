"""Azure Resource Manager itself: cloud metadata, subscriptions and resource groups."""

from apiward_lab.resources.metadata import CloudMetadata
from apiward_lab.resources.service import Resources

__all__ = ["CloudMetadata", "Resources"]

"""The seed of a workspace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workspace:
    """A workspace that exists when the lab starts: its ARM id, the id that queries use, its region."""

    resource_id: str
    customer_id: str
    location: str

    @property
    def subscription_id(self) -> str:
        """The subscription's GUID."""
        return self.resource_id.split("/")[2]

    @property
    def group(self) -> str:
        """The resource group's name."""
        return self.resource_id.split("/")[4]

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self.resource_id.rsplit("/", 1)[-1]

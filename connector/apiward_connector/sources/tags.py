"""Tags of the resources in one subscription that host APIs, from Azure Resource Graph."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apiward_connector.rest import member, text
from apiward_connector.sources.arm_pages import Arm, arm_pages
from apiward_connector.sources.graph_rows import GraphRows

ROWS = "resources\n| where type in~ ('microsoft.apimanagement/service', 'microsoft.web/sites')"
COLUMNS = "id, tags"

_API_VERSION = "2024-05-01"
# The SDK has this list, too; most runs need nothing else of it, and it takes longer to import than they take to read.
_SERVICES = "/subscriptions/{}/providers/Microsoft.ApiManagement/service"

Tagged = tuple[str, Mapping[str, str]]
"""A resource by its id in lower case, and its tags."""


class TagsSource:
    """Reads the tags of API Management services, Function Apps and Logic Apps.

    That Resource Graph gave no resource is only taken for an answer where API Management does not refuse to list its
    services: it leaves out in silence what may not be read.
    """

    def __init__(self, rows: GraphRows, *, arm: Arm) -> None:
        self._rows = rows
        self._arm = arm

    def expect(self, subscriptions: Sequence[str]) -> None:
        """The subscriptions of a run, by their ids in lower case: only those that have any will be asked."""
        self._rows.expect(subscriptions)

    def read(self, subscription_id: str) -> Iterator[Tagged]:
        """The resources with their tags. Raises the errors of `apiward_core.errors`."""
        are_none = True
        for page in self._rows.pages(subscription_id):
            for raw in page:
                are_none = False
                yield text(raw, "id").lower(), _tags(member(raw, "tags"))
        if are_none:
            self._prove_readable(subscription_id)

    def _prove_readable(self, subscription_id: str) -> None:
        next(arm_pages(self._arm, _SERVICES.format(subscription_id), api_version=_API_VERSION), None)


def _tags(found: Any) -> Mapping[str, str]:
    return {name: text(value) for name, value in found.items()} if isinstance(found, dict) else {}

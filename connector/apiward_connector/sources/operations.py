"""Names of API operations, from Microsoft.ApiManagement operations 2024-05-01."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from apiward_connector.rest import member, text
from apiward_connector.sources.paging import raw_pages
from apiward_core.arm_id import ArmId
from apiward_core.errors import MissingError

if TYPE_CHECKING:
    from azure.mgmt.apimanagement import ApiManagementClient

Call = tuple[str, str]
"""The HTTP method in capitals, and the URL template below the address of the API."""


class OperationsSource:
    """Lists the operations of APIs."""

    def __init__(self, client_for: "Callable[[str], ApiManagementClient]") -> None:
        self._client_for = client_for

    def names(self, service_id: str, api: str) -> Mapping[Call, str]:
        """The names, in lower case, of the operations of an API by what calls them; none when the API is gone.

        Raises the errors of `apiward_core.errors`.
        """
        service = ArmId.parse(f"{service_id}/apis/{api}").top_level()
        operations = self._client_for(service.subscription_id).api_operation
        listing: Any = partial(operations.list_by_api, service.resource_group, service.name, api)
        try:
            pages = list(raw_pages(listing, doing=f"listing the operations of {service_id}/apis/{api}"))
        except MissingError:
            return {}
        return {_call(raw): text(raw, "name").lower() for page in pages for raw in page}


def _call(raw: Any) -> Call:
    properties = member(raw, "properties")
    return text(properties, "method").upper(), text(properties, "urlTemplate")

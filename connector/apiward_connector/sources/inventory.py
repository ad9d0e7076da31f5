"""API collections of one subscription, from Microsoft.Security apiCollections 2023-11-15.

A collection is an API that was onboarded to Defender for APIs. Its endpoints are no resources at this api-version; what
is known of them here are their numbers.
"""

from collections.abc import Callable, Iterator
from typing import Any

from azure.mgmt.security import SecurityCenter

from apiward_connector.finding import Unreadable
from apiward_connector.place import locate
from apiward_connector.reference.inventory import Collection
from apiward_connector.rest import member, text
from apiward_connector.sources.paging import Page, raw_pages
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError

_COLLECTION = "microsoft.security/apicollections"
_COUNTS = (  # in the order of `Collection`
    "numberOfApiEndpoints",
    "numberOfExternalApiEndpoints",
    "numberOfUnauthenticatedApiEndpoints",
    "numberOfInactiveApiEndpoints",
    "numberOfApiEndpointsWithSensitiveDataExposed",
)


class InventorySource:
    """Lists the API collections of a subscription."""

    def __init__(self, client_for: Callable[[str], SecurityCenter]) -> None:
        self._client_for = client_for

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw collections, page by page. Raises the errors of `apiward_core.errors`."""
        operations = self._client_for(subscription_id).api_collections
        doing = f"listing the API collections of subscriptions/{subscription_id}"
        return raw_pages(operations.list_by_subscription, doing=doing)

    def read(self, subscription_id: str) -> Iterator[Collection | Unreadable]:
        """The collections, and why one that is listed is none. Raises the errors of `apiward_core.errors`."""
        return (collection_of(raw) for page in self.pages(subscription_id) for raw in page)


def collection_of(raw: Any) -> Collection | Unreadable:
    """The collection in a document of the list operation, or why it is none.

    A number that the document lacks is None: the service has none before onboarding is done.
    """
    try:
        api = api_of(raw)
    except RejectedDataError as error:
        return Unreadable(text(raw, "id") or "an API collection without id", str(error))
    properties = member(raw, "properties")
    return Collection(api.top_level().key, api.name, text(properties, "baseUrl"), *_counts(properties))


def api_of(raw: Any) -> ArmId:
    """The API that a collection stands for, in lower case. Raises RejectedDataError when its id does not say."""
    collection = ArmId.read(text(raw, "id"))
    place = locate(collection, {})
    if collection.type.lower() != _COLLECTION or not place.apim_service:
        raise RejectedDataError(
            "It is no API collection of an API Management service.", remedy="Read its API in the portal."
        )
    return ArmId.read(f"{place.service_id}/apis/{place.api}")


def _counts(properties: Any) -> Iterator[int | None]:
    for name in _COUNTS:
        value = member(properties, name)
        yield value if isinstance(value, int) and not isinstance(value, bool) else None

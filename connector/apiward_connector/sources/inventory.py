"""API collections of one subscription, from Microsoft.Security apiCollections 2023-11-15.

A collection is an API that was onboarded to Defender for APIs. Its endpoints are no resources at this api-version, so
their rows are left to a source that has them; what is known of them here are their numbers.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from azure.mgmt.security import SecurityCenter

from apiward_connector.finding import Unreadable, digest
from apiward_connector.place import locate
from apiward_connector.rest import member, text
from apiward_connector.rows import Row
from apiward_connector.sources.paging import Page, raw_pages
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError
from apiward_core.tables import SCHEMA_VERSION

_COLLECTION = "microsoft.security/apicollections"
_DAY = slice(10)
_COUNTS = {
    "EndpointCount": "numberOfApiEndpoints",
    "ExternalCount": "numberOfExternalApiEndpoints",
    "UnauthenticatedCount": "numberOfUnauthenticatedApiEndpoints",
    "UnusedCount": "numberOfInactiveApiEndpoints",
    "SensitiveCount": "numberOfApiEndpointsWithSensitiveDataExposed",
}
_OF_ENDPOINTS: Row = {
    "OperationName": "",
    "HttpMethod": "",
    "UrlTemplate": "",
    "IsExternal": None,
    "IsAuthenticated": None,
    "HasSensitiveData": None,
    "LastTraffic": None,
}


class InventorySource:
    """Lists the API collections of a subscription."""

    def __init__(self, client_for: Callable[[str], SecurityCenter]) -> None:
        self._client_for = client_for

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw collections, page by page. Raises the errors of `apiward_core.errors`."""
        operations = self._client_for(subscription_id).api_collections
        doing = f"listing the API collections of subscriptions/{subscription_id}"
        return raw_pages(operations.list_by_subscription, doing=doing)


def inventory_row(raw: Any, *, run_id: str, read_at: str) -> Row | Unreadable:
    """The row of DefenderApiInventory_CL for one collection, or why it makes none.

    `read_at` is the moment of the read as apiward writes times. A number that the document lacks is null: the service
    has none before onboarding is done. Read again on the same day with the same content, it has the same RecordId.
    """
    try:
        api = api_of(raw)
    except RejectedDataError as error:
        return Unreadable(text(raw, "id") or "an API collection without id", str(error))
    properties = member(raw, "properties")
    content: Row = {
        "Kind": "collection",
        "ResourceId": api.text,
        "ServiceId": api.top_level().key,
        "SubscriptionId": api.subscription_id,
        "ApiName": api.name,
        "BaseUrl": text(properties, "baseUrl"),
        **{column: _count(properties, name) for column, name in _COUNTS.items()},
        **_OF_ENDPOINTS,
    }
    return {
        "TimeGenerated": read_at,
        "RecordId": digest(orjson.dumps([api.text, read_at[_DAY], content])),
        "RunId": run_id,
        "SchemaVersion": SCHEMA_VERSION,
        **content,
    }


def api_of(raw: Any) -> ArmId:
    """The API that a collection stands for, in lower case. Raises RejectedDataError when its id does not say."""
    collection = ArmId.read(text(raw, "id"))
    place = locate(collection, {})
    if collection.type.lower() != _COLLECTION or not place.apim_service:
        raise RejectedDataError(
            "It is no API collection of an API Management service.", remedy="Read its API in the portal."
        )
    return ArmId.read(f"{place.service_id}/apis/{place.api}")


def _count(properties: Any, name: str) -> int | None:
    value = member(properties, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""API endpoints of one subscription, from Azure Resource Graph.

No REST operation lists them. The types are in Resource Graph's reference of supported types; the members are those that
a query and a schema of Microsoft's own workflow automation for Defender for APIs name, which says little of what they
mean: docs/unverified.md tells what is assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from apiward_connector.existence import Once
from apiward_connector.finding import Unreadable
from apiward_connector.place import locate
from apiward_connector.reference.inventory import Endpoint
from apiward_connector.rest import member, moment, text
from apiward_connector.sources.graph_rows import GraphRows
from apiward_connector.sources.operations import Call
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError

ROWS = """securityresources
| union extensibilityresources
| where type in~ ('microsoft.security/apicollections/apiendpoints',
    'microsoft.apisecurity/apicollections/apicollectiondetails')"""
COLUMNS = "id, properties"

_FLAGS = {"true": True, "false": False}
_NOTHING = {"", "{}", "[]"}
_REVISION = ";rev="
_SERVICE = "/providers/microsoft.apimanagement/service/"


class Operations(Protocol):
    """Where the names of operations come from."""

    def names(self, service_id: str, api: str) -> Mapping[Call, str]:
        """The names of the operations of an API by what calls them. Raises the errors of `apiward_core.errors`."""
        ...


class EndpointsSource:
    """Reads the endpoints that Defender knows.

    The operation of one that is listed without its name is found by its method and URL template.
    """

    def __init__(self, rows: GraphRows, *, operations: Operations) -> None:
        self._rows = rows
        self._operations = operations

    def expect(self, subscriptions: Sequence[str]) -> None:
        """The subscriptions of a run, by their ids in lower case: only those that have any will be asked."""
        self._rows.expect(subscriptions)

    def read(self, subscription_id: str) -> Iterator[Endpoint | Unreadable]:
        """The endpoints, and why one that is listed is none. Raises the errors of `apiward_core.errors`."""
        names = Once[tuple[str, str], Mapping[Call, str]](lambda api: self._operations.names(*api))
        for page in self._rows.pages(subscription_id):
            for raw in page:
                found = endpoint_of(raw)
                if isinstance(found, Endpoint) and "/" in found.name and _SERVICE in found.service_id:
                    called = names((found.service_id, found.api))
                    found = found._replace(name=called.get((found.http_method, found.url_template), found.name))
                yield found


def endpoint_of(raw: Any) -> Endpoint | Unreadable:
    """The endpoint in a row of Resource Graph."""
    try:
        resource = ArmId.read(text(raw, "id").lower())
    except RejectedDataError as error:
        return Unreadable(text(raw, "id") or "an API endpoint without id", str(error))
    properties, place = member(raw, "properties"), locate(resource, {})
    return Endpoint(
        service_id=place.service_id if place.apim_service else resource.top_level().key,
        api=place.api or text(properties, "CollectionName").lower().partition(_REVISION)[0],
        name=resource.name if place.apim_service and not _is_guid(resource.name) else resource.text,
        http_method=text(properties, "HttpMethod").upper(),
        url_template=text(properties, "EndPoint"),
        is_external=_flag(text(properties, "IsExternal")),
        is_authenticated=_flag(text(properties, "IsEndpointAuthorized")),
        has_sensitive_data=_holds_something(member(properties, "PII")),
        last_traffic=moment(properties, "TriggerDate"),
    )


def _flag(value: str) -> bool | None:
    """Booleans come as such, and as texts."""
    return _FLAGS.get(value.lower())


def _holds_something(found: Any) -> bool | None:
    """The kinds of sensitive data that were found come as an object, and as its text."""
    if isinstance(found, str):
        return found.strip() not in _NOTHING
    return None if found is None else bool(found)


def _is_guid(name: str) -> bool:
    """An operation has a name that people chose; a GUID is an identity of the inventory's own."""
    try:
        UUID(name)
    except ValueError:
        return False
    return True

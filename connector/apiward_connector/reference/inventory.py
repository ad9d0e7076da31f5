"""The API inventory of Defender: collections, endpoints, and what they say of the place of a finding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from apiward_connector.finding import digest
from apiward_connector.place import Place
from apiward_connector.rows import Row
from apiward_core.tables import SCHEMA_VERSION

_DAY = slice(10)


class Collection(NamedTuple):
    """An API that was onboarded to Defender for APIs, and how many endpoints of it are what.

    Names and ids are in lower case. A number is None where the service has none, such as before onboarding is done.
    """

    service_id: str
    api: str
    base_url: str
    endpoints: int | None
    external: int | None
    unauthenticated: int | None
    unused: int | None
    sensitive: int | None

    @property
    def resource_id(self) -> str:
        """The id of the API."""
        return f"{self.service_id}/apis/{self.api}"

    def exposure(self, last_traffic: str) -> "Exposure":
        """What the numbers say of the API as a whole; zeros say nothing where there is no traffic to judge by."""
        has_traffic = self.endpoints is None or self.unused is None or self.unused < self.endpoints
        is_unauthenticated = _any(self.unauthenticated, has_traffic)
        return Exposure(
            is_external=_any(self.external, has_traffic),
            is_authenticated=None if is_unauthenticated is None else not is_unauthenticated,
            has_sensitive_data=_any(self.sensitive, has_traffic),
            last_traffic=last_traffic,
        )


class Endpoint(NamedTuple):
    """An endpoint of an API. None and "" where the inventory is silent.

    Names and ids are in lower case. `name` is that of the operation, and the id of the inventory's own resource where
    that is not known: an operation's name cannot hold a slash.
    """

    service_id: str
    api: str
    name: str
    http_method: str
    url_template: str
    is_external: bool | None
    is_authenticated: bool | None
    has_sensitive_data: bool | None
    last_traffic: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the inventory says of a place. None and "" where it is silent; `last_traffic` is an ISO 8601 time."""

    is_external: bool | None = None
    is_authenticated: bool | None = None
    has_sensitive_data: bool | None = None
    last_traffic: str = ""
    http_method: str = ""
    url_template: str = ""


UNKNOWN = Exposure()

_Api = tuple[str, str]


class Inventory:
    """The inventory of one subscription, held so that 100,000 endpoints take some 30 MB."""

    def __init__(self, collections: Iterable[Collection] = (), endpoints: Iterable[Endpoint] = ()) -> None:
        """Of an endpoint that comes twice, the first counts."""
        self._collections = {(item.service_id, item.api): item for item in collections}
        self._endpoints: dict[_Api, dict[str, Exposure]] = {}
        shared: dict[str, str] = {}
        for item in endpoints:
            self._endpoints.setdefault((item.service_id, item.api), {}).setdefault(item.name, _exposure(item, shared))
        self._apis = {api: item.exposure(self._last_traffic(api)) for api, item in self._collections.items()}

    def exposure(self, place: Place) -> Exposure:
        """What is known of the operation at `place`, of the API where the place is one, and of nothing else."""
        api = (place.site.service_id, place.site.api)
        if place.operation:
            return self._endpoints.get(api, _NO_ENDPOINTS).get(place.operation, UNKNOWN)
        return self._apis.get(api, UNKNOWN)

    def rows(self, *, run_id: str, observed: str) -> Iterator[Row]:
        """The rows of DefenderApiInventory_CL. `observed`, an ISO 8601 time, is when they are said to be so.

        Said again on the same day with the same content, an item has the same RecordId.
        """
        common: Row = {
            "TimeGenerated": observed,
            "ObservedAt": observed,
            "RunId": run_id,
            "SchemaVersion": SCHEMA_VERSION,
        }
        for content in self._contents():
            identity = [content["ResourceId"], observed[_DAY], content]
            yield {**common, "RecordId": digest(orjson.dumps(identity)), **content}

    def _contents(self) -> Iterator[Row]:
        for item in self._collections.values():
            yield _collection_content(item)
        for api, endpoints in self._endpoints.items():
            collection = self._collections.get(api)
            base_url = collection.base_url if collection else ""
            for name, exposure in endpoints.items():
                yield _endpoint_content(*api, name, exposure, base_url)

    def _last_traffic(self, api: _Api) -> str:
        return max((known.last_traffic for known in self._endpoints.get(api, _NO_ENDPOINTS).values()), default="")


_NO_ENDPOINTS: dict[str, Exposure] = {}


def _collection_content(collection: Collection) -> Row:
    return {
        "Kind": "collection",
        "ResourceId": collection.resource_id,
        "ServiceId": collection.service_id,
        "SubscriptionId": _subscription(collection.service_id),
        "ApiName": collection.api,
        "OperationName": "",
        "HttpMethod": "",
        "UrlTemplate": "",
        "BaseUrl": collection.base_url,
        "EndpointCount": collection.endpoints,
        "ExternalCount": collection.external,
        "UnauthenticatedCount": collection.unauthenticated,
        "UnusedCount": collection.unused,
        "SensitiveCount": collection.sensitive,
        "IsExternal": None,
        "IsAuthenticated": None,
        "HasSensitiveData": None,
        "LastTraffic": None,
    }


def _endpoint_content(service_id: str, api: str, name: str, exposure: Exposure, base_url: str) -> Row:
    is_named = "/" not in name
    return {
        "Kind": "endpoint",
        "ResourceId": f"{service_id}/apis/{api}/operations/{name}" if is_named else name,
        "ServiceId": service_id,
        "SubscriptionId": _subscription(service_id),
        "ApiName": api,
        "OperationName": name if is_named else "",
        "HttpMethod": exposure.http_method,
        "UrlTemplate": exposure.url_template,
        "BaseUrl": base_url,
        "EndpointCount": None,
        "ExternalCount": None,
        "UnauthenticatedCount": None,
        "UnusedCount": None,
        "SensitiveCount": None,
        "IsExternal": exposure.is_external,
        "IsAuthenticated": exposure.is_authenticated,
        "HasSensitiveData": exposure.has_sensitive_data,
        "LastTraffic": exposure.last_traffic or None,
    }


def _exposure(item: Endpoint, shared: dict[str, str]) -> Exposure:
    """What many endpoints say alike is kept once: the methods, and templates such as "/{id}"."""
    return Exposure(
        is_external=item.is_external,
        is_authenticated=item.is_authenticated,
        has_sensitive_data=item.has_sensitive_data,
        last_traffic=item.last_traffic,
        http_method=shared.setdefault(item.http_method, item.http_method),
        url_template=shared.setdefault(item.url_template, item.url_template),
    )


def _any(count: int | None, has_traffic: bool) -> bool | None:
    return None if count is None or (count == 0 and not has_traffic) else count > 0


def _subscription(service_id: str) -> str:
    return service_id.split("/", 3)[2]

"""The endpoints of watched APIs as Defender for APIs last saw them.

The names of the properties are those that Microsoft's template "APIs-should-use-Encrypted-protocols" (repository
Azure/Microsoft-Defender-for-Cloud) queries; it reads the flags as booleans and PII as an object, empty for none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiward_lab.clock import VirtualClock
from apiward_lab.defender.exposure import asks_who_calls, is_used, watched_apis
from apiward_lab.estate import Api, ApimService, Estate
from apiward_lab.web import Json, timestamp

TYPE = "microsoft.security/apicollections/apiendpoints"
_EVERY = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the calls of the last 30 days showed."""

    is_authenticated: bool
    is_external: bool
    has_sensitive_data: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of a watched API.

    Whether it is authenticated, external and so on shows in its `traffic` alone: nothing is known of an endpoint that
    was not called in the last 30 days. `last_call` may be longer ago.
    """

    service_id: str
    api: str
    name: str
    label: str
    method: str
    url_template: str
    discovered: datetime
    last_call: datetime | None
    traffic: Traffic | None

    def document(self) -> Json:
        """The resource as Resource Graph has it."""
        collection = f"{self.service_id}/providers/microsoft.security/apicollections/{self.api}".lower()
        return {
            "id": f"{collection}/apiendpoints/{self.name.lower()}",
            "name": self.name,
            "type": TYPE,
            "properties": {
                "DisplayName": self.label,
                "CollectionName": self.api,
                "CasApiCollectionId": collection,
                "EndPoint": self.url_template,
                "HttpMethod": self.method,
                "DiscoveryDate": timestamp(self.discovered),
                "IsEndpointActive": self.traffic is not None,
                **({"TriggerDate": timestamp(self.last_call)} if self.last_call else {}),
                **(_insights(self.traffic) if self.traffic else {}),
            },
        }


class Endpoints:
    """Looks at the operations of watched APIs every half hour of virtual time; in between nothing changes."""

    def __init__(self, estate: Estate, clock: VirtualClock) -> None:
        self._estate = estate
        self._due = clock.now() + _EVERY
        self.seen: Sequence[Endpoint] = list(_endpoints(estate, clock.now()))
        clock.on_advance(self._look_if_due, lambda: self._due)

    def _look_if_due(self, now: datetime) -> None:
        if now < self._due:
            return
        while self._due <= now:
            self._due += _EVERY
        self.seen = list(_endpoints(self._estate, now))


def _endpoints(estate: Estate, now: datetime) -> Iterator[Endpoint]:
    for service, api in watched_apis(estate, now):
        discovered = service.onboarded[api.name.lower()]
        for operation in api.operations.values():
            yield Endpoint(
                service.resource_id,
                api.name,
                operation.name,
                label=operation.properties["displayName"],
                method=operation.properties["method"],
                url_template=operation.properties["urlTemplate"],
                discovered=discovered,
                last_call=operation.last_call(now),
                traffic=_traffic(service, api) if is_used(operation, now) else None,
            )


def _traffic(service: ApimService, api: Api) -> Traffic:
    return Traffic(
        is_authenticated=asks_who_calls(api),
        is_external=service.virtual_network_type != "Internal",
        has_sensitive_data=api.exposes_sensitive_data,
    )


def _insights(traffic: Traffic) -> Json:
    return {
        "IsEndpointAuthorized": traffic.is_authenticated,
        "IsExternal": traffic.is_external,
        "PII": {"Credit Card Number": "Response"} if traffic.has_sensitive_data else {},
    }

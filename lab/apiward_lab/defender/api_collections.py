"""The APIs that Defender for APIs watches: Microsoft.Security/apiCollections at api-version 2023-11-15."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apiward_lab.clock import VirtualClock
from apiward_lab.defender.exposure import asks_who_calls, has_plan, is_used
from apiward_lab.estate import Api, ApimService, Estate
from apiward_lab.paging import page
from apiward_lab.web import Call, Json, Problem, Reply, Route

_VERSIONS = ("2023-11-15",)
_COLLECTIONS = "/providers/Microsoft.Security/apiCollections"


@dataclass(frozen=True)
class _Collection:
    service: ApimService
    api: Api

    @property
    def resource_id(self) -> str:
        return f"{self.service.resource_id}{_COLLECTIONS}/{self.api.name}"


class ApiCollections:
    """List, get, onboard and offboard. Onboarding takes `onboarding_time` of virtual time.

    A collection exists while its API does and the subscription has Defender for APIs. REST APIs can be onboarded,
    under the name without a revision.
    """

    def __init__(self, estate: Estate, clock: VirtualClock, *, onboarding_time: timedelta, page_size: int) -> None:
        self._estate = estate
        self._clock = clock
        self._onboarding_time = onboarding_time
        self._page_size = page_size

    @property
    def routes(self) -> Sequence[Route]:
        """Lists of a subscription, a resource group and a service; one collection at its service."""
        subscription, group = "/subscriptions/{subscription}", "/resourceGroups/{group}"
        service = f"{subscription}{group}/providers/Microsoft.ApiManagement/service/{{service}}"
        one, action = service + _COLLECTIONS + "/{api}", "Microsoft.Security/apiCollections"
        lists = [
            Route("GET", scope + _COLLECTIONS, self._list, _VERSIONS, action=f"{action}/read")
            for scope in (subscription, subscription + group, service)
        ]
        return [
            *lists,
            Route("GET", one, self._get, _VERSIONS, action=f"{action}/read"),
            Route("PUT", one, self._onboard, _VERSIONS, action=f"{action}/write"),
            Route("DELETE", one, self._offboard, _VERSIONS, action=f"{action}/delete"),
        ]

    def documents(self, subscription_id: str) -> Sequence[Json]:
        """The collections of a subscription as the REST API shows them, ordered by id."""
        return [self._document(found) for found in self._under(f"/subscriptions/{subscription_id}")]

    def _list(self, call: Call) -> Reply:
        scope = call.scope[: -len(_COLLECTIONS)]
        return Reply(body=page(call, self._under(scope), self._document, size=self._page_size))

    def _get(self, call: Call) -> Reply:
        found = self._watched(call)
        if found is None:
            raise Problem(404, "ResourceNotFound", f"The API '{call.params['api']}' is not onboarded.")
        if "$asyncScope" in call.query and self._is_onboarding(found):
            return Reply(202, self._document(found), _polling(call, found))
        return Reply(body=self._document(found))

    def _onboard(self, call: Call) -> Reply:
        found = self._watched(call)
        if found is None:
            found = self._onboardable(call)
            found.service.onboarded[found.api.name.lower()] = self._clock.now() + self._onboarding_time
        if self._is_onboarding(found):
            return Reply(201, self._document(found), _polling(call, found))
        return Reply(body=self._document(found))

    def _offboard(self, call: Call) -> Reply:
        found = self._watched(call)
        if found is None:
            return Reply(204)
        del found.service.onboarded[found.api.name.lower()]
        return Reply(200)

    def _under(self, scope: str) -> Sequence[_Collection]:
        prefix = f"{scope}/".lower()
        found = [
            _Collection(service, service.apis[name])
            for service in self._estate.services
            if f"{service.resource_id}/".lower().startswith(prefix) and self._has_plan(service)
            for name in service.onboarded
            if name in service.apis
        ]
        return sorted(found, key=lambda entry: entry.resource_id.lower())

    def _watched(self, call: Call) -> _Collection | None:
        service, name = self._service(call), call.params["api"].lower()
        if name not in service.onboarded or name not in service.apis or not self._has_plan(service):
            return None
        return _Collection(service, service.apis[name])

    def _onboardable(self, call: Call) -> _Collection:
        service, name = self._service(call), call.params["api"]
        api = service.apis.get(name.lower())
        if api is None:
            raise Problem(404, "ResourceNotFound", f"The API '{name}' was not found in service '{service.name}'.")
        if not self._has_plan(service):
            raise Problem(400, "BadRequest", "Defender for APIs is not enabled on the subscription.")
        if not api.is_current or api.api_type != "http":
            raise Problem(400, "BadRequest", f"The API '{name}' is not the current revision of a REST API.")
        return _Collection(service, api)

    def _service(self, call: Call) -> ApimService:
        names = call.params["subscription"], call.params["group"], call.params["service"]
        service = self._estate.service(*names)
        if service is None:
            raise Problem(404, "ResourceNotFound", f"The API Management service '{names[2]}' was not found.")
        return service

    def _has_plan(self, service: ApimService) -> bool:
        return has_plan(self._estate, service.group.subscription_id)

    def _is_onboarding(self, found: _Collection) -> bool:
        return self._clock.now() < found.service.onboarded[found.api.name.lower()]

    def _document(self, found: _Collection) -> Json:
        insights = {} if self._is_onboarding(found) else self._insights(found)
        state = "Succeeded" if insights else "InProgress"
        return {
            "id": found.resource_id,
            "name": found.api.name,
            "type": "Microsoft.Security/apiCollections",
            "properties": {"provisioningState": state, **insights},
        }

    def _insights(self, found: _Collection) -> Json:
        service, api, now = found.service, found.api, self._clock.now()
        used = sum(is_used(operation, now) for operation in api.operations.values())
        label = {"sensitivityLabel": "Highly Confidential"} if api.exposes_sensitive_data else {}
        return {
            "displayName": api.properties["displayName"],
            "discoveredVia": service.resource_id,
            "baseUrl": f"https://{service.name.lower()}.azure-api.net/{api.properties['path']}",
            "numberOfApiEndpoints": len(api.operations),
            "numberOfInactiveApiEndpoints": len(api.operations) - used,
            "numberOfUnauthenticatedApiEndpoints": 0 if asks_who_calls(api) else used,
            "numberOfExternalApiEndpoints": 0 if service.virtual_network_type == "Internal" else used,
            "numberOfApiEndpointsWithSensitiveDataExposed": used if api.exposes_sensitive_data else 0,
            **label,
        }


def _polling(call: Call, found: _Collection) -> dict[str, str]:
    """Where the outcome can be asked for: the collection itself, with a token."""
    token = base64.urlsafe_b64encode(found.api.name.encode()).decode()
    version = call.query.get("api-version", "")
    location = f"{call.base_url}{found.resource_id}?api-version={version}&$asyncScope={token}"
    return {"Location": location, "Retry-After": "1"}

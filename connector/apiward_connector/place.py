"""Where an assessed resource belongs: the service that hosts the API, the API, the operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apiward_connector.rest import text
from apiward_core.arm_id import ArmId

_SERVICE = "microsoft.apimanagement/service"
_HOSTS = {_SERVICE, "microsoft.web/sites"}  # a Standard Logic App is a site, too
_REVISION = ";rev="


@dataclass(frozen=True, slots=True)
class Place:
    """All in lower case, as ids compare; parts are "" where the resource has none."""

    service_id: str
    apim_service: str
    api: str
    operation: str


def locate(resource: ArmId, additional_data: Mapping[str, Any]) -> Place:
    """The place of `resource`.

    Where its id names no service or API, `APIManagementResourceName` and `apiCollectionName` of the additional data do:
    the recommendation to onboard an API carries them.
    """
    host = resource.top_level()
    in_service = host.type.lower() == _SERVICE
    names = {kind.lower(): name for _, pairs in resource.providers for kind, name in pairs} if in_service else {}
    api = names.get("apis") or names.get("apicollections") or text(additional_data, "apiCollectionName")
    service = host.name if in_service else text(additional_data, "APIManagementResourceName")
    return Place(
        service_id=(host if host.type.lower() in _HOSTS else resource).key,
        apim_service=service.rpartition("/")[2].lower(),
        api=api.lower().partition(_REVISION)[0],
        operation=names.get("operations", "").lower(),
    )

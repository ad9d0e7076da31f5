"""Where an assessed resource belongs: the service that hosts the API, the API, the operation."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from apiward_connector.memo import Memo
from apiward_connector.rest import text
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError

ASSESSMENTS = "/providers/microsoft.security/assessments"
_SERVICE = "microsoft.apimanagement/service"
_HOSTS = {_SERVICE, "microsoft.web/sites"}  # a Standard Logic App is a site, too
_REVISION = ";rev="
_READ_WHOLE = {"providers", "apicollections"}  # parts whose meaning depends on more than their parent
_NO_NAMES = {"", ".", ".."}
_LONG = 1024
_REMEMBERED = 4096


class Site(Struct, frozen=True, gc=False, cache_hash=True):
    """What the places of many resources share: those of one type in one API, such as its operations."""

    resource_type: str
    resource_group: str
    subscription_id: str
    service_id: str
    apim_service: str
    api: str


class Place(Struct, frozen=True, gc=False):
    """All in lower case, as ids compare; parts are "" where the resource has none."""

    resource_id: str
    resource_name: str
    operation: str
    site: Site

    @property
    def subscription_id(self) -> str:
        """The subscription that it is in."""
        return self.site.subscription_id

    @property
    def service_id(self) -> str:
        """The top-level resource that hosts the API, or the resource itself."""
        return self.site.service_id

    @property
    def apim_service(self) -> str:
        """The name of the API Management service."""
        return self.site.apim_service

    @property
    def api(self) -> str:
        """The name of the API, without a revision."""
        return self.site.api

    def named_by(self, additional_data: Mapping[str, Any]) -> "Place":
        """This place; where its id names no service or API, as the additional data of an assessment names them.

        The recommendation to onboard an API carries `APIManagementResourceName` and `apiCollectionName`.
        """
        if self.site.api and self.site.apim_service:
            return self
        service = self.apim_service or text(additional_data, "APIManagementResourceName").rpartition("/")[2]
        return self.within(service, self.api or text(additional_data, "apiCollectionName"))

    def within(self, service: str, api: str) -> "Place":
        """This place with names of its service and its API, which may name a revision."""
        return replace(self, site=replace(self.site, apim_service=service.lower(), api=_without_revision(api.lower())))


def place_of(resource_id: str) -> Place:
    """The place that an id names, in any case. Of the id of an assessment, that of what it assesses.

    Raises RejectedDataError for what `ArmId.read` does not accept.
    """
    before, _, last = resource_id.rpartition("/")
    name = last.lower()
    if len(resource_id) <= _LONG and _is_plain(name) and (siblings := _SIBLINGS[before]):
        return siblings.place(name)
    return _located(ArmId.read(resource_id.lower().partition(ASSESSMENTS)[0]))


def assessed(resource_id: str) -> str:
    """The id in lower case, without the part that names an assessment of the resource."""
    return resource_id.strip().lower().partition(ASSESSMENTS)[0]


def locate(resource: ArmId, additional_data: Mapping[str, Any]) -> Place:
    """The place of `resource`, with the names in the additional data of an assessment of it."""
    return _located(resource).named_by(additional_data)


def _located(resource: ArmId) -> Place:
    host = resource.top_level()
    in_service = host.type.lower() == _SERVICE
    names = {kind.lower(): name for _, pairs in resource.providers for kind, name in pairs} if in_service else {}
    api = names.get("apis") or names.get("apicollections") or ""
    return Place(
        resource_id=resource.key,
        resource_name=resource.name.lower(),
        operation=names.get("operations", "").lower(),
        site=Site(
            resource_type=resource.type.lower(),
            resource_group=resource.resource_group.lower(),
            subscription_id=resource.subscription_id,
            service_id=(host if host.type.lower() in _HOSTS else resource).key,
            apim_service=host.name.lower() if in_service else "",
            api=_without_revision(api.lower()),
        ),
    )


class _Siblings(NamedTuple):
    """What the ids that differ only in their last name share, where that name is of a part of a service or site."""

    id: str
    operation: str
    site: Site
    are_apis: bool
    are_operations: bool

    def place(self, name: str) -> Place:
        """The place of the one of that name."""
        operation = name if self.are_operations else self.operation
        site = replace(self.site, api=_without_revision(name)) if self.are_apis else self.site
        return Place(f"{self.id}/{name}", name, operation, site)


def _siblings(before_name: str) -> _Siblings | None:
    parent_id, _, kind = before_name.lower().rpartition("/")
    if kind in _READ_WHOLE or not _is_plain(kind) or parent_id.endswith("/") or ASSESSMENTS in parent_id:
        return None
    try:
        parent = place_of(parent_id)
    except RejectedDataError:
        return None
    is_host = parent.site.resource_type in _HOSTS and parent.resource_id.count("/providers/") == 1
    if not is_host and parent.service_id == parent.resource_id:
        return None
    return _Siblings(
        id=f"{parent.resource_id}/{kind}",
        operation=parent.operation,
        site=replace(parent.site, resource_type=f"{parent.site.resource_type}/{kind}"),
        are_apis=kind == "apis" and parent.apim_service != "",
        are_operations=kind == "operations" and parent.apim_service != "",
    )


def _is_plain(segment: str) -> bool:
    return segment.isprintable() and segment.strip() not in _NO_NAMES


def _without_revision(api: str) -> str:
    return api.partition(_REVISION)[0]


_SIBLINGS = Memo(_siblings, size=_REMEMBERED, weigh=len)

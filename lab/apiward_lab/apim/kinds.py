"""The kinds of entities, and what API Management accepts in each (ApiManagement 2024-05-01, definitions.json)."""

from collections.abc import Mapping
from typing import Any

from apiward_lab.apim.entities import Kind
from apiward_lab.apim.problems import validation_error
from apiward_lab.estate import ApimService

_STATES = ("suspended", "active", "expired", "submitted", "rejected", "cancelled")
_PROTOCOLS = ("http", "soap")


def _check_operation(_service: ApimService, properties: dict[str, Any]) -> dict[str, Any]:
    for name, limit in (("displayName", 300), ("method", 100), ("urlTemplate", 1000)):
        _check_text(properties, name, limit)
    return {"templateParameters": [], "responses": [], **properties}


def _check_subscription(service: ApimService, properties: dict[str, Any]) -> dict[str, Any]:
    if properties.get("state") not in _STATES:
        raise validation_error("state", f"'{properties.get('state')}' is not one of {', '.join(_STATES)}.")
    if "displayName" in properties:
        _check_text(properties, "displayName", 100)
    return {**properties, "scope": _whole_scope(service, properties.get("scope"))}


def _whole_scope(service: ApimService, scope: object) -> str:
    """The scope as an ARM id. "/apis" and the like may be sent without the service in front."""
    text, root = str(scope), service.resource_id
    inside = text[len(root) :] if text.lower().startswith(root.lower()) else text
    collection, _, name = inside.strip("/").partition("/")
    known: Mapping[str, Mapping[str, object]] = {"apis": service.apis, "products": service.products}
    if inside != "/" and (collection != "apis" or name) and name.lower() not in known.get(collection, {}):
        raise validation_error("scope", f"The scope '{text}' names no product and no API of the service.")
    return f"{root}/{inside.strip('/')}"


def _check_backend(_service: ApimService, properties: dict[str, Any]) -> dict[str, Any]:
    _check_text(properties, "url", 2000)
    if properties.get("protocol") not in _PROTOCOLS:
        raise validation_error("protocol", f"'{properties.get('protocol')}' is not one of {', '.join(_PROTOCOLS)}.")
    for name, value in (properties.get("tls") or {}).items():
        if not isinstance(value, bool):
            raise validation_error(f"tls.{name}", f"{name} must be true or false.")
    return properties


def _check_product(_service: ApimService, properties: dict[str, Any]) -> dict[str, Any]:
    _check_text(properties, "displayName", 300)
    if properties.setdefault("state", "notPublished") not in {"notPublished", "published"}:
        raise validation_error("state", f"'{properties['state']}' is neither notPublished nor published.")
    return properties


def _check_tenant_access(_service: ApimService, properties: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(properties.get("enabled"), bool):
        raise validation_error("enabled", "enabled must be true or false.")
    return properties


def _check_text(properties: Mapping[str, Any], name: str, limit: int) -> None:
    value = properties.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise validation_error(name, f"{name} must be a text of 1 to {limit} characters.")


OPERATION = Kind(
    "Operation",
    "apis/operations",
    _check_operation,
    filterable=("name", "displayName", "method", "description", "urlTemplate"),
)
SUBSCRIPTION = Kind(
    "Subscription",
    "subscriptions",
    _check_subscription,
    filterable=("name", "displayName", "stateComment", "ownerId", "scope", "userId", "productId", "state"),
    read_only=("createdDate",),
    secret=("primaryKey", "secondaryKey"),
)
PRODUCT = Kind(
    "Product", "products", _check_product, filterable=("name", "displayName", "description", "terms", "state")
)
BACKEND = Kind("Backend", "backends", _check_backend, filterable=("name", "title", "url"))
TENANT_ACCESS = Kind("Tenant access", "tenant", _check_tenant_access, read_only=("id", "principalId"))

API_FILTERABLE = ("name", "displayName", "description", "serviceUrl", "path", "isCurrent")

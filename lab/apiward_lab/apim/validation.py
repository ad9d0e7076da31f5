"""What API Management accepts in an API (ApiManagement 2024-05-01, definitions.json)."""

from collections.abc import Collection, Mapping
from typing import Any

from apiward_lab.apim.problems import validation_error
from apiward_lab.estate import Api, ApimService

_WEB, _SOCKET = frozenset({"http", "https"}), frozenset({"ws", "wss"})
PROTOCOLS_OF_TYPE: Mapping[str, Collection[str]] = {
    "http": _WEB,
    "soap": _WEB,
    "odata": _WEB,
    "grpc": _WEB,
    "graphql": _WEB | _SOCKET,
    "websocket": _SOCKET,
}
_LONGEST = {"displayName": 300, "path": 400, "serviceUrl": 2000, "apiRevisionDescription": 256, "apiVersion": 100}
_FOR_IMPORT = ("value", "format", "wsdlSelector")


def check_properties(properties: Mapping[str, Any]) -> None:
    """Raise Problem 400 unless these are the properties of a valid API."""
    for name in _FOR_IMPORT:
        if name in properties:
            raise validation_error(name, "Importing an API from a document is not available here; send its properties.")
    for name, limit in _LONGEST.items():
        value = properties.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > limit):
            raise validation_error(name, f"{name} must be a text of at most {limit} characters.")
    if not properties.get("displayName"):
        raise validation_error("displayName", "'Display Name' must not be empty.")
    if not isinstance(properties.get("path"), str):
        raise validation_error("path", "'Path' must be given.")
    _check_protocols(properties)


def _check_protocols(properties: Mapping[str, Any]) -> None:
    api_type = properties.get("type", "http")
    if api_type not in PROTOCOLS_OF_TYPE:
        raise validation_error("type", f"'{api_type}' is not an API type; use one of {', '.join(PROTOCOLS_OF_TYPE)}.")
    protocols = properties.get("protocols")
    if not isinstance(protocols, list) or not protocols:
        raise validation_error("protocols", "At least one protocol must be specified.")
    for protocol in protocols:
        if protocol not in _WEB | _SOCKET:
            raise validation_error("protocols", f"'{protocol}' is not a protocol; use http, https, ws or wss.")
        if protocol not in PROTOCOLS_OF_TYPE[api_type]:
            raise validation_error("protocols", f"Protocol '{protocol}' cannot be used by an API of type '{api_type}'.")


def check_path_is_free(service: ApimService, name: str, properties: Mapping[str, Any]) -> None:
    """Raise Problem 400 when another API of the service, not a revision of the same, has the path."""
    if properties.get("apiVersionSetId"):
        return
    path = properties["path"].strip("/").lower()
    for other in service.apis.values():
        if base_name(other.name) != base_name(name) and _path(other) == path and other.properties.get("isCurrent"):
            raise validation_error(
                "path", f"Cannot create API '{name}' with the same Path '{properties['path']}' as API '{other.name}'."
            )


def base_name(name: str) -> str:
    """The API's name without a revision, in lower case."""
    return name.partition(";")[0].lower()


def _path(api: Api) -> str:
    return str(api.properties["path"]).strip("/").lower()

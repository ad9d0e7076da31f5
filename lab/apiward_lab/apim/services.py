"""Handlers of API Management services."""

from collections.abc import Mapping
from typing import Any

from apiward_lab.apim.bodies import service_body
from apiward_lab.apim.problems import service_not_found, validation_error
from apiward_lab.estate import ApimService, Estate
from apiward_lab.web import Call, Reply

_NETWORK_TYPES = ("None", "External", "Internal")
_CHANGEABLE = (
    "publisherName",
    "publisherEmail",
    "notificationSenderEmail",
    "hostnameConfigurations",
    "apiVersionConstraint",
    "publicNetworkAccess",
    "customProperties",
    "disableGateway",
)


class ServiceHandlers:
    """List, get and update."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def list(self, call: Call) -> Reply:
        """The services of a subscription, or of a resource group when the path names one."""
        prefix = call.scope.lower().partition("/providers/")[0] + "/"
        found = [service for service in self._estate.services if service.resource_id.lower().startswith(prefix)]
        return Reply(body={"value": [service_body(service) for service in found]})

    def get(self, call: Call) -> Reply:
        """One service."""
        return Reply(body=service_body(self.find(call)))

    def patch(self, call: Call) -> Reply:
        """Change what the body names. Keys of customProperties that are left out fall back to their defaults."""
        service = self.find(call)
        body = call.json()
        properties: Mapping[str, Any] = body.get("properties") or {}
        network_type = properties.get("virtualNetworkType", service.virtual_network_type)
        if network_type not in _NETWORK_TYPES:
            raise validation_error("virtualNetworkType", f"'{network_type}' is not one of {', '.join(_NETWORK_TYPES)}.")
        service.virtual_network_type = network_type
        service.properties.update({name: properties[name] for name in _CHANGEABLE if name in properties})
        if "tags" in body:
            service.tags = dict(body["tags"] or {})
        sku = body.get("sku") or {}
        service.sku, service.capacity = sku.get("name", service.sku), sku.get("capacity", service.capacity)
        service.version += 1
        return Reply(body=service_body(service))

    def find(self, call: Call) -> ApimService:
        """The service that the path names. Raises Problem 404."""
        params = call.params
        service = self._estate.service(params["subscription"], params["group"], params["service"])
        if service is None:
            raise service_not_found(params["service"], params["group"])
        return service

"""Entities as the REST API shows them."""

from apiward_lab.apim.etags import etag
from apiward_lab.estate import Api, ApimService
from apiward_lab.web import Json


def service_body(service: ApimService) -> Json:
    """ApiManagementServiceResource."""
    return {
        "id": service.resource_id,
        "name": service.name,
        "type": "Microsoft.ApiManagement/service",
        "tags": dict(service.tags),
        "location": service.group.location,
        "etag": etag(service.resource_id, service.version),
        "sku": {"name": service.sku, "capacity": service.capacity},
        "properties": {**_addresses(service.name.lower()), **_settings(service), **service.properties},
    }


def _addresses(host: str) -> Json:
    return {
        "gatewayUrl": f"https://{host}.azure-api.net",
        "portalUrl": f"https://{host}.portal.azure-api.net",
        "developerPortalUrl": f"https://{host}.developer.azure-api.net",
        "managementApiUrl": f"https://{host}.management.azure-api.net",
        "scmUrl": f"https://{host}.scm.azure-api.net",
        "publisherEmail": f"{host}@contoso.example",
        "hostnameConfigurations": [],
    }


def _settings(service: ApimService) -> Json:
    return {
        "publisherName": service.publisher,
        "notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com",
        "provisioningState": "Succeeded",
        "targetProvisioningState": "",
        "createdAtUtc": service.created,
        "virtualNetworkType": service.virtual_network_type,
        "disableGateway": False,
        "apiVersionConstraint": {},
        "publicNetworkAccess": "Enabled",
        "platformVersion": service.platform_version,
    }


def api_body(service: ApimService, api: Api) -> Json:
    """ApiContract."""
    return {
        "id": service.api_id(api),
        "type": "Microsoft.ApiManagement/service/apis",
        "name": api.name,
        "properties": dict(api.properties),
    }

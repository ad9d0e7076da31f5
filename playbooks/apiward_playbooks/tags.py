"""The tags of the service that a resource belongs to, from ARM itself.

The workspace has tags, too, but as old as the last run of the connector, and whoever may send rows may write them.
"""

from collections.abc import Mapping

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import GuardrailError, azure_errors

_API_MANAGEMENT = "microsoft.apimanagement/service"


def service_tags(clients: AzureClients, resource: ArmId) -> Mapping[str, str]:
    """The tags of the top-level resource (ApiManagementService_Get, 2024-05-01).

    Raises GuardrailError for a type whose tags cannot be read here, and the errors of `apiward_core.errors`.
    """
    service = resource.top_level()
    if service.type.lower() != _API_MANAGEMENT:
        raise GuardrailError(
            f"The tags of {service.text} cannot be read, so protected tags cannot be checked.",
            remedy="Protect such resources by id rather than by tag.",
        )
    client = clients.api_management(service.subscription_id)
    with azure_errors(f"reading the tags of {service.text}"):
        found = client.api_management_service.get(service.resource_group, service.name)
    return found.tags or {}

"""API Management direct management endpoint should not be enabled: it goes around ARM's roles and throttling.

Source: Microsoft.ApiManagement 2024-05-01, TenantAccess_Get (which holds no keys) and TenantAccess_Update (If-Match is
required); the policy definition b741306c-968e-4b67-b916-5675e5c709f4 asks for `enabled` of tenant/access to be false.
"""

from datetime import datetime
from typing import Any

from azure.mgmt.apimanagement.models import AccessInformationUpdateParameters

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import RejectedDataError, azure_errors
from apiward_playbooks.apim import correlated, part_of_service, with_etag
from apiward_playbooks.remediation import Change, Evidence, Observed, Remediation

_ACCESS = "access"  # the other one, gitAccess, is the configuration repository


def plan(clients: AzureClients, resource: ArmId, now: datetime) -> list[Change]:
    """One change of `enabled`, or none when the endpoint is off."""
    del now
    seen = _read(clients, resource)
    if not seen.values["enabled"]:
        return []
    service, _ = _names(resource)
    summary = f"Service {service}: direct management endpoint enabled becomes disabled; its own API stops answering"
    return [Change(resource.text, summary, dict(seen.values), {"enabled": False})]


def observe(clients: AzureClients, change: Change) -> Observed:
    """Whether the endpoint is enabled now, with its ETag."""
    return _read(clients, ArmId.parse(change.resource_id))


def apply(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Disable the endpoint."""
    _write(clients, change.resource_id, change.after["enabled"], etag, correlation_id)


def revert(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Write what was there before."""
    _write(clients, change.resource_id, change.before["enabled"], etag, correlation_id)


def verify(clients: AzureClients, resource: ArmId) -> Evidence:
    """Whether the endpoint is off."""
    values = _read(clients, resource).values
    enabled = values["enabled"]
    return Evidence(not enabled, values, f"direct management endpoint is {'enabled' if enabled else 'disabled'}")


def _read(clients: AzureClients, resource: ArmId) -> Observed:
    service, access = _names(resource)
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"reading {resource.text}"):
        found: Any = client.tenant_access.get(resource.resource_group, service, access, cls=with_etag)
    contract, etag = found
    if contract.enabled is None:
        raise RejectedDataError(f"{resource.text} does not say whether it is enabled.", remedy="Look in the portal.")
    return Observed({"enabled": contract.enabled}, etag)


def _write(clients: AzureClients, resource_id: str, enabled: bool, etag: str, correlation_id: str) -> None:
    resource = ArmId.parse(resource_id)
    service, access = _names(resource)
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"writing {resource.text}"):
        client.tenant_access.update(
            resource.resource_group,
            service,
            access,
            if_match=etag,
            parameters=AccessInformationUpdateParameters(enabled=enabled),
            headers=correlated(correlation_id),
        )


def _names(resource: ArmId) -> tuple[str, str]:
    service, access = part_of_service(resource, "tenant", called="direct management endpoint")
    if access.lower() != _ACCESS:
        raise RejectedDataError(
            f"{resource.text} is no direct management endpoint of API Management.",
            remedy="Plan for the finding's resource.",
        )
    return service, _ACCESS


REMEDIATION = Remediation(
    slug="apim-direct-management",
    race="none: the write carries If-Match, so the service refuses it when the setting changed since it was read",
    plan=plan,
    observe=observe,
    apply=apply,
    revert=revert,
    verify=verify,
)

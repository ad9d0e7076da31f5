"""API Management APIs should use only encrypted protocols: http leaves http/https, ws leaves ws/wss.

Source: Microsoft.ApiManagement 2024-05-01, Api_Get and Api_Update (If-Match is required); the policy definition
ee7495e7-3ba7-40b6-bfee-c29e22cc75d4 asks for protocols without http and ws.
"""

from datetime import datetime
from typing import Any

from azure.mgmt.apimanagement.models import ApiContract, ApiUpdateContract

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import RejectedDataError, azure_errors
from apiward_playbooks.apim import correlated, part_of_service, with_etag
from apiward_playbooks.remediation import Change, Evidence, Observed, Remediation

_ENCRYPTED = {"http": "https", "https": "https", "ws": "wss", "wss": "wss"}


def plan(clients: AzureClients, resource: ArmId, now: datetime) -> list[Change]:
    """One change of `protocols`, or none when only https and wss are left."""
    del now
    api, _ = _read(clients, resource)
    before = _protocols(api)
    after = _only_encrypted(resource, before)
    if after == before:
        return []
    summary = f"API {api.display_name or resource.name}: protocols {', '.join(before)} become {', '.join(after)}"
    return [Change(resource.text, summary, {"protocols": before}, {"protocols": after})]


def observe(clients: AzureClients, change: Change) -> Observed:
    """The API's protocols now, with its ETag."""
    api, etag = _read(clients, ArmId.parse(change.resource_id))
    return Observed({"protocols": _protocols(api)}, etag)


def apply(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Write the encrypted protocols."""
    _write(clients, change.resource_id, change.after["protocols"], etag, correlation_id)


def revert(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Write the protocols that were there before."""
    _write(clients, change.resource_id, change.before["protocols"], etag, correlation_id)


def verify(clients: AzureClients, resource: ArmId) -> Evidence:
    """Whether the API as the service now has it offers only https and wss."""
    api, _ = _read(clients, resource)
    protocols = _protocols(api)
    healthy = protocols == _only_encrypted(resource, protocols)
    return Evidence(healthy, {"protocols": protocols}, f"protocols are {', '.join(protocols)}")


def _read(clients: AzureClients, resource: ArmId) -> tuple[ApiContract, str]:
    service, api_id = part_of_service(resource, "apis", called="API")
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"reading {resource.text}"):
        found: Any = client.api.get(resource.resource_group, service, api_id, cls=with_etag)
    api, etag = found
    return api, etag


def _write(clients: AzureClients, resource_id: str, protocols: list[str], etag: str, correlation_id: str) -> None:
    resource = ArmId.parse(resource_id)
    service, api_id = part_of_service(resource, "apis", called="API")
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"writing {resource.text}"):
        client.api.update(
            resource.resource_group,
            service,
            api_id,
            if_match=etag,
            parameters=ApiUpdateContract(protocols=protocols),
            headers=correlated(correlation_id),
        )


def _protocols(api: ApiContract) -> list[str]:
    return sorted({str(protocol) for protocol in api.protocols or ["https"]})


def _only_encrypted(resource: ArmId, protocols: list[str]) -> list[str]:
    if unknown := set(protocols) - set(_ENCRYPTED):
        raise RejectedDataError(
            f"{resource} offers protocols that apiward does not know: {', '.join(sorted(unknown))}.",
            remedy="Change this API by hand.",
        )
    return sorted({_ENCRYPTED[protocol] for protocol in protocols})


REMEDIATION = Remediation(
    slug="apim-encrypted-protocols",
    race="none: the write carries If-Match, so the service refuses it when the API changed since it was read",
    plan=plan,
    observe=observe,
    apply=apply,
    revert=revert,
    verify=verify,
)

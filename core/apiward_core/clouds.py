"""The clouds that apiward speaks to, as a table of endpoints and token scopes.

This is the only module that names Azure's hosts. Sources: azure-identity 1.27 AzureAuthorityHosts, azure-monitor-query
2.0.0 and azure-monitor-ingestion 1.1.0 (their documented scopes), ARM metadata endpoint (api-version 2022-09-01).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from apiward_core.errors import ConfigurationError


@dataclass(frozen=True)
class Cloud:
    """Where one cloud's services are and which token each of them wants.

    `domains` end the hosts of its token audiences, `ingestion_domain` those of its ingestion endpoints, `blob_domains`
    those of its Blob endpoints; those of a custom cloud are unknown.
    """

    name: str
    authority_host: str
    arm_endpoint: str
    arm_scope: str
    logs_endpoint: str
    logs_scope: str
    ingestion_scope: str
    portal: str
    domains: tuple[str, ...] = ()
    ingestion_domain: str = ""
    blob_domains: tuple[str, ...] = ()
    instance_discovery: bool = True  # only Microsoft's own clouds are known to Entra's discovery


PUBLIC = Cloud(
    name="public",
    authority_host="https://login.microsoftonline.com",
    arm_endpoint="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    logs_endpoint="https://api.loganalytics.io/v1",
    logs_scope="https://api.loganalytics.io/.default",
    ingestion_scope="https://monitor.azure.com/.default",
    portal="https://portal.azure.com",
    domains=("azure.com", "azure.net", "windows.net", "microsoft.com", "loganalytics.io"),
    ingestion_domain="ingest.monitor.azure.com",
    blob_domains=("blob.core.windows.net", "blob.storage.azure.net"),  # the second has the accounts of a DNS zone
)

US_GOVERNMENT = Cloud(
    name="usgov",
    authority_host="https://login.microsoftonline.us",
    arm_endpoint="https://management.usgovcloudapi.net",
    arm_scope="https://management.usgovcloudapi.net/.default",
    logs_endpoint="https://api.loganalytics.us/v1",
    logs_scope="https://api.loganalytics.us/.default",
    ingestion_scope="https://monitor.azure.us/.default",
    portal="https://portal.azure.us",
    domains=("usgovcloudapi.net", "azure.us", "microsoft.us", "loganalytics.us"),
    ingestion_domain="ingest.monitor.azure.us",
    blob_domains=("blob.core.usgovcloudapi.net",),
)

BY_NAME: Mapping[str, Cloud] = {cloud.name: cloud for cloud in (PUBLIC, US_GOVERNMENT)}


def named(name: str) -> Cloud:
    """The built-in cloud of that name. Raises ConfigurationError for an unknown one, and for China with the reason."""
    if name in BY_NAME:
        return BY_NAME[name]
    if name == "china":
        raise ConfigurationError(
            "cloud = 'china' is refused: Microsoft retired Sentinel in the Azure China cloud on 2026-08-18.",
            remedy="Use 'public', 'usgov' or 'custom'.",
        )
    raise ConfigurationError(
        f"cloud = {name!r} is unknown.", remedy=f"Use one of {', '.join(sorted(BY_NAME))}, or 'custom'."
    )


def from_metadata(arm_endpoint: str, metadata: Mapping[str, Any]) -> Cloud:
    """The custom cloud that an ARM endpoint describes at /metadata/endpoints (api-version 2022-09-01).

    The metadata has no audience for Logs Ingestion; the public one is assumed. Raises ConfigurationError when a field
    that is needed is missing, and when an audience belongs to a built-in cloud while the endpoint does not: whoever
    runs that endpoint would be sent tokens that open Azure. Loopback may name any audience.
    """
    try:
        authentication = metadata["authentication"]
        audience = str(authentication["audiences"][-1])
        logs = str(metadata["logAnalyticsResourceId"])
        cloud = Cloud(
            name=str(metadata.get("name", "custom")),
            authority_host=str(authentication["loginEndpoint"]).rstrip("/"),
            arm_endpoint=arm_endpoint.rstrip("/"),
            arm_scope=_default_scope(audience),
            logs_endpoint=logs.rstrip("/") + "/v1",
            logs_scope=_default_scope(logs),
            ingestion_scope=PUBLIC.ingestion_scope,
            portal=str(metadata["portal"]).rstrip("/"),
            instance_discovery=False,
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ConfigurationError(
            f"The metadata of {arm_endpoint} lacks {error}.", remedy="Check arm_endpoint; is it an ARM endpoint?"
        ) from error
    for wanted in (audience, logs):
        _require_own(wanted, arm_endpoint)
    return cloud


def require_ingestion_endpoint(cloud: Cloud, endpoint: str) -> None:
    """Check that a token for the cloud's Logs Ingestion goes to a host of it (or to loopback).

    Raises ConfigurationError otherwise: whoever runs another host could send rows with the token.
    """
    owner = next(known for known in BY_NAME.values() if known.ingestion_scope == cloud.ingestion_scope)
    host = _host(endpoint)
    if not (_is_in(host, (owner.ingestion_domain,)) or _is_loopback(host)):
        raise ConfigurationError(
            f"ingestion_endpoint {endpoint} is refused: {host} is no host of {owner.ingestion_domain}.",
            remedy="Take the address from the data collection rule or endpoint, or from apiward infra deploy.",
        )


def require_blob_endpoint(cloud: Cloud, endpoint: str) -> None:
    """Check that a token for Azure Storage goes to a Blob host of the cloud, or to loopback; a custom one uses Azure's.

    Raises ConfigurationError otherwise: one token opens every account, so whoever runs another host could use it.
    """
    host, domains = _host(endpoint), cloud.blob_domains or PUBLIC.blob_domains
    if not (_is_in(host, domains) or _is_loopback(host)):
        raise ConfigurationError(
            f"state_container {endpoint} is refused: {host} is no host of {' or '.join(domains)}.",
            remedy="Take the address from the container's properties in the portal.",
        )


def _default_scope(audience: str) -> str:
    return audience.rstrip("/") + "/.default"


def _require_own(audience: str, arm_endpoint: str) -> None:
    endpoint, wanted = _host(arm_endpoint), _host(audience)
    if not wanted:
        raise ConfigurationError(
            f"The metadata of {arm_endpoint} names the audience {audience!r}, which is no address.",
            remedy="Check arm_endpoint; is it an ARM endpoint?",
        )
    owner = next((cloud for cloud in BY_NAME.values() if _is_in(wanted, cloud.domains)), None)
    if owner is None or endpoint == _host(owner.arm_endpoint) or _is_loopback(endpoint):
        return
    raise ConfigurationError(
        f"arm_endpoint {arm_endpoint} is refused: its metadata names the audience {audience} of the cloud "
        f"{owner.name!r}, so tokens that open Azure would be sent to {endpoint}.",
        remedy=f"Set cloud = {owner.name!r} and no arm_endpoint, or correct arm_endpoint.",
    )


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_in(host: str, domains: tuple[str, ...]) -> bool:
    return any(f".{host}".endswith(f".{domain}") for domain in domains)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

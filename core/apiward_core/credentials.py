"""One azure-identity credential for each way to sign in."""

from collections.abc import Callable, Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.identity import (
    AzureCliCredential,
    AzureDeveloperCliCredential,
    AzurePowerShellCredential,
    CertificateCredential,
    ChainedTokenCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from apiward_core.clouds import Cloud
from apiward_core.errors import ConfigurationError
from apiward_core.settings import Settings


def make_credential(settings: Settings, cloud: Cloud) -> TokenCredential:
    """The credential that the settings describe. It asks for a token only when a client needs one.

    On a custom cloud, Entra's instance discovery is off: it knows only Microsoft's authorities. Raises
    ConfigurationError when the certificate file cannot be used.
    """
    return _MAKERS[settings.credential](settings, _common(settings, cloud))


def _common(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    common: dict[str, Any] = {
        "authority": cloud.authority_host,
        "disable_instance_discovery": not cloud.instance_discovery,
    }
    if settings.ca_bundle is not None:
        common["connection_verify"] = str(settings.ca_bundle)
    return common


def _managed_identity(settings: Settings, common: dict[str, Any]) -> TokenCredential:
    transport = {name: value for name, value in common.items() if name == "connection_verify"}
    return ManagedIdentityCredential(client_id=settings.client_id, **transport)


def _workload_identity(settings: Settings, common: dict[str, Any]) -> TokenCredential:
    return WorkloadIdentityCredential(
        tenant_id=settings.tenant_id,
        client_id=settings.client_id,
        token_file_path=str(settings.federated_token_file),
        **common,
    )


def _client_secret(settings: Settings, common: dict[str, Any]) -> TokenCredential:
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    return ClientSecretCredential(settings.tenant_id or "", settings.client_id or "", secret, **common)


def _client_certificate(settings: Settings, common: dict[str, Any]) -> TokenCredential:
    password = settings.client_certificate_password
    try:
        return CertificateCredential(
            settings.tenant_id or "",
            settings.client_id or "",
            certificate_path=str(settings.client_certificate),
            password=password.get_secret_value() if password else None,
            **common,
        )
    except (OSError, ValueError, TypeError) as error:  # TypeError: a password is needed, or there is none to use
        raise ConfigurationError(
            f"The certificate in {settings.client_certificate} cannot be used: {error}.",
            remedy="Give a PEM or PFX file with certificate and private key, and its client_certificate_password.",
        ) from error


def _developer(settings: Settings, common: dict[str, Any]) -> TokenCredential:
    del common  # these ask a tool that the developer signed in with; it knows its own cloud
    tenant = settings.tenant_id or ""
    return ChainedTokenCredential(
        AzureCliCredential(tenant_id=tenant),
        AzureDeveloperCliCredential(tenant_id=tenant),
        AzurePowerShellCredential(tenant_id=tenant),
    )


_MAKERS: Mapping[str, Callable[[Settings, dict[str, Any]], TokenCredential]] = {
    "managed_identity": _managed_identity,
    "workload_identity": _workload_identity,
    "client_secret": _client_secret,
    "client_certificate": _client_certificate,
    "developer": _developer,
}

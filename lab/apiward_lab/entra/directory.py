"""The tenant: its applications, their credentials, and the resources that tokens can be asked for."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

AUDIENCES: Mapping[str, tuple[str, ...]] = {
    "arm": (
        "https://management.core.windows.net/",
        "https://management.core.windows.net",
        "https://management.azure.com/",
        "https://management.azure.com",
    ),
    "monitor": ("https://monitor.azure.com", "https://monitor.azure.com/"),
    "logs": (
        "https://api.loganalytics.io",
        "https://api.loganalytics.io/",
        "https://api.loganalytics.azure.com",
        "https://api.loganalytics.azure.com/",
    ),
}


@dataclass(frozen=True)
class FederatedCredential:
    """A foreign identity whose tokens an application accepts in place of a secret; `key` verifies them."""

    issuer: str
    subject: str
    key: RSAPublicKey
    audience: str = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Application:
    """An app registration together with its service principal."""

    name: str
    display_name: str
    client_id: str
    object_id: str
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)


@dataclass(frozen=True)
class Resource:
    """What a token is for: `audience` becomes its aud claim, `version` is the token format that it wants."""

    audience: str
    version: int
    application: Application | None = None


class Directory:
    """One tenant. Certificates, federated credentials and app roles are registered at run time."""

    def __init__(self, tenant_id: str, applications: Sequence[Application]) -> None:
        self.tenant_id = tenant_id
        self._applications = {app.client_id: app for app in applications}
        self._certificates: dict[str, list[Certificate]] = {}
        self._federated: dict[str, list[FederatedCredential]] = {}
        self._app_roles: dict[tuple[str, str], tuple[str, ...]] = {}

    def application(self, client_id: str) -> Application | None:
        """The application with this client id, if the tenant has it."""
        return self._applications.get(client_id.lower())

    def resource(self, identifier: str) -> Resource | None:
        """What "https://management.azure.com" or "api://{client id}" names; None when the tenant does not know it."""
        if any(identifier in accepted for accepted in AUDIENCES.values()):
            return Resource(identifier, version=1)
        application = self.application(identifier.removeprefix("api://"))
        return Resource(application.client_id, 2, application) if application else None

    def register_certificate(self, client_id: str, certificate: Certificate) -> None:
        """Let the application sign in with this certificate."""
        self._certificates.setdefault(client_id, []).append(certificate)

    def certificates(self, client_id: str) -> Sequence[Certificate]:
        """The certificates that are registered for the application."""
        return self._certificates.get(client_id, [])

    def federate(self, client_id: str, credential: FederatedCredential) -> None:
        """Let the application sign in with tokens of a foreign issuer (workload identity)."""
        self._federated.setdefault(client_id, []).append(credential)

    def federated_credentials(self, client_id: str) -> Sequence[FederatedCredential]:
        """The foreign identities that the application trusts."""
        return self._federated.get(client_id, [])

    def assign_app_roles(self, client_id: str, resource_client_id: str, roles: Sequence[str]) -> None:
        """Give the application app roles of another application; they appear in the roles claim of its tokens."""
        self._app_roles[client_id, resource_client_id] = tuple(roles)

    def app_roles(self, client_id: str, resource_client_id: str) -> Sequence[str]:
        """The app roles that the application holds at the resource."""
        return self._app_roles.get((client_id, resource_client_id), ())

"""Managed identities: the endpoint inside App Service and Functions, and the one of virtual machines (IMDS)."""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from apiward_lab.entra.directory import Application, Directory, Resource
from apiward_lab.entra.tokens import LIFETIME_SECONDS, TokenAuthority
from apiward_lab.web import Call, Problem, Reply, Route

_APP_SERVICE_VERSIONS = ("2019-08-01",)
_IMDS_VERSIONS = ("2018-02-01", "2019-08-01", "2019-11-01", "2020-06-01", "2021-02-01")


class ManagedIdentities:
    """Tokens without credentials, for code that runs on a host which has an identity.

    Each application plays the system-assigned identity of one host; `environment` gives the variables that such a host
    sets. On the virtual-machine endpoint the identities are user-assigned, so that a client id has to be named.
    """

    def __init__(self, directory: Directory, tokens: TokenAuthority, *, base_url: Callable[[], str]) -> None:
        self._directory = directory
        self._tokens = tokens
        self._base_url = base_url
        self._header = secrets.token_hex(16)

    @property
    def routes(self) -> Sequence[Route]:
        """Anonymous, as on Azure: being on the host is the proof."""
        return [
            Route("GET", "/msi/{host}/token", self._app_service, _APP_SERVICE_VERSIONS, audience=None),
            Route("GET", "/metadata/identity/oauth2/token", self._imds, _IMDS_VERSIONS, audience=None),
        ]

    def environment(self, application: Application) -> Mapping[str, str]:
        """The variables of the host that has this identity."""
        endpoint = f"{self._base_url()}/msi/{application.client_id}/token"
        return {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": self._header}

    def _app_service(self, call: Call) -> Reply:
        if not hmac.compare_digest(call.headers.get("x-identity-header", "").encode(), self._header.encode()):
            raise _AppServiceProblem(401, "The X-IDENTITY-HEADER header is missing or is not this host's.")
        identity = self._directory.application(call.query.get("client_id") or call.params["host"])
        if identity is None:
            raise _AppServiceProblem(400, "No managed identity was found for the specified client_id")
        return self._token(identity, call)

    def _imds(self, call: Call) -> Reply:
        if call.headers.get("metadata", "").lower() != "true":
            raise _ImdsProblem("invalid_request", "Required metadata header not specified")
        if "client_id" not in call.query:
            raise _ImdsProblem(
                "invalid_request",
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in "
                "the token request",
            )
        identity = self._directory.application(call.query["client_id"])
        if identity is None:
            raise _ImdsProblem("invalid_request", "Identity not found")
        return self._token(identity, call)

    def _token(self, identity: Application, call: Call) -> Reply:
        expires_on = int(time.time()) + LIFETIME_SECONDS
        resource = self._resource(call.query.get("resource", ""))
        return Reply(
            body={
                "access_token": self._tokens.issue(identity, resource),
                "client_id": identity.client_id,
                "expires_in": str(LIFETIME_SECONDS),
                "expires_on": str(expires_on),
                "resource": call.query["resource"],
                "token_type": "Bearer",
            }
        )

    def _resource(self, identifier: str) -> Resource:
        resource = self._directory.resource(identifier)
        if resource is None:
            raise _ImdsProblem(
                "invalid_resource", f"AADSTS500011: The resource principal named {identifier} was not found."
            )
        return resource


class _ImdsProblem(Problem):
    """An error in the shape of the instance metadata service."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(400, error, description)

    def reply(self) -> Reply:
        return Reply(self.status, {"error": self.code, "error_description": self.message})


class _AppServiceProblem(Problem):
    """An error in the shape of the identity endpoint of App Service, which has no code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, "", message)

    def reply(self) -> Reply:
        return Reply(self.status, {"statusCode": self.status, "message": self.message})

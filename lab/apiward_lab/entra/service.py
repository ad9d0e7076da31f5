"""Routes of the sign-in service: OpenID discovery, keys, instance discovery and the token endpoint."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from apiward_lab.entra import errors
from apiward_lab.entra.assertions import AssertionCheck
from apiward_lab.entra.directory import Application, Directory, Resource
from apiward_lab.entra.tokens import LIFETIME_SECONDS, TokenAuthority
from apiward_lab.web import Call, Reply, Route

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Entra:
    """The sign-in service of one tenant."""

    def __init__(
        self, directory: Directory, tokens: TokenAuthority, assertions: AssertionCheck, *, base_url: Callable[[], str]
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._assertions = assertions
        self._base_url = base_url

    @property
    def routes(self) -> Sequence[Route]:
        """All of them anonymous: this is where tokens come from."""
        return [
            Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._discovery, audience=None),
            Route("GET", "/{tenant}/.well-known/openid-configuration", self._discovery, audience=None),
            Route("GET", "/{tenant}/discovery/v2.0/keys", self._keys, audience=None),
            Route("GET", "/{tenant}/discovery/keys", self._keys, audience=None),
            Route("GET", "/common/discovery/instance", self._instance, audience=None),
            Route("POST", "/{tenant}/oauth2/v2.0/token", self._token, audience=None),
            Route("POST", "/{tenant}/oauth2/token", self._token, audience=None),
        ]

    def _discovery(self, call: Call) -> Reply:
        tenant = self._known_tenant(call)
        root = f"{self._base_url()}/{tenant}"
        is_v2 = "/v2.0/" in call.path
        version = "/v2.0" if is_v2 else ""
        return Reply(
            body={
                "issuer": self._tokens.v2_issuer if is_v2 else self._tokens.v1_issuer,
                "authorization_endpoint": f"{root}/oauth2{version}/authorize",
                "token_endpoint": f"{root}/oauth2{version}/token",
                "jwks_uri": f"{root}/discovery{version}/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "tenant_region_scope": "EU",
                "cloud_instance_name": urlsplit(root).netloc,
            }
        )

    def _keys(self, call: Call) -> Reply:
        self._known_tenant(call)
        return Reply(body=self._tokens.key_set())

    def _instance(self, _call: Call) -> Reply:
        host = urlsplit(self._base_url()).netloc
        discovery = f"{self._base_url()}/{self._directory.tenant_id}/v2.0/.well-known/openid-configuration"
        metadata = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
        return Reply(body={"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": metadata})

    def _token(self, call: Call) -> Reply:
        tenant = self._known_tenant(call)
        form = dict(parse_qsl(call.body.decode()))
        if form.get("grant_type") != "client_credentials":
            raise errors.unsupported_grant(form.get("grant_type", ""))
        client_id = form.get("client_id", "")
        application = self._directory.application(client_id)
        if application is None:
            raise errors.unknown_application(client_id, tenant)
        self._check_credential(application, form)
        resource = self._requested_resource(form, tenant)
        return Reply(body=token_body(self._tokens.issue(application, resource)))

    def _check_credential(self, application: Application, form: Mapping[str, str]) -> None:
        if "client_secret" in form:
            if not hmac.compare_digest(form["client_secret"].encode(), application.client_secret.encode()):
                raise errors.wrong_secret(application.client_id)
            return
        if form.get("client_assertion_type") != _JWT_BEARER:
            raise errors.missing_credential()
        root = f"{self._base_url()}/{self._directory.tenant_id}"
        audiences = [f"{root}/oauth2/v2.0/token", f"{root}/oauth2/token", f"{root}/v2.0"]
        self._assertions.verify(form.get("client_assertion", ""), application, audiences=audiences)

    def _requested_resource(self, form: Mapping[str, str], tenant: str) -> Resource:
        scope = form.get("scope", "")
        identifier = form.get("resource")
        if identifier is None:
            if not scope.endswith("/.default"):
                raise errors.wrong_scope(scope)
            identifier = scope.removesuffix("/.default")
        resource = self._directory.resource(identifier)
        if resource is None:
            raise errors.unknown_resource(identifier, tenant)
        return resource

    def _known_tenant(self, call: Call) -> str:
        tenant = call.params["tenant"].lower()
        if tenant not in {self._directory.tenant_id, "common", "organizations"}:
            raise errors.unknown_tenant(call.params["tenant"])
        return self._directory.tenant_id


def token_body(token: str) -> Mapping[str, object]:
    """The token endpoint's answer."""
    return {
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
        "ext_expires_in": LIFETIME_SECONDS,
        "access_token": token,
    }

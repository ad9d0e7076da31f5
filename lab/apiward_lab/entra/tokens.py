"""Access tokens: issued with the lab's key, and checked as Azure Resource Manager checks them."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from apiward_lab.entra.directory import AUDIENCES, Application, Directory, Resource
from apiward_lab.web import Principal, Problem

LIFETIME_SECONDS = 3600


class TokenAuthority:
    """Issues and verifies the tenant's access tokens.

    Tokens live on real time, because the clients that keep them know no other. `base_url` is the lab's address and part
    of the v2 issuer.
    """

    def __init__(
        self, directory: Directory, *, base_url: Callable[[], str], now: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._base_url = base_url
        self._now = now
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = uuid.uuid4().hex

    @property
    def v1_issuer(self) -> str:
        """The issuer of tokens for Azure's own resources."""
        return f"https://sts.windows.net/{self._directory.tenant_id}/"

    @property
    def v2_issuer(self) -> str:
        """The issuer of tokens for applications of the tenant."""
        return f"{self._base_url()}/{self._directory.tenant_id}/v2.0"

    def key_set(self) -> Mapping[str, Any]:
        """The public key as a JSON Web Key Set."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "use": "sig", "kid": self._key_id, "x5t": self._key_id, "issuer": self.v2_issuer}]}

    def issue(self, application: Application, resource: Resource) -> str:
        """An app-only access token that is valid for an hour."""
        issued = int(self._now())
        claims = {
            "aud": resource.audience,
            "iat": issued,
            "nbf": issued,
            "exp": issued + LIFETIME_SECONDS,
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": self._directory.tenant_id,
            "uti": uuid.uuid4().hex,
            **self._versioned_claims(application, resource),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id, "x5t": self._key_id})

    def _versioned_claims(self, application: Application, resource: Resource) -> Mapping[str, object]:
        if resource.version == 1:
            return {"iss": self.v1_issuer, "ver": "1.0", "appid": application.client_id, "appidacr": "1"}
        claims: dict[str, object] = {
            "iss": self.v2_issuer,
            "ver": "2.0",
            "azp": application.client_id,
            "azpacr": "1",
        }
        if roles := self._directory.app_roles(application.client_id, resource.audience):
            claims["roles"] = list(roles)
        return claims

    def authenticate(self, authorization: str | None, audience: str) -> Principal:
        """The caller that a bearer token names.

        `audience` is "arm", "monitor" or "logs". Raises Problem 401 with a WWW-Authenticate challenge when the token is
        missing, forged, expired, of another issuer or meant for something else.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        claims = self._verified_claims(token)
        if claims["aud"] not in AUDIENCES[audience]:
            raise self._wrong_audience(claims["aud"], audience)
        return Principal(
            object_id=claims["oid"],
            client_id=claims.get("appid") or claims.get("azp", ""),
            tenant_id=claims["tid"],
            audience=claims["aud"],
            roles=tuple(claims.get("roles", ())),
        )

    def _verified_claims(self, token: str) -> Mapping[str, Any]:
        options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], options=options)
        except jwt.PyJWTError as error:
            raise self._refusal("InvalidAuthenticationToken", "The access token is invalid.") from error
        if claims["exp"] <= self._now():
            raise self._refusal("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past.")
        if claims["iss"] not in {self.v1_issuer, self.v2_issuer}:
            raise self._refusal(
                "InvalidAuthenticationTokenTenant",
                f"The access token is from the wrong issuer '{claims['iss']}'. It must match the tenant "
                f"'{self.v1_issuer}' associated with this subscription.",
            )
        return claims

    def _wrong_audience(self, sent: str, audience: str) -> Problem:
        allowed = ",".join(f"'{accepted}'" for accepted in AUDIENCES[audience])
        return self._refusal(
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{sent}'. It should exactly match with "
            f"one of the allowed audiences {allowed}.",
        )

    def _refusal(self, code: str, message: str) -> Problem:
        authority = f"{self._base_url()}/{self._directory.tenant_id}"
        challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
        return Problem(401, code, message, {"WWW-Authenticate": challenge})

"""Signing in without a secret: certificate credentials and federated (workload identity) credentials."""

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

from apiward_lab.entra.directory import Application, Directory
from apiward_lab.entra.errors import bad_assertion

_ALGORITHMS = ["RS256", "PS256"]
_UNCHECKED: Any = {"verify_signature": False, "verify_exp": False, "verify_aud": False}
_SIGNATURE_ONLY: Any = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False}


class AssertionCheck:
    """Verifies the `client_assertion` of a token request. `now` is real time, in seconds since the epoch."""

    def __init__(self, directory: Directory, *, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._now = now

    def verify(self, assertion: str, application: Application, *, audiences: Sequence[str]) -> None:
        """Return when the assertion proves to come from the application; raise EntraError 401 otherwise.

        `audiences` are the addresses of the token endpoint, one of which a certificate credential has to name.
        """
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options=_UNCHECKED)
        except jwt.PyJWTError as error:
            raise bad_assertion(50027, "JWT token is invalid or malformed.") from error
        if claims.get("iss") == application.client_id:
            self._verify_certificate(assertion, header, application)
            self._verify_own_claims(claims, application, audiences)
        else:
            self._verify_federated(assertion, claims, application)
        if not claims.get("nbf", 0) <= self._now() < claims.get("exp", 0):
            raise bad_assertion(700024, "Client assertion is not within its valid time range.")

    def _verify_certificate(self, assertion: str, header: Mapping[str, Any], application: Application) -> None:
        thumbprint = str(header.get("x5t#S256") or header.get("x5t", "")).rstrip("=")
        registered = self._directory.certificates(application.client_id)
        certificate = next((known for known in registered if thumbprint in _thumbprints(known)), None)
        if certificate is None:
            raise bad_assertion(
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application. "
                f"[Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']",
            )
        _verify_signature(assertion, certificate.public_key())

    def _verify_own_claims(self, claims: Mapping[str, Any], application: Application, audiences: Sequence[str]) -> None:
        if claims.get("sub") != application.client_id:
            raise bad_assertion(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
        if claims.get("aud") not in audiences:
            raise bad_assertion(700023, "Client assertion audience claim does not match Realm issuer.")

    def _verify_federated(self, assertion: str, claims: Mapping[str, Any], application: Application) -> None:
        known = self._directory.federated_credentials(application.client_id)
        for number, claim in ((700211, "issuer"), (700213, "subject"), (700212, "audience")):
            sent = claims.get({"issuer": "iss", "subject": "sub", "audience": "aud"}[claim])
            known = [credential for credential in known if _names(sent, getattr(credential, claim))]
            if not known:
                raise bad_assertion(
                    number, f"No matching federated identity record found for presented assertion {claim} '{sent}'."
                )
        _verify_signature(assertion, known[0].key)


def _names(sent: object, expected: str) -> bool:
    return expected in sent if isinstance(sent, list) else sent == expected


def _thumbprints(certificate: Certificate) -> tuple[str, ...]:
    # SHA-1 is what the x5t header of RFC 7515 names a certificate by; nothing is proven by it.
    digests = (certificate.fingerprint(hashes.SHA256()), certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - see above
    return tuple(base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for digest in digests)


def _verify_signature(assertion: str, key: object) -> None:
    if not isinstance(key, RSAPublicKey):
        raise bad_assertion(700027, "Client assertion must be signed with an RSA key.")
    try:
        jwt.decode(assertion, key, algorithms=_ALGORITHMS, options=_SIGNATURE_ONLY)
    except jwt.PyJWTError as error:
        raise bad_assertion(700027, "Client assertion contains an invalid signature.") from error

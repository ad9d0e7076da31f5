import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from apiward_lab.entra import Application, Directory, Entra, FederatedCredential, TokenAuthority
from apiward_lab.entra.assertions import AssertionCheck
from apiward_lab.web import Call, Problem, Reply, Route

TENANT = "11111111-1111-1111-1111-111111111111"
APP = Application("app", "App", "client-1", "object-1", "s3cret")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1)
    .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    .sign(KEY, hashes.SHA256())
)
ISSUER = "https://cluster.example"
ARM = "https://management.azure.com/.default"


def entra() -> Entra:
    directory = Directory(TENANT, [APP])
    directory.federate("client-1", FederatedCredential(ISSUER, "me", KEY.public_key()))
    directory.register_certificate("client-1", CERTIFICATE)
    tokens = TokenAuthority(directory, base_url=lambda: "https://lab")
    return Entra(directory, tokens, AssertionCheck(directory), base_url=lambda: "https://lab")


def call(method: str, path: str, body: bytes = b"", tenant: str = TENANT) -> Reply:
    def fits(route: Route) -> bool:
        return route.method == method and route.path == path.replace(tenant, "{tenant}")

    route = next(route for route in entra().routes if fits(route))
    try:
        return route.handler(Call(method, path, {"tenant": tenant}, {}, {}, body, "https://lab"))
    except Problem as problem:
        return problem.reply()


def ask(tenant: str = TENANT, **form: str) -> Reply:
    filled = {"grant_type": "client_credentials", "client_id": "client-1", "scope": ARM, **form}
    return call("POST", f"/{tenant}/oauth2/v2.0/token", urlencode(filled).encode(), tenant)


@pytest.mark.parametrize(
    ("form", "status", "number"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({}, 401, 7000216),
        ({"client_id": "nobody", "client_secret": "x"}, 400, 700016),
        ({"client_secret": "s3cret", "scope": "https://management.azure.com/user"}, 400, 1002012),
        ({"client_secret": "s3cret", "scope": "https://unknown.example/.default"}, 400, 500011),
        ({"grant_type": "password"}, 400, 70003),
    ],
)
def test_refusals_have_entras_numbers_and_shape(form: dict[str, str], status: int, number: int) -> None:
    reply = ask(**form)
    assert (reply.status, reply.body["error_codes"]) == (status, [number])
    assert reply.body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"error", "timestamp", "trace_id", "correlation_id"} <= set(reply.body)


def test_an_unknown_tenant_is_refused() -> None:
    other = "22222222-2222-2222-2222-222222222222"
    assert ask(other, client_secret="s3cret").body["error_codes"] == [90002]


def test_the_resource_of_the_first_version_is_understood() -> None:
    body = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": "client-1",
            "client_secret": "s3cret",
            "resource": "https://management.azure.com/",
        }
    )
    reply = call("POST", f"/{TENANT}/oauth2/token", body.encode())
    claims = jwt.decode(reply.body["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com/"


def assertion(key: rsa.RSAPrivateKey = KEY, **changes: Any) -> Mapping[str, str]:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "me", "aud": "api://AzureADTokenExchange", "nbf": now - 5, "exp": now + 60}
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({**claims, **changes}, key, algorithm="RS256"),
    }


def test_a_federated_token_is_taken() -> None:
    assert ask(**assertion()).status == 200


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"iss": "https://other.example"}, 700211),
        ({"sub": "somebody"}, 700213),
        ({"aud": "https://elsewhere.example"}, 700212),
        ({"exp": 1}, 700024),
        ({"iss": "client-1"}, 700027),
    ],
)
def test_a_federated_token_must_fit_in_every_part(changes: dict[str, Any], number: int) -> None:
    assert ask(**assertion(**changes)).body["error_codes"] == [number]


def test_a_federated_token_must_be_signed_by_its_issuer() -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert ask(**assertion(forger)).body["error_codes"] == [700027]


def test_what_is_no_token_at_all_is_refused() -> None:
    assert ask(**{**assertion(), "client_assertion": "rubbish"}).body["error_codes"] == [50027]


def own_assertion(**changes: Any) -> Mapping[str, str]:
    """An assertion that is signed with the certificate that `entra` registers."""
    thumbprint = base64.urlsafe_b64encode(CERTIFICATE.fingerprint(hashes.SHA256())).decode()
    audience = f"https://lab/{TENANT}/oauth2/v2.0/token"
    claims = {"iss": "client-1", "sub": "client-1", "aud": audience, "exp": int(time.time()) + 60, **changes}
    signed = jwt.encode(claims, KEY, algorithm="PS256", headers={"x5t#S256": thumbprint})
    return {**assertion(), "client_assertion": signed}


def test_a_certificate_is_found_by_its_thumbprint() -> None:
    assert ask(**own_assertion()).status == 200


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"sub": "client-2"}, 700021), ({"aud": "https://elsewhere.example"}, 700023), ({"exp": 1}, 700024)],
)
def test_a_certificate_credential_must_fit_in_every_part(changes: dict[str, Any], number: int) -> None:
    assert ask(**own_assertion(**changes)).body["error_codes"] == [number]


def test_discovery_leads_to_the_endpoints_of_the_tenant() -> None:
    v2 = call("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration").body
    v1 = call("GET", f"/{TENANT}/.well-known/openid-configuration").body
    assert v2["token_endpoint"] == f"https://lab/{TENANT}/oauth2/v2.0/token"
    assert v2["issuer"] == f"https://lab/{TENANT}/v2.0"
    assert v1["issuer"] == f"https://sts.windows.net/{TENANT}/"
    assert call("GET", f"/{TENANT}/discovery/v2.0/keys").body["keys"][0]["kty"] == "RSA"


def test_instance_discovery_names_the_lab() -> None:
    assert call("GET", "/common/discovery/instance", tenant="none").body["metadata"][0]["aliases"] == ["lab"]

import time
from collections.abc import Callable

import jwt
import pytest

from apiward_lab.entra import Application, Directory, TokenAuthority
from apiward_lab.web import Problem

TENANT = "11111111-1111-1111-1111-111111111111"
APP = Application("app", "App", "client-1", "object-1")
API = Application("api", "Api", "client-2", "object-2")


def authority(
    now: Callable[[], float] = time.time, tenant: str = TENANT, directory: Directory | None = None
) -> TokenAuthority:
    return TokenAuthority(directory or Directory(tenant, [APP, API]), base_url=lambda: "https://lab", now=now)


def token(tokens: TokenAuthority, resource: str = "https://management.azure.com/") -> str:
    found = Directory(TENANT, [APP, API]).resource(resource)
    assert found is not None
    return tokens.issue(APP, found)


def claims(encoded: str) -> dict[str, object]:
    return dict(jwt.decode(encoded, options={"verify_signature": False}))


def test_a_token_for_arm_has_the_first_version_and_names_the_caller() -> None:
    tokens = authority()
    encoded = token(tokens)
    assert claims(encoded)["ver"] == "1.0"
    assert claims(encoded)["iss"] == f"https://sts.windows.net/{TENANT}/"
    caller = tokens.authenticate(f"Bearer {encoded}", "arm")
    assert (caller.object_id, caller.client_id, caller.tenant_id) == ("object-1", "client-1", TENANT)


def test_a_token_for_an_application_has_the_second_version_and_its_roles() -> None:
    directory = Directory(TENANT, [APP, API])
    directory.assign_app_roles("client-1", "client-2", ["Remediation.Approve"])
    tokens = authority(directory=directory)
    found = claims(token(tokens, "api://client-2"))
    assert (found["ver"], found["aud"], found["azp"]) == ("2.0", "client-2", "client-1")
    assert found["iss"] == f"https://lab/{TENANT}/v2.0"
    assert found["roles"] == ["Remediation.Approve"]


def refusal(tokens: TokenAuthority, authorization: str | None, audience: str = "arm") -> str:
    with pytest.raises(Problem) as refused:
        tokens.authenticate(authorization, audience)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    return refused.value.code


def test_what_is_no_bearer_token_is_refused() -> None:
    assert refusal(authority(), None) == "AuthenticationFailed"
    assert refusal(authority(), "Basic abc") == "AuthenticationFailed"
    assert refusal(authority(), "Bearer abc") == "InvalidAuthenticationToken"


def test_a_token_that_somebody_else_signed_is_refused() -> None:
    assert refusal(authority(), f"Bearer {token(authority())}") == "InvalidAuthenticationToken"


def test_a_token_is_good_for_an_hour() -> None:
    moment = [1_000_000.0]
    tokens = authority(now=lambda: moment[0])
    encoded = token(tokens)
    moment[0] += 3599
    assert tokens.authenticate(f"Bearer {encoded}", "arm").object_id == "object-1"
    moment[0] += 1
    assert refusal(tokens, f"Bearer {encoded}") == "ExpiredAuthenticationToken"


@pytest.mark.parametrize(
    ("resource", "good", "bad"),
    [
        ("https://management.core.windows.net/", "arm", "monitor"),
        ("https://monitor.azure.com", "monitor", "logs"),
        ("https://api.loganalytics.io", "logs", "arm"),
        ("https://api.loganalytics.azure.com", "logs", "monitor"),
    ],
)
def test_a_token_opens_only_what_it_is_meant_for(resource: str, good: str, bad: str) -> None:
    tokens = authority()
    encoded = token(tokens, resource)
    assert tokens.authenticate(f"Bearer {encoded}", good).audience == resource
    assert refusal(tokens, f"Bearer {encoded}", bad) == "InvalidAuthenticationTokenAudience"


def test_the_key_set_verifies_the_tokens() -> None:
    tokens = authority()
    encoded = token(tokens)
    key = jwt.PyJWKSet.from_dict(dict(tokens.key_set()))[jwt.get_unverified_header(encoded)["kid"]]
    assert jwt.decode(encoded, key, audience="https://management.azure.com/")["oid"] == "object-1"


def test_the_secret_of_an_application_is_not_shown() -> None:
    assert APP.client_secret not in repr(APP)

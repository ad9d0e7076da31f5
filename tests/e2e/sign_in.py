"""Ways to sign in to a lab, right and wrong: each puts what it needs into a folder and returns the variables."""

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jwt
import trustme

from apiward_lab.entra import Application, FederatedCredential
from tests.e2e.certificates import new_key, own_certificate, pem
from tests.e2e.commands import varied
from tests.e2e.conftest import Raised
from tests.lab_credential import credential_of

PASSWORD = "correct-horse-battery"
SOMEBODY = "11111111-2222-3333-4444-555555555555"
ROLES_TAKE_EFFECT = timedelta(minutes=6)
LONG = timedelta(days=10)
NOTHING = {"credential": None, "client_id": None, "client_secret": None}

SignIn = Callable[[Raised, Path], dict[str, str]]


def operator(raised: Raised) -> Application:
    return raised.lab.applications["operator"]


def without_credential(raised: Raised) -> dict[str, str]:
    """The lab's endpoints and names, and nothing to sign in with."""
    return varied(raised.environment("operator"), NOTHING)


def client_secret(raised: Raised, folder: Path) -> dict[str, str]:
    del folder
    who = operator(raised)
    return {
        "APIWARD_CREDENTIAL": "client_secret",
        "APIWARD_CLIENT_ID": who.client_id,
        "APIWARD_CLIENT_SECRET": who.client_secret,
    }


def certificate_file(raised: Raised, path: Path, *, password: str = "", register: bool = True) -> dict[str, str]:
    key = new_key()
    certificate = own_certificate(key)
    if register:
        raised.lab.directory.register_certificate(operator(raised).client_id, certificate)
    path.write_bytes(pem(key, certificate, password=password))
    return {
        "APIWARD_CREDENTIAL": "client_certificate",
        "APIWARD_CLIENT_ID": operator(raised).client_id,
        "APIWARD_CLIENT_CERTIFICATE": str(path),
    }


def client_certificate(raised: Raised, folder: Path) -> dict[str, str]:
    return certificate_file(raised, folder / "operator.pem")


def client_certificate_with_password(raised: Raised, folder: Path) -> dict[str, str]:
    variables = certificate_file(raised, folder / "operator.pem", password=PASSWORD)
    return variables | {"APIWARD_CLIENT_CERTIFICATE_PASSWORD": PASSWORD}


def workload_identity(raised: Raised, folder: Path, *, valid_for: float = 600) -> dict[str, str]:
    key, issuer, subject = new_key(), "https://cluster.contoso.example", "system:serviceaccount:soc:operator"
    raised.lab.directory.federate(operator(raised).client_id, FederatedCredential(issuer, subject, key.public_key()))
    now = time.time()
    times = {"iat": int(now - 600), "exp": int(now + valid_for)}
    claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", **times}
    token_file = folder / "token"
    token_file.write_text(jwt.encode(claims, key, algorithm="RS256"))
    return {
        "APIWARD_CREDENTIAL": "workload_identity",
        "APIWARD_CLIENT_ID": operator(raised).client_id,
        "APIWARD_FEDERATED_TOKEN_FILE": str(token_file),
    }


def system_assigned_identity(raised: Raised, folder: Path) -> dict[str, str]:
    del folder
    return {"APIWARD_CREDENTIAL": "managed_identity", **raised.lab.managed_identities.environment(operator(raised))}


def user_assigned_identity(raised: Raised, folder: Path) -> dict[str, str]:
    del folder
    host = raised.lab.applications["stranger"]
    return {
        "APIWARD_CREDENTIAL": "managed_identity",
        "APIWARD_CLIENT_ID": operator(raised).client_id,
        **raised.lab.managed_identities.environment(host),
    }


def developer(raised: Raised, folder: Path) -> dict[str, str]:
    """An `az` on the PATH that prints what Azure CLI prints to somebody who is signed in to this tenant."""
    lab = raised.lab
    with credential_of(lab, "operator") as credential:
        token = credential.get_token("https://management.azure.com/.default")
    printed = {
        "accessToken": token.token,
        "expiresOn": "2099-12-31 23:59:59.000000",
        "expires_on": token.expires_on,
        "subscription": lab.estate.subscriptions[0].subscription_id,
        "tenant": lab.estate.tenant_id,
        "tokenType": "Bearer",
    }
    return {
        "APIWARD_CREDENTIAL": "developer",
        **azure_cli(folder, f"echo '{json.dumps(printed)}'", lab.estate.tenant_id),
    }


def azure_cli(folder: Path, answer: str, tenant: str) -> dict[str, str]:
    """A PATH whose first `az` answers only a request for an access token of the tenant."""
    wanted = f'"account get-access-token "*{tenant}*'
    command = folder / "az"
    command.write_text(f'#!/bin/sh\ncase "$*" in {wanted}) {answer} ;; *) echo "unexpected: $*" >&2; exit 2 ;; esac\n')
    command.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def wrong_secret(raised: Raised, folder: Path) -> dict[str, str]:
    return {**client_secret(raised, folder), "APIWARD_CLIENT_SECRET": PASSWORD}


def unknown_tenant(raised: Raised, folder: Path) -> dict[str, str]:
    return {**client_secret(raised, folder), "APIWARD_TENANT_ID": SOMEBODY}


def unregistered_certificate(raised: Raised, folder: Path) -> dict[str, str]:
    return certificate_file(raised, folder / "own.pem", register=False)


def wrong_password(raised: Raised, folder: Path) -> dict[str, str]:
    variables = certificate_file(raised, folder / "locked.pem", password="another-one")
    return variables | {"APIWARD_CLIENT_CERTIFICATE_PASSWORD": PASSWORD}


def foreign_token(raised: Raised, folder: Path) -> dict[str, str]:
    variables = workload_identity(raised, folder)
    claims = {"iss": "https://cluster.contoso.example", "sub": "somebody:else", "aud": "api://AzureADTokenExchange"}
    now = int(time.time())
    forged = jwt.encode({**claims, "iat": now, "exp": now + 600}, new_key(), algorithm="RS256")
    Path(variables["APIWARD_FEDERATED_TOKEN_FILE"]).write_text(forged)
    return variables


def expired_token(raised: Raised, folder: Path) -> dict[str, str]:
    return workload_identity(raised, folder, valid_for=-60)


def signed_out_developer(raised: Raised, folder: Path) -> dict[str, str]:
    answer = "echo 'ERROR: Please run: az login' >&2; exit 1"
    return {"APIWARD_CREDENTIAL": "developer", **azure_cli(folder, answer, raised.lab.estate.tenant_id)}


def foreign_authority(raised: Raised, folder: Path) -> dict[str, str]:
    foreign = folder / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(str(foreign))
    return {**client_secret(raised, folder), "APIWARD_CA_BUNDLE": str(foreign)}


def unreachable_endpoint(raised: Raised, folder: Path) -> dict[str, str]:
    return {**client_secret(raised, folder), "APIWARD_ARM_ENDPOINT": "https://127.0.0.1:1"}


def no_role(raised: Raised, folder: Path) -> dict[str, str]:
    del folder
    return {
        "APIWARD_CREDENTIAL": "managed_identity",
        **raised.lab.managed_identities.environment(raised.lab.applications["stranger"]),
    }

"""The real Azure SDK clients against the platform half of the lab."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CertificateCredential, ClientSecretCredential, WorkloadIdentityCredential
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.apimanagement.models import ApiCreateOrUpdateParameter, ApiUpdateContract
from azure.mgmt.security import SecurityCenter
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from apiward_lab.entra import FederatedCredential
from apiward_lab.lab import Lab
from apiward_lab.rbac import built_in
from tests.e2e.certificates import new_key, own_certificate, pem

ARM = "https://management.azure.com/.default"
HTTPS_ONLY = {"properties": {"protocols": ["https"]}}
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.start() as running:
        yield running


def secret_credential(lab: Lab, name: str, secret: str | None = None) -> ClientSecretCredential:
    app = lab.applications[name]
    return ClientSecretCredential(
        lab.estate.tenant_id,
        app.client_id,
        secret or app.client_secret,
        authority=lab.base_url,
        disable_instance_discovery=True,
        connection_verify=str(lab.ca_bundle),
    )


def client_settings(lab: Lab) -> dict[str, Any]:
    return {
        "base_url": lab.base_url,
        "credential_scopes": [ARM],
        "connection_verify": str(lab.ca_bundle),
        "retry_total": 0,
    }


def security(lab: Lab, credential: TokenCredential) -> SecurityCenter:
    return SecurityCenter(credential, lab.estate.subscriptions[0].subscription_id, **client_settings(lab))


def apim(lab: Lab, name: str = "playbooks") -> ApiManagementClient:
    subscription = lab.estate.subscriptions[0].subscription_id
    return ApiManagementClient(secret_credential(lab, name), subscription, **client_settings(lab))


def certificate_credential(lab: Lab, key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> CertificateCredential:
    return CertificateCredential(
        lab.estate.tenant_id,
        lab.applications["connector"].client_id,
        certificate_data=pem(key, certificate),
        authority=lab.base_url,
        disable_instance_discovery=True,
        connection_verify=str(lab.ca_bundle),
    )


def count_assessments(lab: Lab, credential: TokenCredential) -> int:
    with security(lab, credential) as client:
        return len(list(client.assessments.list(lab.estate.subscriptions[0].resource_id)))


def test_a_secret_opens_the_assessments(lab: Lab) -> None:
    assert count_assessments(lab, secret_credential(lab, "connector")) > 20
    assert lab.unknown_routes == ()


def test_a_wrong_secret_is_refused_as_entra_words_it(lab: Lab) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        secret_credential(lab, "connector", "not-the-secret").get_token(ARM)


def test_a_scope_that_no_resource_has_is_refused(lab: Lab) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        secret_credential(lab, "connector").get_token("https://nowhere.example/.default")


def test_a_registered_certificate_signs_in(lab: Lab) -> None:
    key = new_key()
    certificate = own_certificate(key)
    lab.directory.register_certificate(lab.applications["connector"].client_id, certificate)
    assert count_assessments(lab, certificate_credential(lab, key, certificate)) > 20


def test_a_certificate_that_is_not_registered_is_refused(lab: Lab) -> None:
    key = new_key()
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        certificate_credential(lab, key, own_certificate(key)).get_token(ARM)


@pytest.mark.parametrize(
    ("subject", "refusal"), [("system:serviceaccount:apiward:connector", None), ("somebody:else", "AADSTS700213")]
)
def test_workload_identity(lab: Lab, tmp_path: Path, subject: str, refusal: str | None) -> None:
    key = new_key()
    app = lab.applications["connector"]
    issuer = "https://cluster.contoso.example"
    lab.directory.federate(
        app.client_id, FederatedCredential(issuer, "system:serviceaccount:apiward:connector", key.public_key())
    )
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now, "exp": now + 600}
    token_file = tmp_path / "token"
    token_file.write_text(jwt.encode(claims, key, algorithm="RS256"))
    credential = WorkloadIdentityCredential(
        tenant_id=lab.estate.tenant_id,
        client_id=app.client_id,
        token_file_path=str(token_file),
        authority=lab.base_url,
        disable_instance_discovery=True,
        connection_verify=str(lab.ca_bundle),
    )
    if refusal:
        with pytest.raises(ClientAuthenticationError, match=refusal):
            credential.get_token(ARM)
    else:
        assert count_assessments(lab, credential) > 20


def close_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def terminate(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [close_input, terminate])
def test_the_process_prints_its_descriptor_and_ends_when_told(
    tmp_path: Path, end: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    descriptor = tmp_path / "lab.json"
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "apiward_lab",
        "--until-stdin-closes",
        "--descriptor",
        str(descriptor),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        url, ca = printed["base_url"], printed["ca_bundle"]
        assert requests.get(f"{url}/nothing/here", verify=ca, timeout=10).status_code == 501
        assert descriptor.stat().st_mode & 0o077 == 0
        assert json.loads(descriptor.read_text()) == printed
        end(process)
        assert process.wait(20) == 0
        assert process.stderr is not None
        errors = process.stderr.read()
    assert not Path(ca).exists()
    assert errors.decode() == "unknown route: GET /nothing/here\n"


_MANAGED_IDENTITY = """
import sys, jwt
from azure.identity import ManagedIdentityCredential
ca, client_id = sys.argv[1], sys.argv[2] or None
token = ManagedIdentityCredential(client_id=client_id, connection_verify=ca).get_token("https://management.azure.com/.default")
print(jwt.decode(token.token, options={"verify_signature": False})["oid"])
"""


def managed_identity_of(lab: Lab, client_id: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", _MANAGED_IDENTITY, str(lab.ca_bundle), client_id]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def test_a_managed_identity_of_app_service_gets_the_token_of_its_host(lab: Lab) -> None:
    app = lab.applications["connector"]
    found = managed_identity_of(lab, "", dict(lab.managed_identities.environment(app)))
    assert found == app.object_id


def test_a_managed_identity_of_a_machine_gets_the_token_that_it_names(lab: Lab) -> None:
    app = lab.applications["playbooks"]
    found = managed_identity_of(lab, app.client_id, {"AZURE_POD_IDENTITY_AUTHORITY_HOST": lab.base_url})
    assert found == app.object_id


def test_the_identity_endpoint_wants_the_header_of_the_host(lab: Lab) -> None:
    app = lab.applications["connector"]
    stolen = {**lab.managed_identities.environment(app), "IDENTITY_HEADER": "guessed"}
    assert "X-IDENTITY-HEADER" in managed_identity_of(lab, "", stolen)


def test_list_items_carry_no_metadata_and_get_does_when_asked(lab: Lab) -> None:
    with security(lab, secret_credential(lab, "connector")) as client:
        listed = list(client.assessments.list(lab.estate.subscriptions[0].resource_id))
        row = next(item for item in listed if item.name == ENCRYPTED)
        assert {item.metadata for item in listed} == {None}
        read = client.assessments.get(row.resource_details.id, ENCRYPTED, expand="metadata")
        metadata = {item.name: item for item in client.assessments_metadata.list_by_subscription()}
    assert read.metadata.severity == metadata[ENCRYPTED].severity == "High"
    assert {item.name for item in listed} <= set(metadata)


def test_pages_of_a_large_estate_add_up() -> None:
    with Lab.start(estate="medium") as lab, security(lab, secret_credential(lab, "connector")) as client:
        listed = [item.id for item in client.assessments.list(lab.estate.subscriptions[0].resource_id)]
        truth = [row.assessment_id for row in lab.defender.ledger.rows]
    mine = [entry for entry in truth if entry.startswith(lab.estate.subscriptions[0].resource_id)]
    assert len(listed) > 300
    assert sorted(listed) == sorted(mine)


def test_one_service_has_exactly_two_unencrypted_apis(lab: Lab) -> None:
    service = lab.estate.subscriptions[0].resource_id + (
        "/resourceGroups/rg-retail-api/providers/Microsoft.ApiManagement/service/apim-contoso-orders"
    )
    with security(lab, secret_credential(lab, "connector")) as client:
        rows = list(client.assessments.list(service))
    bad = {row.resource_details.id.rsplit("/", 1)[1] for row in rows if row.status.code == "Unhealthy"}
    assert {row.name for row in rows if row.name == ENCRYPTED}
    assert bad == {"orders-v1", "returns"}


def etag_of(response: Any, _body: Any, _headers: Any) -> Any:
    """What the SDK hands to `cls`: its models leave out the ETag."""
    return response.http_response.headers["ETag"]


def error_of(error: HttpResponseError) -> Any:
    assert error.response is not None
    return json.loads(error.response.text())["error"]


GROUP, SERVICE = "rg-retail-api", "apim-contoso-orders"


def test_an_update_needs_the_current_etag(lab: Lab) -> None:
    with apim(lab) as client:
        etag: Any = client.api.get(GROUP, SERVICE, "orders-v1", cls=etag_of)
        updated = client.api.update(GROUP, SERVICE, "orders-v1", etag, ApiUpdateContract(protocols=["https"]))
        assert updated.protocols == ["https"]
        assert updated.display_name == "Orders"
        with pytest.raises(HttpResponseError) as stale:
            client.api.update(GROUP, SERVICE, "orders-v1", etag, ApiUpdateContract(protocols=["http"]))
        again = client.api.update(GROUP, SERVICE, "orders-v1", "*", ApiUpdateContract(protocols=["http", "https"]))
    assert stale.value.status_code == 412
    assert error_of(stale.value)["code"] == "PreconditionFailed"
    assert again.protocols == ["http", "https"]


def arm(lab: Lab, name: str, method: str, path: str, **options: Any) -> requests.Response:
    token = secret_credential(lab, name).get_token(ARM).token
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    return requests.request(
        method, lab.base_url + path, headers=headers, verify=str(lab.ca_bundle), timeout=10, **options
    )


def api_path(lab: Lab, api: str) -> str:
    service = lab.estate.service(lab.estate.subscriptions[0].subscription_id, GROUP, SERVICE)
    assert service is not None
    return f"{service.resource_id}/apis/{api}?api-version=2024-05-01"


def test_an_update_without_if_match_is_refused(lab: Lab) -> None:
    answer = arm(lab, "playbooks", "PATCH", api_path(lab, "orders-v1"), json=HTTPS_ONLY)
    assert answer.status_code == 428
    assert arm(lab, "playbooks", "GET", api_path(lab, "orders-v1")).json()["properties"]["protocols"] == [
        "http",
        "https",
    ]


def test_the_protocol_has_to_fit_the_api(lab: Lab) -> None:
    with apim(lab) as client, pytest.raises(HttpResponseError) as refused:
        client.api.update(GROUP, SERVICE, "orders-v1", "*", ApiUpdateContract(protocols=["wss"]))
    assert refused.value.status_code == 400
    assert error_of(refused.value)["details"][0]["target"] == "protocols"


def test_creating_and_deleting_an_api_are_long_running(lab: Lab) -> None:
    with apim(lab) as client:
        made = client.api.begin_create_or_update(
            GROUP, SERVICE, "gift-cards", ApiCreateOrUpdateParameter(display_name="Gift Cards", path="gift-cards")
        ).result()
        assert made.provisioning_state is None
        assert made.protocols == ["https"]
        client.api.begin_delete(GROUP, SERVICE, "gift-cards", "*").result()
        assert "gift-cards" not in {api.name for api in client.api.list_by_service(GROUP, SERVICE)}


def test_lists_follow_their_pages(lab: Lab) -> None:
    with apim(lab) as client:
        whole = [api.name for api in client.api.list_by_service(GROUP, SERVICE)]
        paged = [api.name for api in client.api.list_by_service(GROUP, SERVICE, top=2)]
    assert len(whole) == 5
    assert paged == whole


def test_a_revision_is_an_api_of_its_own(lab: Lab) -> None:
    with apim(lab) as client:
        revision = client.api.get(GROUP, "apim-contoso-retail", "catalogue;rev=2")
        current = client.api.get(GROUP, "apim-contoso-retail", "catalogue;rev=1")
    assert (revision.api_revision, revision.is_current) == ("2", False)
    assert current.name == "catalogue"


def test_the_connector_must_not_change_apis(lab: Lab) -> None:
    with apim(lab, "connector") as client, pytest.raises(HttpResponseError) as refused:
        client.api.update(GROUP, SERVICE, "orders-v1", "*", ApiUpdateContract(protocols=["https"]))
    connector = lab.applications["connector"]
    assert refused.value.status_code == 403
    assert error_of(refused.value)["code"] == "AuthorizationFailed"
    assert connector.object_id in refused.value.message
    assert "Microsoft.ApiManagement/service/apis/write" in refused.value.message


def test_somebody_without_roles_sees_nothing(lab: Lab) -> None:
    listed = arm(lab, "stranger", "GET", "/subscriptions?api-version=2022-12-01").json()
    refused = arm(lab, "stranger", "GET", f"{lab.estate.subscriptions[0].resource_id}?api-version=2022-12-01")
    assert listed["value"] == []
    assert refused.status_code == 403


def test_a_granted_role_works_after_the_propagation_delay(lab: Lab) -> None:
    scope = lab.estate.subscriptions[0].resource_id
    stranger = lab.applications["stranger"]
    body = {"properties": {"roleDefinitionId": built_in("Security Reader").role_id, "principalId": stranger.object_id}}
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}?api-version=2022-04-01"

    def may_read() -> bool:
        path = f"{scope}/providers/Microsoft.Security/assessments?api-version=2021-06-01"
        return arm(lab, "stranger", "GET", path).status_code == 200

    assert arm(lab, "admin", "PUT", path, json=body).status_code == 201
    assert not may_read()
    lab.clock.advance(timedelta(minutes=5))
    assert may_read()
    assert arm(lab, "admin", "DELETE", path).status_code == 200
    assert may_read()
    lab.clock.advance(timedelta(minutes=5))
    assert not may_read()


def test_permissions_tell_what_the_caller_may_do(lab: Lab) -> None:
    path = f"{lab.estate.subscriptions[0].resource_id}/providers/Microsoft.Authorization/permissions"
    mine = arm(lab, "connector", "GET", path + "?api-version=2022-04-01").json()["value"]
    none = arm(lab, "stranger", "GET", path + "?api-version=2022-04-01").json()["value"]
    assert "Microsoft.Security/*/read" in mine[0]["actions"]
    assert none == []


def status_of(lab: Lab, resource_id: str) -> tuple[str, datetime, datetime]:
    with security(lab, secret_credential(lab, "connector")) as client:
        status = client.assessments.get(resource_id, ENCRYPTED).status
    return status.code, status.status_change_date, status.first_evaluation_date


def test_defender_sees_a_fix_only_when_it_looks_again(lab: Lab) -> None:
    service = lab.estate.service(lab.estate.subscriptions[0].subscription_id, GROUP, SERVICE)
    assert service is not None
    resource_id = f"{service.resource_id}/apis/orders-v1"
    code, changed, first = status_of(lab, resource_id)
    assert code == "Unhealthy"
    with apim(lab) as client:
        client.api.update(GROUP, SERVICE, "orders-v1", "*", ApiUpdateContract(protocols=["https"]))
    lab.clock.advance(timedelta(minutes=50))
    assert status_of(lab, resource_id) == ("Unhealthy", changed, first)
    lab.clock.advance(timedelta(minutes=11))
    code, later, same_first = status_of(lab, resource_id)
    assert (code, same_first) == ("Healthy", first)
    assert later > changed


def test_a_deleted_api_loses_its_assessment_at_the_next_look(lab: Lab) -> None:
    service = lab.estate.service(lab.estate.subscriptions[0].subscription_id, GROUP, SERVICE)
    assert service is not None
    with apim(lab) as client:
        client.api.begin_delete(GROUP, SERVICE, "returns", "*").result()
    assert status_of(lab, f"{service.resource_id}/apis/returns")[0] == "Unhealthy"
    lab.clock.advance(timedelta(minutes=61))
    with security(lab, secret_credential(lab, "connector")) as client, pytest.raises(HttpResponseError) as gone:
        client.assessments.get(f"{service.resource_id}/apis/returns", ENCRYPTED)
    assert gone.value.status_code == 404


def test_the_control_plane_moves_the_clock_and_needs_its_key(lab: Lab) -> None:
    def post(key: str) -> requests.Response:
        url, headers = f"{lab.base_url}/_lab/clock", {"x-lab-key": key}
        return requests.post(
            url, json={"advance_seconds": 3600}, headers=headers, verify=str(lab.ca_bundle), timeout=10
        )

    assert post("guess").status_code == 401
    assert post(lab.control_key).json()["offset_seconds"] == 3600


def test_unknown_routes_are_answered_501_and_remembered(lab: Lab) -> None:
    answer = arm(lab, "admin", "GET", "/providers/Microsoft.Nothing/things?api-version=2024-01-01")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "UnknownRoute")
    assert lab.unknown_routes == ("GET /providers/Microsoft.Nothing/things",)


def test_the_metadata_leads_to_the_lab(lab: Lab) -> None:
    url = f"{lab.base_url}/metadata/endpoints"
    found = requests.get(url, params={"api-version": "2022-09-01"}, verify=str(lab.ca_bundle), timeout=10).json()
    assert found["resourceManager"].rstrip("/") == lab.base_url
    assert found["authentication"]["loginEndpoint"] == lab.base_url


@pytest.mark.parametrize("send", [lambda path: path, lambda path: "/" + path])
def test_a_scope_may_start_with_a_slash(lab: Lab, send: Callable[[str], str]) -> None:
    scope = lab.estate.subscriptions[0].resource_id.lstrip("/")
    with security(lab, secret_credential(lab, "connector")) as client:
        assert list(client.assessments.list(send(scope)))


def test_the_correlation_id_reaches_the_activity_log(lab: Lab) -> None:
    answer = arm(
        lab,
        "playbooks",
        "PATCH",
        api_path(lab, "orders-v1"),
        json=HTTPS_ONLY,
        headers={"If-Match": "*", "x-ms-correlation-request-id": "11111111-2222-3333-4444-555555555555"},
    )
    entry = lab.journal.activities[-1]
    assert (
        answer.headers["x-ms-correlation-request-id"]
        == entry.correlation_id
        == ("11111111-2222-3333-4444-555555555555")
    )
    assert entry.caller == lab.applications["playbooks"].object_id
    assert entry.operation == "Microsoft.ApiManagement/service/apis/write"

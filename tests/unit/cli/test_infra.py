"""`infra deploy`, through the real ARM client with a web that gives prepared answers."""

import re
import subprocess

import orjson
import pytest

from apiward.commands.infra import shell_exports
from apiward.infra.workspace import Ingestion, deploy
from apiward_core.arm import ArmClient
from apiward_core.arm_id import ArmId
from apiward_core.errors import ConfigurationError, ConflictError
from apiward_core.tables import all_tables
from tests.unit.connector.transport import Credential
from tests.unit.core.web import JSON, Answer, Web

WORKSPACE = ArmId.parse(
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
    "/providers/Microsoft.OperationalInsights/workspaces/law"
)
PRINCIPAL = "aaaaaaaa-0000-0000-0000-00000000000b"
ENDPOINT = "https://dcr-apiward.ingest.monitor.azure.com"
RULE = {"properties": {"endpoints": {"logsIngestion": ENDPOINT}, "immutableId": "dcr-1"}}


def answer(body: object, status: int = 200) -> Answer:
    return status, JSON, orjson.dumps(body)


def conflict(code: str) -> Answer:
    return answer({"error": {"code": code, "message": "said so"}}, 409)


def deployed(web: Web, *publishers: str) -> Ingestion:
    arm = "https://management.azure.com"
    scopes = [f"{arm}/.default"]
    with ArmClient(
        Credential(), base_url=arm, credential_scopes=scopes, user_agent="x", transport=web.transport()
    ) as client:
        return deploy(client, workspace=WORKSPACE, publishers=publishers)


def web_until_role(*roles: Answer) -> Web:
    tables = [answer({})] * len(all_tables())
    return Web(answer({"location": "westeurope"}), *tables, answer(RULE), *roles)


def test_a_role_that_somebody_gave_already_counts_as_given() -> None:
    web = web_until_role(conflict("RoleAssignmentExists"))
    assert deployed(web, PRINCIPAL).ingestion_endpoint == ENDPOINT


def test_any_other_conflict_of_the_role_is_told() -> None:
    with pytest.raises(ConflictError, match="RoleAssignmentUpdateNotPermitted"):
        deployed(web_until_role(conflict("RoleAssignmentUpdateNotPermitted")), PRINCIPAL)


def test_an_object_id_names_one_assignment_however_it_is_spelled() -> None:
    web = web_until_role(answer({}), answer({}))
    deployed(web, PRINCIPAL, PRINCIPAL.upper())
    first, second = web.requests[-2:]
    assert first.url == second.url
    assert first.body == second.body


def test_a_publisher_that_is_no_object_id_is_refused_before_anything_is_made() -> None:
    web = Web()
    with pytest.raises(ConfigurationError, match=re.escape("'ana@contoso.example' is no object id")):
        deployed(web, PRINCIPAL, "ana@contoso.example")
    assert web.requests == []


def test_a_shell_reads_the_exports_as_values() -> None:
    hostile = Ingestion("https://x.example/$(echo ran)'; echo ran #", "dcr-1`echo ran`", "")
    lines = shell_exports(hostile) + 'printf "%s\\n" "$APIWARD_INGESTION_ENDPOINT" "$APIWARD_DCR_IMMUTABLE_ID"'
    done = subprocess.run(["/bin/sh", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [hostile.ingestion_endpoint, hostile.dcr_immutable_id]

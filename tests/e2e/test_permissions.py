"""docs/permissions.md against what Azure, as the lab plays it, saw each identity use in the demo."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward.wiring import open_app
from apiward_lab.lab import Lab
from apiward_lab.rbac import BUILT_IN_ROLES
from tests.contract.openapi import shared_dir
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import ROOT, Raised
from tests.e2e.rare_reads import grant_listing, read_rarely

PAGE = ROOT / "docs" / "permissions.md"
IDENTITIES = {"deployer": "admin", "connector": "connector", "playbooks": "playbooks", "operator": "operator"}
DATA = "data action"
# Two of the actions of a built-in role that the lab does not have: Azure built-in roles, Privileged.
ACCESS_ADMINISTRATION = (
    "microsoft.authorization/roleassignments/read",
    "microsoft.authorization/roleassignments/write",
)
ACCESS_ADMINISTRATOR = "Role Based Access Control Administrator"
CUSTOM_ROLE = "custom role: "
# The lab has no such resources. Whether one is gone is looked up as for every other type.
NOT_IN_THE_LAB = {"connector": {"microsoft.apimanagement/service/namedvalues/read", "microsoft.web/sites/read"}}
# "Azure permissions for Management and governance" has them; the list that the tests read is shorter.
PUBLISHED_ELSEWHERE = {
    "microsoft.management/managementgroups/descendants/read": "action",
    "microsoft.authorization/policysetdefinitions/read": "action",
}


@dataclass(frozen=True)
class Operation:
    """A row of the page's second table; the name in lower case, as Azure compares it."""

    identity: str
    name: str
    kind: str


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows[2:]]


OPERATIONS = [Operation(identity, name.lower(), kind) for identity, name, kind, _ in table("Operations")]
ROLES = [(identity, role) for identity, role, _ in table("Roles")]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """The operations that each identity of the lab used: the whole demo, and an operator who looks."""
    console.out.quiet = True
    with Lab.start() as lab:
        demo = Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("reports"))
        assert demo.play()["closed"]
        read_through_resource_graph(demo)
        grant_listing(lab, "connector", "operator")
        with demo.app("connector") as connector:
            read_rarely(connector, lab)
        look(Raised(lab, demo))
        assert list(lab.unknown_routes) == []
        actions = lab.journal.actions_used()
        names = {app.object_id: app.name for app in lab.applications.values()}
    console.out.quiet = False
    return {names[principal]: {action.lower() for action in found} for principal, found in actions.items()}


def read_through_resource_graph(demo: Demo) -> None:
    """The other source, over the same estate."""
    settings = demo.lab.settings(
        "connector", state_dir=demo.folder / "graph", source="resource_graph", **demo.more_settings
    )
    with open_app(settings) as connector:
        assert connector.connector().run(settings.subscriptions).exit_code == 0


def look(raised: Raised) -> None:
    """Everything that the page says an operator runs, who is not told where rows are sent."""
    commands = (
        ("incidents", "list"),
        ("incidents", "show", "1"),
        ("content", "plan"),
        ("findings", "list"),
        ("ingest", "status"),
        ("ingest", "rebuild"),
        ("workbook", "render", "api-posture-leadership"),
    )
    group = raised.lab.estate.management_groups[0].name
    unsent: dict[str, str | None] = {"ingestion_endpoint": None, "dcr_immutable_id": None}
    environment = varied(raised.environment("operator"), {"management_groups": group, **unsent})
    for command in commands:
        done = apiward(*command, "--json", environment=environment, folder=raised.demo.folder)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert json.loads(done.stdout)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_page_lists_exactly_what_an_identity_uses(used: Mapping[str, set[str]], identity: str) -> None:
    listed = [operation.name for operation in OPERATIONS if operation.identity == identity]
    expected = used[IDENTITIES[identity]] | NOT_IN_THE_LAB.get(identity, set())
    assert sorted(listed) == sorted(expected)


def test_nobody_else_is_on_the_page_or_in_the_demo(used: Mapping[str, set[str]]) -> None:
    assert {operation.identity for operation in OPERATIONS} == set(IDENTITIES) == {identity for identity, _ in ROLES}
    assert set(used) == set(IDENTITIES.values())


def allowed_by(role: str, operation: Operation) -> bool:
    if role == ACCESS_ADMINISTRATOR:
        return operation.name in ACCESS_ADMINISTRATION
    if role.startswith(CUSTOM_ROLE):
        return operation.name == role.removeprefix(CUSTOM_ROLE).lower()
    [definition] = [known for known in BUILT_IN_ROLES if known.name == role]
    return definition.allows(operation.name, data=operation.kind == DATA)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.identity} {operation.name}")
def test_a_role_of_the_page_allows_each_operation(operation: Operation) -> None:
    assert any(allowed_by(role, operation) for identity, role in ROLES if identity == operation.identity)


@pytest.mark.parametrize(("identity", "role"), ROLES)
def test_each_role_of_the_page_is_needed(identity: str, role: str) -> None:
    others = [other for owner, other in ROLES if owner == identity and other != role]
    mine = [operation for operation in OPERATIONS if operation.identity == identity and allowed_by(role, operation)]
    assert [operation for operation in mine if not any(allowed_by(other, operation) for other in others)]


def test_only_the_deployer_changes_more_than_apis_incidents_and_rows() -> None:
    changing = {
        operation.name
        for operation in OPERATIONS
        if operation.identity != "deployer" and not operation.name.endswith("/read")
    }
    assert changing == {
        "microsoft.apimanagement/service/apis/write",
        "microsoft.apimanagement/service/subscriptions/write",
        "microsoft.apimanagement/service/tenant/write",
        "microsoft.insights/telemetry/write",
        "microsoft.securityinsights/incidents/write",
        "microsoft.securityinsights/incidents/comments/write",
    }
    assert not [row for row in ROLES if row[1] in {"Owner", "Contributor", "User Access Administrator"}]


@pytest.fixture(scope="module")
def published() -> Mapping[str, str]:
    """Kind by name in lower case of the operations that Microsoft publishes."""
    path: Path = shared_dir() / "reference" / "provider-operations.tsv"
    if not path.is_file():
        pytest.skip(f"no list of provider operations at {path}")
    with path.open(encoding="utf-8", newline="") as lines:
        listed = {row["action"].lower(): row["kind"] for row in csv.DictReader(lines, delimiter="\t")}
    assert not listed.keys() & PUBLISHED_ELSEWHERE.keys()
    return listed | PUBLISHED_ELSEWHERE


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.identity} {operation.name}")
def test_microsoft_publishes_each_operation(published: Mapping[str, str], operation: Operation) -> None:
    assert published.get(operation.name) == {"action": "action", DATA: "dataAction"}[operation.kind]

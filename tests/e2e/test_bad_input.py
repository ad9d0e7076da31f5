"""What a user types or sets wrongly: the exit code, the words that name it and its remedy, and nothing changed."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from apiward.infra.workspace import DCR_NAME
from apiward_lab.journal import Activity
from apiward_playbooks.runs import Run
from apiward_playbooks.store import SqliteRunStore
from tests.e2e import sign_in
from tests.e2e.commands import Command, run_all, varied
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import PASSWORD, SignIn, operator, without_credential

NOBODY = "11111111-2222-3333-4444-555555555555"
REQUESTER = "ana.silva@contoso.example"
LIST = ("incidents", "list")
RUN = ("ingest", "run")
PLAN = ("remediate", "plan", "{finding}", "--by", REQUESTER)
DCR_VERSION, ROLE_VERSION = "2023-03-11", "2022-04-01"
READS = ("/read", "Microsoft.ResourceGraph/resources")  # the ends of operations that change nothing
METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"


@dataclass(frozen=True)
class Mistake:
    """A command that must be refused. "{run}", "{hash}" and "{finding}" in it stand for those of a run that waits.

    `prepare` makes the environment where the identity's own will not do, `variables` replace settings in it, and `toml`
    is what stands in apiward.toml.
    """

    name: str
    arguments: tuple[str, ...]
    code: int
    words: tuple[str, ...]
    variables: Mapping[str, str | None] = field(default_factory=dict)
    toml: str = ""
    identity: str = "playbooks"
    prepare: SignIn | None = None


def signed_in(how: Callable[..., dict[str, str]]) -> SignIn:
    """The operator's endpoints with nothing to sign in with but what `how` makes."""
    return lambda raised, folder: without_credential(raised) | how(raised, folder)


def guardrails(text: str) -> SignIn:
    """A guardrails file of this text."""

    def write(raised: Raised, folder: Path) -> dict[str, str]:
        (folder / "guardrails.yaml").write_text(text)
        return {**raised.environment("playbooks"), "APIWARD_GUARDRAILS_FILE": "guardrails.yaml"}

    return write


def rule_without_our_streams(raised: Raised, folder: Path) -> dict[str, str]:
    """A data collection rule that the connector may send through, and that only knows health rows."""
    with raised.demo.app("admin") as admin:
        arm, group = admin.clients.arm(), raised.lab.workspace.resource_id.partition("/providers/")[0]
        rules = f"{group}/providers/Microsoft.Insights/dataCollectionRules"
        ours = arm.get(f"{rules}/{DCR_NAME}", api_version=DCR_VERSION)
        properties, stream = ours["properties"], "Custom-DefenderApiHealth_CL"
        other = {
            "destinations": properties["destinations"],
            "streamDeclarations": {stream: properties["streamDeclarations"][stream]},
            "dataFlows": [flow for flow in properties["dataFlows"] if flow["streams"] == [stream]],
        }
        body = {"location": ours["location"], "kind": ours["kind"], "properties": other}
        made = arm.put(f"{rules}/dcr-of-health-only", body, api_version=DCR_VERSION)
        role = f"{group.partition('/resourceGroups')[0]}/providers/Microsoft.Authorization/roleDefinitions"
        assignment = {
            "roleDefinitionId": f"{role}/{METRICS_PUBLISHER}",
            "principalId": raised.demo.lab.object_id("connector"),
            "principalType": "ServicePrincipal",
        }
        arm.put(
            f"{made['id']}/providers/Microsoft.Authorization/roleAssignments/{UUID(int=1)}",
            {"properties": assignment},
            api_version=ROLE_VERSION,
        )
    rule = {"APIWARD_DCR_IMMUTABLE_ID": made["properties"]["immutableId"], "APIWARD_STATE_DIR": str(folder)}
    return raised.environment("connector") | rule


MISTAKES = [
    Mistake("no workspace", LIST, 2, ("workspace_id", "APIWARD_WORKSPACE_ID"), {"workspace_id": None}),
    Mistake(
        "nothing to sign in with", LIST, 2, ("client_id", "client_secret"), {"client_id": None, "client_secret": None}
    ),
    Mistake(
        "no endpoint to send to",
        RUN,
        2,
        ("ingestion_endpoint", "APIWARD_DCR_IMMUTABLE_ID"),
        {"ingestion_endpoint": None, "dcr_immutable_id": None},
        identity="connector",
    ),
    Mistake(
        "no subscriptions",
        RUN,
        2,
        ("subscriptions", "APIWARD_SUBSCRIPTIONS"),
        {"subscriptions": None},
        identity="connector",
    ),
    Mistake("unknown setting", LIST, 2, ("subscritpions", "apiward.toml"), toml='subscritpions = ["a"]\n'),
    Mistake("invalid TOML", LIST, 2, ("apiward.toml", "line 2", "TOML"), toml="state_dir = '.'\ncloud = = 'public'\n"),
    Mistake("unknown source", RUN, 2, ("source", "'assessments' or 'resource_graph'"), {"source": "portal"}),
    Mistake(
        "settings that contradict each other", LIST, 2, ("cloud = 'custom'", "arm_endpoint"), {"arm_endpoint": None}
    ),
    Mistake("plain http", LIST, 2, ("arm_endpoint", "https"), {"arm_endpoint": "http://127.0.0.1:1"}),
    Mistake("China", LIST, 2, ("china", "retired", "usgov"), {"cloud": "china", "arm_endpoint": None}),
    Mistake(
        "unreachable endpoint",
        LIST,
        1,
        ("https://127.0.0.1:1", "endpoint settings"),
        {"arm_endpoint": "https://127.0.0.1:1"},
    ),
    Mistake(
        "wrong CA",
        LIST,
        1,
        ("CERTIFICATE_VERIFY_FAILED", "CA bundle"),
        prepare=signed_in(sign_in.foreign_authority),
    ),
    Mistake(
        "wrong secret",
        LIST,
        1,
        ("AADSTS7000215", "client_id and its secret"),
        prepare=signed_in(sign_in.wrong_secret),
    ),
    Mistake("unknown tenant", LIST, 1, (NOBODY, "tenant_id"), prepare=signed_in(sign_in.unknown_tenant)),
    Mistake(
        "unregistered certificate",
        LIST,
        1,
        ("AADSTS700027", "certificate"),
        prepare=signed_in(sign_in.unregistered_certificate),
    ),
    Mistake(
        "wrong password of a certificate",
        LIST,
        2,
        ("locked.pem", "client_certificate_password"),
        prepare=signed_in(sign_in.wrong_password),
    ),
    Mistake(
        "expired token file",
        LIST,
        1,
        ("AADSTS700024", "Check the credential settings"),
        prepare=signed_in(sign_in.expired_token),
    ),
    Mistake(
        "somebody else's token file",
        LIST,
        1,
        ("AADSTS700213", "Check the credential settings"),
        prepare=signed_in(sign_in.foreign_token),
    ),
    Mistake(
        "signed-out developer",
        LIST,
        1,
        ("AzureCliCredential: Please run 'az login'", "sign in again with: az login"),
        prepare=signed_in(sign_in.signed_out_developer),
    ),
    Mistake(
        "no role on the workspace",
        LIST,
        1,
        ("Microsoft.SecurityInsights/incidents/read", "law-contoso-sentinel", "docs/permissions.md"),
        prepare=signed_in(sign_in.no_role),
    ),
    Mistake(
        "no role to change anything",
        ("infra", "deploy"),
        1,
        (
            "Microsoft.OperationalInsights/workspaces/tables/write",
            "law-contoso-sentinel",
            "docs/permissions.md",
        ),
        identity="operator",
    ),
    Mistake(
        "a data collection rule that does not fit the tables",
        RUN,
        1,
        ("Custom-DefenderApiRecommendations_CL", "apiward infra deploy", "dcr_immutable_id"),
        identity="connector",
        prepare=rule_without_our_streams,
    ),
    Mistake("unknown workspace", ("incidents", "show", "1"), 1, (NOBODY,), {"workspace_customer_id": NOBODY}),
    Mistake("unknown incident", ("incidents", "show", "4711"), 1, ("4711", "incidents list")),
    Mistake("unknown finding", ("remediate", "plan", "no-such-finding"), 1, ("no-such-finding", "current finding")),
    Mistake("bytes that are no text", (*PLAN[:-1], "\udcff"), 2, ("'\\udcff'", "UTF-8")),
    Mistake("unknown run", ("remediate", "show", "no-such-run"), 1, ("no-such-run", "remediate list")),
    Mistake(
        "another plan's hash",
        ("remediate", "approve", "{run}", "--by", "ben", "--plan", "0" * 64),
        1,
        ("{run}", "another plan"),
    ),
    Mistake(
        "approved by who asked",
        ("remediate", "approve", "{run}", "--by", REQUESTER, "--plan", "{hash}"),
        3,
        (REQUESTER, "{run}"),
    ),
    Mistake(
        "applied before it is approved", ("remediate", "apply", "{run}"), 3, ("{run}", "AwaitingApproval", "approval")
    ),
    Mistake(
        "outside the allowed scopes",
        PLAN,
        3,
        ("allowed_scopes", "/service/"),
        {"allowed_scopes": f"/subscriptions/{NOBODY}"},
    ),
    Mistake(
        "no guardrails file there",
        PLAN,
        3,
        ("no-such.yaml", "guardrails_file"),
        {"guardrails_file": "no-such.yaml"},
    ),
    Mistake(
        "malformed guardrails", PLAN, 3, ("guardrails.yaml", "line 3"), prepare=guardrails("version: 1\nmode: [\n")
    ),
    Mistake(
        "guardrails with a misspelt field",
        PLAN,
        3,
        ("guardrails.yaml", "kill_swich"),
        prepare=guardrails("kill_swich: true\n"),
    ),
    Mistake("no lab", ("lab", "env", "connector"), 2, ("lab.json", "apiward lab up")),
]


@dataclass(frozen=True)
class Refused:
    """What became of all mistakes, the run that they name, and what there was before and after."""

    done: Mapping[str, subprocess.CompletedProcess[str]]
    run: Run
    before: tuple[object, ...]
    after: tuple[object, ...]


@pytest.fixture(scope="module")
def refused(raised: Raised, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Every mistake, made while a run waits for approval."""
    run = waiting_run(raised)
    commands = {mistake.name: command(raised, mistake, run, tmp_path_factory.mktemp("user")) for mistake in MISTAKES}
    raised.demo.wait(sign_in.ROLES_TAKE_EFFECT, "")
    before = what_is_there(raised)
    return Refused(run_all(commands), run, before, what_is_there(raised))


def waiting_run(raised: Raised) -> Run:
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        planned = [
            run
            for incident in raised.demo.remediable(opened)
            for run in playbooks.plan_incident(incident.number, requested_by=REQUESTER).runs
        ]
    return next(run for run in planned if run.state == "AwaitingApproval")


def what_is_there(raised: Raised) -> tuple[Sequence[Activity], Sequence[Run], int]:
    """What was done to Azure, without what is read by POST; the runs; how many rows came."""
    activities = [
        entry for entry in raised.lab.journal.activities if entry.status < 400 and not entry.operation.endswith(READS)
    ]
    with raised.demo.app("playbooks") as opened:
        [sent] = opened.logs().query("DefenderApiRecommendations_CL | count", timespan=sign_in.LONG)
    return activities, SqliteRunStore(raised.demo.folder / "playbooks" / "runs.sqlite").all(), sent["Count"]


def command(raised: Raised, mistake: Mistake, run: Run, folder: Path) -> Command:
    if mistake.toml:
        (folder / "apiward.toml").write_text(mistake.toml)
    environment = mistake.prepare(raised, folder) if mistake.prepare else raised.environment(mistake.identity)
    arguments = tuple(filled(argument, run) for argument in mistake.arguments)
    return Command(arguments, varied(environment, mistake.variables), folder)


def filled(text: str, run: Run) -> str:
    return text.format(run=run.id, hash=run.plan_hash, finding=run.target.finding_id)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_with_its_remedy(refused: Refused, raised: Raised, mistake: Mistake) -> None:
    done = refused.done[mistake.name]
    assert done.returncode == mistake.code, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert [word for word in mistake.words if filled(word, refused.run) not in said] == [], said
    assert "Traceback" not in said
    assert not [secret for secret in (PASSWORD, operator(raised).client_secret) if secret in said]


def test_no_mistake_changes_anything(refused: Refused) -> None:
    assert refused.before[1]
    assert refused.after == refused.before

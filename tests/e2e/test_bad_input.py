"""What a user types or sets wrongly: the exit code, the words that name it, and nothing changed anywhere."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apiward_lab.journal import Activity
from apiward_playbooks.runs import Run
from apiward_playbooks.store import SqliteRunStore
from tests.e2e.commands import Command, refusal, run_all, varied
from tests.e2e.conftest import Raised

NOBODY = "11111111-2222-3333-4444-555555555555"
REQUESTER = "ana.silva@contoso.example"
LIST = ("incidents", "list")


@dataclass(frozen=True)
class Mistake:
    """A command that must be refused. "{run}", "{hash}" and "{finding}" in it stand for those of a run that waits."""

    name: str
    arguments: tuple[str, ...]
    code: int
    words: tuple[str, ...]
    variables: Mapping[str, str | None] = field(default_factory=dict)
    toml: str = ""
    identity: str = "playbooks"


MISTAKES = [
    Mistake("no workspace", LIST, 2, ("workspace_id", "APIWARD_WORKSPACE_ID"), {"workspace_id": None}),
    Mistake(
        "nothing to sign in with", LIST, 2, ("client_id", "client_secret"), {"client_id": None, "client_secret": None}
    ),
    Mistake(
        "no endpoint to send to",
        ("ingest", "run"),
        2,
        ("ingestion_endpoint", "APIWARD_DCR_IMMUTABLE_ID"),
        {"ingestion_endpoint": None, "dcr_immutable_id": None},
        identity="connector",
    ),
    Mistake(
        "no subscriptions",
        ("ingest", "run"),
        2,
        ("subscriptions", "APIWARD_SUBSCRIPTIONS"),
        {"subscriptions": None},
        identity="connector",
    ),
    Mistake("unknown setting", LIST, 2, ("subscritpions", "apiward.toml"), toml='subscritpions = ["a"]\n'),
    Mistake("invalid TOML", LIST, 2, ("apiward.toml", "line 2", "TOML"), toml="state_dir = '.'\ncloud = = 'public'\n"),
    Mistake("plain http", LIST, 2, ("arm_endpoint", "https"), {"arm_endpoint": "http://127.0.0.1:1"}),
    Mistake("China", LIST, 2, ("china", "retired", "usgov"), {"cloud": "china", "arm_endpoint": None}),
    Mistake("unknown workspace", ("incidents", "show", "1"), 1, (NOBODY,), {"workspace_customer_id": NOBODY}),
    Mistake("unknown incident", ("incidents", "show", "4711"), 1, ("4711", "incidents list")),
    Mistake("unknown finding", ("remediate", "plan", "no-such-finding"), 1, ("no-such-finding", "current finding")),
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
        ("remediate", "plan", "{finding}"),
        3,
        ("allowed_scopes", "/apis/"),
        {"allowed_scopes": f"/subscriptions/{NOBODY}"},
    ),
    Mistake("no lab", ("lab", "env", "connector"), 2, ("lab.json", "apiward lab up")),
]


@dataclass(frozen=True)
class Refused:
    """What became of all mistakes, the run that they name, and what the lab and the store had before and after."""

    done: Mapping[str, subprocess.CompletedProcess[str]]
    run: Run
    before: tuple[Sequence[Activity], Sequence[Run]]
    after: tuple[Sequence[Activity], Sequence[Run]]


@pytest.fixture(scope="module")
def refused(raised: Raised, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Every mistake, made while a run waits for approval."""
    with raised.demo.app("playbooks") as opened:
        incident, _ = raised.demo.choose(opened)
        run = opened.playbooks().plan_incident(incident.number, requested_by=REQUESTER).runs[0]
    before = what_is_there(raised)
    commands = {mistake.name: command(raised, mistake, run, tmp_path_factory.mktemp("user")) for mistake in MISTAKES}
    return Refused(run_all(commands), run, before, what_is_there(raised))


def what_is_there(raised: Raised) -> tuple[Sequence[Activity], Sequence[Run]]:
    """The activity log, without the alerts of incidents, which are read by POST; and the runs."""
    activities = [entry for entry in raised.lab.journal.activities if not entry.operation.endswith("/read")]
    return activities, SqliteRunStore(raised.demo.folder / "playbooks" / "runs.sqlite").all()


def command(raised: Raised, mistake: Mistake, run: Run, folder: Path) -> Command:
    if mistake.toml:
        (folder / "apiward.toml").write_text(mistake.toml)
    arguments = tuple(filled(argument, run) for argument in mistake.arguments)
    return Command(arguments, varied(raised.environment(mistake.identity), mistake.variables), folder)


def filled(text: str, run: Run) -> str:
    return text.format(run=run.id, hash=run.plan_hash, finding=run.target.finding_id)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_with_its_remedy(refused: Refused, mistake: Mistake) -> None:
    done = refused.done[mistake.name]
    assert done.returncode == mistake.code, done.stderr
    said = " ".join(refusal(done))
    assert [word for word in mistake.words if filled(word, refused.run) not in said] == []


def test_no_mistake_changes_anything(refused: Refused) -> None:
    assert refused.before[1]
    assert refused.after == refused.before

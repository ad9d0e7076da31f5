"""The guardrails file at the command line: what it allows, what it refuses, and what becomes of incidents."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_playbooks.runs import State
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised

DIRECT, PROTOCOLS = "apim-direct-management", "apim-encrypted-protocols"
A_DAY, AN_HOUR = timedelta(hours=25), timedelta(minutes=75)
Done = subprocess.CompletedProcess[str]


class Office:
    """The command line of the playbooks under a guardrails file that a test writes."""

    def __init__(self, raised: Raised, folder: Path) -> None:
        self._raised = raised
        self._folder = folder

    def under(self, text: str | None, **settings: str) -> Callable[..., Done]:
        """The command under these guardrails, under none with None, and other settings."""
        path = self._folder / "guardrails.yaml"
        if text is not None:
            path.write_text(text, "utf-8")
        changes = {"guardrails_file": None if text is None else str(path), **settings}

        def run(*arguments: str) -> Done:
            environment = varied(self._raised.environment("playbooks"), changes)
            return apiward(*arguments, environment=environment, folder=self._folder)

        return run

    def incident(self, slug: str) -> int:
        """An open incident about a recommendation, none of whose findings has a run."""
        with self._raised.demo.app("playbooks") as opened:
            playbooks = opened.playbooks()
            busy = {run.target.finding_id for run in playbooks.list()}
            for incident in opened.incidents().open():
                _, findings = playbooks.findings_of(incident.number)
                if {f.recommendation for f in findings} == {slug} and not busy & {f.finding_id for f in findings}:
                    return incident.number
        raise LookupError(f"no incident about {slug} is untouched")

    def open_about(self, finding_id: str) -> list[int]:
        """The numbers of the open incidents that a finding is in."""
        with self._raised.demo.app("playbooks") as opened:
            playbooks = opened.playbooks()
            numbers = [incident.number for incident in opened.incidents().open()]
            return [n for n in numbers if finding_id in {f.finding_id for f in playbooks.findings_of(n)[1]}]

    def later(self, *steps: timedelta) -> None:
        """Time passes; Defender looks, the connector brings in what it says, and the rules run."""
        for step in steps:
            self._raised.demo.wait(step, "")
        self._raised.demo.ingest("")
        self._raised.demo.wait(AN_HOUR, "")

    def writes(self) -> int:
        """How many writes there were to API Management so far."""
        return sum("/Microsoft.ApiManagement/" in entry.resource_id for entry in self._raised.lab.journal.activities)


@pytest.fixture
def office(raised: Raised, tmp_path: Path) -> Office:
    return Office(raised, tmp_path)


def first(done: Done) -> dict[str, Any]:
    """The run that a command shows, or the first of them."""
    run, *_ = json.loads(done.stdout)
    found: dict[str, Any] = run
    return found


ALL = f"default: approval\nrules:\n  - {{recommendation: {DIRECT}, mode: automatic}}\n"


def test_a_rule_applies_by_itself_and_a_rollback_keeps_the_finding_in_one_open_incident(office: Office) -> None:
    run, number = office.under(ALL), office.incident(DIRECT)
    planned = first(run("remediate", "plan", "--incident", str(number), "--by", "ana", "--json"))
    assert (planned["state"], planned["decided_by"]) == (State.APPROVED, "guardrails")
    assert "rule 1 of" in planned["decided_why"]
    again = run("remediate", "plan", "--incident", str(number), "--by", "ana")
    assert (again.returncode, "Nothing to plan" in again.stdout) == (0, True)
    before = office.writes()
    assert run("remediate", "verify", planned["id"], "--json").returncode == 1
    held = office.under(ALL, allowed_scopes=f"/subscriptions/{'9' * 8}-2222-3333-4444-555555555555")(
        "remediate", "apply", planned["id"]
    )
    assert (held.returncode, "is outside the allowed scopes" in held.stderr) == (3, True)

    assert first(run("remediate", "apply", planned["id"], "--json"))["state"] == State.VERIFIED
    assert office.writes() == before + 1
    looked = run("remediate", "verify", planned["id"], "--json")
    assert (looked.returncode, json.loads(looked.stdout)["healthy"]) == (0, True)

    finding = planned["target"]["finding_id"]
    office.later(A_DAY)
    assert first(run("remediate", "rollback", planned["id"], "--by", "ana", "--json"))["state"] == State.ROLLED_BACK
    applied = run("remediate", "apply", planned["id"])
    assert (applied.returncode, "is RolledBack; it is not applied again" in applied.stderr) == (1, True)
    reconciled = json.loads(run("incidents", "reconcile", "--json").stdout)
    assert {entry["number"]: entry["how"] for entry in reconciled["incidents"]}[number].startswith("still open: 1 of")
    office.later(A_DAY)
    run("incidents", "reconcile")
    assert office.open_about(finding) == [number]
    audited = run("remediate", "audit", planned["id"], "--json")
    assert (audited.returncode, json.loads(audited.stdout)["faults"]) == (0, [])
    assert "Its chain of hashes is whole." in run("remediate", "audit", planned["id"]).stdout


def test_a_rollback_after_the_incident_was_closed_opens_another(office: Office) -> None:
    run, number = office.under(ALL), office.incident(DIRECT)
    planned = first(run("remediate", "plan", "--incident", str(number), "--by", "ana", "--json"))
    run("remediate", "apply", planned["id"])
    office.later(A_DAY)
    run("incidents", "reconcile")
    finding = planned["target"]["finding_id"]
    assert office.open_about(finding) == []
    assert first(run("remediate", "rollback", planned["id"], "--by", "ana", "--json"))["state"] == State.ROLLED_BACK
    office.later(A_DAY)
    run("incidents", "reconcile")
    [new] = office.open_about(finding)
    assert new != number


@pytest.mark.parametrize("slug", [PROTOCOLS, "apim-endpoint-authenticated"], ids=["unreadable", "guided"])
def test_what_is_forbidden_for_every_finding_of_an_incident_is_said_once(office: Office, slug: str) -> None:
    number = office.incident(slug)
    done = office.under("default: [" if slug == PROTOCOLS else "default: approval\n")(
        "remediate", "plan", "--incident", str(number), "--by", "ana"
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("Not planned") == 1
    assert done.stderr.count("guardrails.yaml are no YAML" if slug == PROTOCOLS else f"{slug} is guided") == 1


def test_without_guardrails_a_plan_is_blocked_and_no_approval_helps(office: Office) -> None:
    run, number = office.under(None), str(office.incident(PROTOCOLS))
    before = office.writes()
    planned = run("remediate", "plan", "--incident", number, "--by", "ana", "--json")
    blocked = first(planned)
    assert (planned.returncode, blocked["state"]) == (3, State.BLOCKED)
    assert "the mode is report by the default" in planned.stderr
    assert "then plan again" in planned.stderr
    assert first(run("remediate", "plan", "--incident", number, "--by", "ana", "--json"))["id"] == blocked["id"]
    approved = run("remediate", "approve", blocked["id"], "--plan", blocked["plan_hash"], "--by", "ben")
    assert (approved.returncode, "No approval helps" in approved.stderr) == (3, True)
    applied = run("remediate", "apply", blocked["id"])
    assert (applied.returncode, "nothing was changed" in applied.stderr) == (3, True)
    assert office.writes() == before


def test_an_approval_needs_the_right_person_and_a_ticket_and_a_kill_switch_stops_it_all(office: Office) -> None:
    strict = ALL + "approval: {approvers: [ben, ana], ticket_pattern: 'CHG-\\d+'}\n"
    run, number = office.under(strict), str(office.incident(PROTOCOLS))
    planned = first(run("remediate", "plan", "--incident", number, "--by", "ana", "--json"))
    approve = ("remediate", "approve", planned["id"], "--plan", planned["plan_hash"])
    for arguments, said in (
        (("--by", "ana", "--ticket", "CHG-1"), "asked for run"),
        (("--by", "dana", "--ticket", "CHG-1"), "dana may not approve"),
        (("--by", "ben"), "needs a change ticket"),
    ):
        refused = run(*approve, *arguments)
        assert (refused.returncode, said in refused.stderr) == (3, True), refused.stderr
    assert first(run(*approve, "--by", "ben", "--ticket", "CHG-1", "--json"))["decided_why"] == "CHG-1"

    before = office.writes()
    stopped = office.under(strict + "kill_switch: true\n")("remediate", "apply", planned["id"])
    assert (stopped.returncode, "the kill switch" in stopped.stderr) == (3, True)
    listed = json.loads(run("remediate", "list", "--state", "approved", "--json").stdout)
    assert planned["id"] in {entry["id"] for entry in listed}
    assert office.writes() == before
    assert first(office.under(strict)("remediate", "apply", planned["id"], "--json"))["state"] == State.VERIFIED
    assert office.writes() == before + 1


def test_an_accepted_risk_closes_its_incident_and_blocks_plans(office: Office, raised: Raised) -> None:
    number = office.incident(PROTOCOLS)
    with raised.demo.app("playbooks") as opened:
        _, findings = opened.playbooks().findings_of(number)
    service = ArmId.parse(findings[0].resource_id).top_level()
    accepted = (
        f"{ALL}accepted_risks:\n  - {{recommendation: {PROTOCOLS}, scope: {service}, reason: legacy, "
        "accepted_by: ciso, expires: 2099-01-01}\n"
    )
    run = office.under(accepted)
    planned = run("remediate", "plan", "--incident", str(number), "--by", "ana", "--json")
    assert (planned.returncode, "ciso accepted the risk until 2099-01-01: legacy" in planned.stderr) == (3, True)
    reconciled = json.loads(run("incidents", "reconcile", "--json").stdout)
    verdicts = {entry["number"]: entry["how"] for entry in reconciled["incidents"]}
    assert verdicts[number].endswith("accepted as a risk")
    assert office.open_about(findings[0].finding_id) == []

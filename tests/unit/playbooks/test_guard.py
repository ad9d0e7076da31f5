"""The guardrails between a run and its writes: read anew each time, and held when they cannot be."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import AccessError, ApiwardError, GuardrailError, TransientError
from apiward_playbooks import transitions
from apiward_playbooks.budget import SqliteBudget
from apiward_playbooks.engine import Engine
from apiward_playbooks.findings import FindingState
from apiward_playbooks.guard import Guard
from apiward_playbooks.guardrails.document import Mode
from apiward_playbooks.guardrails.limits import Ruling
from apiward_playbooks.guardrails.load import read_guardrails
from apiward_playbooks.runs import ENDED, Run, State
from apiward_playbooks.tags import service_tags
from tests.property.world import SERVICE, START, FrozenClock, Fuse, MemoryStore, World, approve, engine_for, planned

SLUGS = frozenset(entry.slug for entry in load_catalogue())
AUTOMATIC = "rules: [{recommendation: apim-encrypted-protocols, mode: automatic}]\n"
APPROVAL = AUTOMATIC.replace("automatic", "approval")
TAGGED = AUTOMATIC + "protected: {tags: {apiward: hands-off}}\n"


class Office:
    """A guardrails file that a test rewrites, the guard that reads it, and an engine behind that guard."""

    def __init__(self, folder: Path, text: str = APPROVAL) -> None:
        self._path = folder / "guardrails.yaml"
        self.clock = FrozenClock()
        self.tags: Mapping[str, str] | ApiwardError = {}
        self.write(text)
        self.guard = Guard(
            read=lambda: read_guardrails(self._path, slugs=SLUGS),
            tags=self._read_tags,
            catalogue=load_catalogue(),
            budget=SqliteBudget(folder / "runs.sqlite"),
            clock=self.clock,
        )

    def write(self, text: str) -> None:
        self._path.write_text(text, "utf-8")

    def engine(self, world: World, run: Run) -> Engine:
        store = MemoryStore()
        store.add(run)
        return engine_for(world, store, Fuse(), self.clock, gate=self.guard)

    def _read_tags(self, _: ArmId) -> Mapping[str, str]:
        if isinstance(self.tags, ApiwardError):
            raise self.tags
        return self.tags


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


HELD = [
    ("rules: [", "are no YAML"),
    ("default: report", "allow report now (the default of"),
    (APPROVAL + "approval: {approvers: [cleo]}", "approval holds no longer: ben may not approve"),
    (APPROVAL + "approval: {ticket_pattern: 'CHG-.+'}", "approval holds no longer: Run run-1 needs a change ticket"),
    (APPROVAL + "kill_switch: true", "the kill switch"),
    (APPROVAL + "freeze: {weekly: [{reason: All, days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]}]}", "a freeze window"),
    (APPROVAL + f"protected: {{ids: [{SERVICE}]}}", "is protected"),
    (APPROVAL + "budget: {hour: 0}", "budget of 0 changes in one hour"),
    (APPROVAL + "accepted_risks: [{finding: f-1, reason: r, accepted_by: ciso, expires: 2026-12-01}]", "ciso accepted"),
]


@pytest.mark.parametrize(("text", "why"), HELD, ids=[why for _, why in HELD])
def test_an_approved_run_is_held_says_why_once_and_goes_on(office: Office, text: str, why: str) -> None:
    world, run = planned(1)
    engine = office.engine(world, approve(run))
    office.write(text)
    held = engine.advance(run.id)
    assert (held.state, why in held.held) == (State.APPROVED, True)
    assert engine.advance(run.id) == held
    assert not world.writes
    assert [row.columns["Step"] for row in world.audit.values()].count("hold") == 1
    assert any(why.split(maxsplit=1)[0] in comment.message for comment in world.comments.values())
    office.write(APPROVAL)
    done = engine.advance(run.id)
    assert (done.state, done.held) == (State.CLOSED, "")


def test_a_held_run_expires_with_its_plan(office: Office) -> None:
    world, run = planned(1)
    engine = office.engine(world, approve(run))
    office.write("kill_switch: true")
    engine.advance(run.id)
    office.clock.moment = START.replace(day=25)
    assert engine.advance(run.id).state == State.EXPIRED


def test_an_automatic_run_is_held_when_its_mode_was_lowered_to_approval(office: Office) -> None:
    world, run = planned(1)
    automatic = transitions.ruled(run, Ruling(Mode.AUTOMATIC, "rule 1"), START)
    engine = office.engine(world, automatic)
    assert "allow approval now" in engine.advance(run.id).held
    office.write(AUTOMATIC)
    assert engine.advance(run.id).state == State.CLOSED


def test_an_approval_holds_as_long_as_its_ticket_does(office: Office) -> None:
    world, run = planned(1)
    approved = transitions.approved(run, by="ben", why="", ticket="CHG-7", plan_hash_seen=run.plan_hash, now=START)
    office.write(APPROVAL + "approval: {ticket_pattern: 'CHG-.+'}")
    assert office.engine(world, approved).advance(run.id).state == State.CLOSED


def test_a_run_that_is_stored_as_reported_writes_nothing(office: Office) -> None:
    world, run = planned(1)
    office.write("default: report")
    held = office.engine(world, replace(approve(run), mode=Mode.REPORT)).advance(run.id)
    assert (held.state, "allow report now" in held.held, world.writes) == (State.APPROVED, True, [])


def test_a_limit_between_two_writes_stops_the_run_half_way(office: Office) -> None:
    office.write(APPROVAL + "budget: {hour: 1}")
    world, run = planned(2)
    engine = office.engine(world, approve(run))
    stopped = engine.advance(run.id)
    assert (stopped.state, "1 changes in one hour" in stopped.problem) == (State.PARTIALLY_APPLIED, True)
    assert len(world.writes) == 1


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("default: report\nbudget: {hour: 0}", State.ROLLED_BACK),
        ("kill_switch: true", State.ROLLING_BACK),
        ("rules: [", State.ROLLING_BACK),
    ],
    ids=["no other limit", "kill switch", "unreadable"],
)
def test_a_way_back_is_stopped_by_the_kill_switch_alone(office: Office, text: str, ends: State) -> None:
    world, run = planned(1)
    engine = office.engine(world, approve(run))
    engine.advance(run.id)
    office.write(text)
    engine.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))
    undone = engine.advance(run.id)
    assert (undone.state, bool(undone.held)) == (ends, ends is State.ROLLING_BACK)
    office.write(APPROVAL)
    assert engine.advance(run.id).state == State.ROLLED_BACK


@pytest.mark.parametrize(
    ("limit", "why"),
    [(f"protected: {{ids: [{SERVICE}/apis/api-1]}}", "api-1 is protected"), ("budget: {run: 1}", "needs 2 changes")],
)
def test_every_change_of_a_plan_counts(office: Office, limit: str, why: str) -> None:
    _, run = planned(2)
    office.write(APPROVAL + limit)
    assert why in office.guard.ruling(run.target, run.plan.changes).blocks
    with pytest.raises(GuardrailError, match=why):
        office.guard.permit(approve(run), 1, back=False)


def test_a_protected_tag_blocks_and_tags_that_cannot_be_read_allow_nothing(office: Office) -> None:
    _, run = planned(1)
    office.write(TAGGED)
    assert office.guard.ruling(run.target, run.plan.changes).blocks == ""
    office.tags = {"Apiward": "Hands-off"}
    assert "tag apiward=hands-off" in office.guard.ruling(run.target, run.plan.changes).blocks
    office.tags = AccessError("HTTP 403 while reading the tags.", remedy="Grant it.")
    with pytest.raises(GuardrailError, match="tags cannot be checked: HTTP 403"):
        office.guard.permit(run, 0, back=False)
    office.tags = TransientError("no route.", remedy="Try again.")
    with pytest.raises(TransientError):
        office.guard.permit(run, 0, back=False)


def test_tags_are_not_read_for_nothing(office: Office) -> None:
    _, run = planned(1)
    office.tags = AccessError("HTTP 403.", remedy="Grant it.")
    assert office.guard.ruling(run.target, run.plan.changes).blocks == ""


def test_tags_of_what_is_no_api_management_service_are_unknown() -> None:
    site = ArmId.parse(SERVICE.replace("Microsoft.ApiManagement/service", "Microsoft.Web/sites"))
    nothing: Any = None
    with pytest.raises(GuardrailError, match="cannot be read"):
        service_tags(nothing, site)


@pytest.mark.parametrize(
    ("ruling", "state", "decided_by"),
    [
        (Ruling(Mode.REPORT, "rule 1 of x"), State.BLOCKED, ""),
        (Ruling(Mode.AUTOMATIC, "rule 1 of x", ("it is protected",)), State.BLOCKED, ""),
        (Ruling(Mode.APPROVAL, "rule 1 of x"), State.AWAITING_APPROVAL, ""),
        (Ruling(Mode.AUTOMATIC, "rule 1 of x"), State.APPROVED, "guardrails"),
    ],
    ids=["report", "protected", "approval", "automatic"],
)
def test_the_guardrails_decide_what_becomes_of_a_plan(ruling: Ruling, state: State, decided_by: str) -> None:
    _, run = planned(1)
    ruled = transitions.ruled(run, ruling, START)
    assert (ruled.state, ruled.decided_by, ruled.mode) == (state, decided_by, ruling.mode)
    if state is State.APPROVED:
        assert "rule 1 of x" in ruled.outbox[-1].columns["Decision"]  # type: ignore[union-attr]


def test_accepted_risks_are_found_by_finding_and_by_recommendation_and_scope(office: Office) -> None:
    office.write(f"""
accepted_risks:
  - {{finding: f-1, reason: one, accepted_by: ciso, expires: 2026-12-01}}
  - {{recommendation: apim-encrypted-protocols, scope: {SERVICE}, reason: two, accepted_by: ciso, expires: 2026-12-01}}
""")
    places = {"f-1": f"{SERVICE}-2", "f-2": f"{SERVICE}/apis/a", "f-3": f"{SERVICE}-2"}
    found = office.guard.accepted_risks(
        FindingState(name, "Unhealthy", "New", "", None, "apim-encrypted-protocols", place)
        for name, place in places.items()
    )
    assert {name: risk.reason for name, risk in found.items()} == {"f-1": "one", "f-2": "two"}


def test_nobody_can_approve_a_blocked_run() -> None:
    _, run = planned(1)
    blocked = transitions.ruled(run, Ruling(Mode.REPORT, "rule 7 of x"), START)
    assert blocked.state in ENDED
    with pytest.raises(GuardrailError, match="is blocked: the mode is report by rule 7 of x"):
        approve(blocked)


def test_a_stored_run_of_a_rule_is_applied_as_its_plan_says(office: Office) -> None:
    world, run = planned(1)
    office.write(AUTOMATIC)
    automatic = transitions.ruled(run, office.guard.ruling(run.target, run.plan.changes), START)
    altered = replace(automatic, plan=planned(2)[1].plan)
    with pytest.raises(ApiwardError, match="was altered"):
        office.engine(world, altered).advance(run.id)
    assert not world.writes

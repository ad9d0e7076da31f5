"""The rules of single steps, and runs that stop."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apiward_core.errors import (
    AccessError,
    ApiwardError,
    ConflictError,
    GuardrailError,
    MissingError,
    RejectedDataError,
    TransientError,
)
from apiward_playbooks import transitions
from apiward_playbooks.comments import describe
from apiward_playbooks.engine import Engine
from apiward_playbooks.remediation import Change, Evidence, Observed
from apiward_playbooks.runs import ENDED, Comment, Run, State
from tests.property.world import (
    START,
    FrozenClock,
    Fuse,
    MemoryStore,
    World,
    WorldEffects,
    WorldGate,
    approve,
    engine_for,
    planned,
    with_irreversible,
)


def _engine(run: Run, world: World, clock: FrozenClock | None = None) -> Engine:
    store = MemoryStore()
    store.add(run)
    return engine_for(world, store, Fuse(), clock)


def test_an_approval_of_another_plan_is_refused() -> None:
    _, run = planned(1)
    with pytest.raises(ConflictError, match="another plan"):
        transitions.approved(run, by="ben", why="", plan_hash_seen="0" * 64, now=START)


def test_an_approval_after_expiry_is_refused() -> None:
    _, run = planned(1)
    with pytest.raises(GuardrailError, match="expired at 2026-11-24"):
        transitions.approved(run, by="ben", why="", plan_hash_seen=run.plan_hash, now=START + timedelta(hours=24))


def test_a_second_approval_is_refused() -> None:
    _, run = planned(1)
    with pytest.raises(ConflictError, match="is Approved"):
        transitions.approved(approve(run), by="cleo", why="", plan_hash_seen=run.plan_hash, now=START)


def test_an_approved_plan_that_expires_is_not_applied() -> None:
    world, run = planned(1)
    ended = _engine(approve(run), world, FrozenClock(START + timedelta(hours=25))).advance(run.id)
    assert ended.state == State.EXPIRED
    assert not world.writes


def test_a_stored_plan_that_was_altered_is_not_applied() -> None:
    world, run = planned(1)
    approved = approve(run)
    foreign, _ = planned(2)
    altered = replace(approved, plan=planned(2)[1].plan)
    with pytest.raises(ConflictError, match="was altered"):
        _engine(altered, foreign).advance(run.id)
    assert not foreign.writes
    assert not world.writes


def test_drift_stops_before_the_write() -> None:
    world, run = planned(2)
    second = run.plan.changes[1].resource_id
    world.values[second] = {"protocols": ["http"]}
    ended = _engine(approve(run), world).advance(run.id)
    assert ended.state == State.PARTIALLY_APPLIED
    assert f"{second} changed since the plan" in ended.problem
    assert [identity for identity, _ in world.writes] == [run.plan.changes[0].resource_id]


def test_drift_in_the_first_change_changes_nothing_and_ends_the_run() -> None:
    world, run = planned(1)
    world.values[run.plan.changes[0].resource_id] = {"protocols": ["ws"]}
    ended = _engine(approve(run), world).advance(run.id)
    assert ended.state == State.APPLY_FAILED
    assert not world.writes


def test_a_resource_that_is_as_it_should_be_is_not_written() -> None:
    world, run = planned(1)
    world.values[run.plan.changes[0].resource_id] = dict(run.plan.changes[0].after)
    assert _engine(approve(run), world).advance(run.id).state == State.CLOSED
    assert not world.writes


def test_a_refused_write_stops_with_the_reason() -> None:
    class Refusing(WorldEffects):
        def write(self, *_: object, **__: object) -> None:
            raise RejectedDataError("the service said no.", remedy="Ask.")

    world, run = planned(1)
    engine = _engine_with(approve(run), Refusing(world, Fuse()))
    ended = engine.advance(run.id)
    assert (ended.state, ended.problem) == (State.APPLY_FAILED, "the service said no. Ask.")


def test_a_run_waits_for_defender_and_says_once_when_it_takes_too_long() -> None:
    world, run = planned(1)
    world.agrees = False
    clock = FrozenClock()
    store = MemoryStore()
    store.add(approve(run))
    engine = engine_for(world, store, Fuse(), clock)
    assert engine.advance(run.id).state == State.VERIFIED
    clock.moment += timedelta(hours=73)
    assert engine.advance(run.id).overdue_told
    told = len(world.comments)
    engine.advance(run.id)
    assert len(world.comments) == told
    world.agrees = True
    assert engine.advance(run.id).state == State.CLOSED


def test_what_cannot_be_undone_is_not_rolled_back() -> None:
    world, run = planned(1)
    final = with_irreversible(run, "The secret moved.")
    store = MemoryStore()
    store.add(approve(final))
    engine = engine_for(world, store, Fuse())
    engine.advance(run.id)
    with pytest.raises(GuardrailError, match="The secret moved"):
        engine.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))


def test_a_rollback_over_somebody_elses_change_stops() -> None:
    world, run = planned(1)
    engine = _engine(approve(run), world)
    engine.advance(run.id)
    world.values[run.plan.changes[0].resource_id] = {"protocols": ["wss"]}
    engine.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))
    ended = engine.advance(run.id)
    assert ended.state == State.ROLLBACK_FAILED
    assert world.values[run.plan.changes[0].resource_id] == {"protocols": ["wss"]}


def test_a_run_that_changed_nothing_is_not_rolled_back() -> None:
    _, run = planned(1)
    with pytest.raises(ConflictError, match="changed nothing"):
        transitions.rolling_back(run, by="ana", why="", now=START)


def test_a_run_that_did_not_verify_is_verified_again_and_says_so_once() -> None:
    world, run = planned(1)
    resource = run.plan.changes[0].resource_id

    class Reverting(WorldEffects):
        def verify(self, run: Run) -> Evidence:
            healthy = world.values[resource] == run.plan.changes[0].after and not world.agrees
            return Evidence(healthy, {}, "looked")

    engine = _engine_with(approve(run), Reverting(world, Fuse()))
    assert engine.advance(run.id).state == State.UNVERIFIED
    rows = len(world.audit)
    assert engine.advance(run.id).state == State.UNVERIFIED
    assert len(world.audit) == rows
    world.agrees = False
    assert engine.advance(run.id).state == State.VERIFIED


class Stumbling(WorldEffects):
    """Effects whose next calls, by name, raise these errors; a write that raises has still arrived when `arrives`."""

    def __init__(self, world: World, *, arrives: bool = False, **errors: list[ApiwardError | None]) -> None:
        super().__init__(world, Fuse())
        self._errors = errors
        self._arrives = arrives

    def _raise(self, name: str) -> None:
        if self._errors.get(name) and (error := self._errors[name].pop(0)):
            raise error

    def observe(self, run: Run, change: Change) -> Observed:
        self._raise("observe")
        return super().observe(run, change)

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        if self._arrives:
            super().write(run, change, etag, back=back)
        self._raise("write")
        if not self._arrives:
            super().write(run, change, etag, back=back)

    def verify(self, run: Run) -> Evidence:
        self._raise("verify")
        return super().verify(run)

    def send_comment(self, comment: Comment) -> None:
        self._raise("comment")
        super().send_comment(comment)


def _engine_with(
    run: Run, effects: WorldEffects, clock: FrozenClock | None = None, store: MemoryStore | None = None
) -> Engine:
    store = store or MemoryStore()
    store.add(run)
    return Engine(
        store=store,
        effects=effects,
        gate=WorldGate(World({}), Fuse()),
        clock=clock or FrozenClock(),
        confirm_within=timedelta(hours=1),
        describe=describe,
    )


GONE = MissingError("the API is gone.", remedy="Look.")
DOWN = TransientError("no route.", remedy="Try again.")


def test_a_write_that_arrived_without_an_answer_can_be_rolled_back() -> None:
    world, run = planned(1)
    engine = _engine_with(approve(run), Stumbling(world, arrives=True, write=[DOWN], observe=[None, None, GONE]))
    with pytest.raises(TransientError):
        engine.advance(run.id)
    assert engine.advance(run.id).state == State.PARTIALLY_APPLIED
    engine.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))
    assert engine.advance(run.id).state == State.ROLLED_BACK
    assert world.values[run.plan.changes[0].resource_id] == run.plan.changes[0].before


def test_a_worker_that_was_overtaken_by_a_rollback_writes_nothing() -> None:
    world, run = planned(1)
    store = MemoryStore()
    other = engine_for(world, store, Fuse())

    class Overtaken(WorldEffects):
        def observe(self, run: Run, change: Change) -> Observed:
            if store.load(run.id)[0].attempted == 0:
                other.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))
                other.advance(run.id)
            return super().observe(run, change)

    ended = _engine_with(approve(run), Overtaken(world, Fuse()), store=store).advance(run.id)
    assert ended.state == State.ROLLED_BACK
    assert world.writes == []


def test_a_write_that_is_still_under_way_cannot_arrive_after_the_rollback() -> None:
    world, run = planned(1)
    [change] = run.plan.changes
    effects = Stumbling(world, write=[DOWN])
    seen = effects.observe(run, change)
    engine = _engine_with(approve(run), effects)
    with pytest.raises(TransientError):
        engine.advance(run.id)
    engine.transition(run.id, lambda run: transitions.rolling_back(run, by="ana", why="", now=START))
    assert engine.advance(run.id).state == State.ROLLED_BACK
    with pytest.raises(ConflictError):
        effects.write(run, change, seen.etag, back=False)


def test_an_applied_run_is_not_written_later_than_its_plan_allows() -> None:
    world, run = planned(1)
    clock = FrozenClock()
    engine = _engine_with(approve(run), Stumbling(world, write=[DOWN]), clock)
    with pytest.raises(TransientError):
        engine.advance(run.id)
    clock.moment += timedelta(days=60)
    ended = engine.advance(run.id)
    assert (ended.state, "expired" in ended.problem) == (State.APPLY_FAILED, True)
    assert not world.writes


def test_a_refused_comment_does_not_stop_a_run_and_is_on_record() -> None:
    world, run = planned(1)
    refusal = AccessError("HTTP 403 while commenting.", remedy="Grant it.")
    engine = _engine_with(approve(run), Stumbling(world, comment=[refusal] * 9))
    ended = engine.advance(run.id)
    assert ended.state == State.CLOSED
    assert not ended.outbox
    refused = [row for row in world.audit.values() if row.columns["Step"] == "comment"]
    assert refused
    assert "HTTP 403" in refused[0].columns["Decision"]


def test_a_resource_that_is_gone_when_verified_leaves_the_run_unverified() -> None:
    world, run = planned(1)
    ended = _engine_with(approve(run), Stumbling(world, verify=[GONE])).advance(run.id)
    assert (ended.state, ended.evidence) == (State.UNVERIFIED, Evidence(False, {}, str(GONE)))


class Unreachable(WorldEffects):
    """Resources that the settings took out of reach; only some calls notice."""

    def __init__(self, world: World, *, at: str) -> None:
        super().__init__(world, Fuse())
        self._at = at

    def require_allowed(self, run: Run) -> None:
        self._refuse("begin")

    def observe(self, run: Run, change: Change) -> Observed:
        self._refuse("look")
        return super().observe(run, change)

    def _refuse(self, at: str) -> None:
        if at == self._at:
            raise GuardrailError("outside the allowed scopes.", remedy="Add it.")


@pytest.mark.parametrize(("at", "steps"), [("begin", ["hold"]), ("look", ["begin", "hold"])])
def test_a_run_that_is_out_of_reach_is_held_and_comes_to_rest(at: str, steps: list[str]) -> None:
    world, run = planned(1)
    held = _engine_with(approve(run), Unreachable(world, at=at)).advance(run.id)
    assert (held.state, held.held) == (State.APPROVED, "outside the allowed scopes. Add it.")
    said = sorted(world.audit.values(), key=lambda row: row.columns["Sequence"])
    assert [row.columns["Step"] for row in said] == ["plan", "approve", *steps]
    assert world.writes == []


def test_nobody_cannot_approve() -> None:
    _, run = planned(1)
    with pytest.raises(GuardrailError, match="Nobody is named"):
        transitions.approved(run, by="  ", why="", plan_hash_seen=run.plan_hash, now=START)


def test_a_run_that_is_given_up_holds_its_finding_no_longer() -> None:
    world, run = planned(1)
    world.values[run.plan.changes[0].resource_id] = dict(run.plan.changes[0].after)
    world.agrees = False
    engine = _engine(approve(run), world)
    assert engine.advance(run.id).state == State.VERIFIED
    given_up = engine.transition(run.id, lambda run: transitions.abandoned(run, by="ana", why="by hand", now=START))
    assert given_up.state in ENDED
    with pytest.raises(ConflictError, match="is Abandoned"):
        transitions.abandoned(given_up, by="ana", why="again", now=START)

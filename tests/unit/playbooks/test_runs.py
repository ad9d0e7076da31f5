"""The rules of single steps, and runs that stop."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apiward_core.errors import ConflictError, GuardrailError, RejectedDataError
from apiward_playbooks import transitions
from apiward_playbooks.engine import Engine
from apiward_playbooks.runs import Run, State
from tests.property.world import (
    START,
    FrozenClock,
    Fuse,
    MemoryStore,
    World,
    WorldEffects,
    approve,
    engine_for,
    planned,
    with_irreversible,
)


def _engine(run: Run, world: World, clock: FrozenClock | None = None) -> Engine:
    store = MemoryStore()
    store.add(run)
    return engine_for(world, store, Fuse(), clock)


def test_the_requester_cannot_approve() -> None:
    _, run = planned(1)
    with pytest.raises(GuardrailError, match="ana asked for run run-1"):
        transitions.approved(run, by="ana", why="", plan_hash_seen=run.plan_hash, now=START)


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
    store = MemoryStore()
    store.add(approve(run))
    engine = Engine(
        store=store,
        effects=Refusing(world, Fuse()),
        clock=FrozenClock(),
        confirm_within=timedelta(hours=1),
        describe=lambda _: None,
    )
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

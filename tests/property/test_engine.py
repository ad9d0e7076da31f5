"""However often a run is killed, whoever else works on it and whatever changes meanwhile, it ends as it should."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import combinations_with_replacement

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apiward_core.errors import ConflictError
from apiward_playbooks import runs, transitions
from apiward_playbooks.audit import AuditRow, chained
from apiward_playbooks.runs import Run, State
from tests.property.workers import Worker
from tests.property.world import (
    START,
    Fuse,
    Killed,
    MemoryStore,
    World,
    approve,
    engine_for,
    planned,
    until_done,
)

kills = st.lists(st.integers(1, 80), max_size=4)
SOMEBODY_ELSES = {"protocols": ["ws"]}


def _ended(changes: int, times: list[int]) -> tuple[World, Run]:
    world, run = planned(changes)
    store = MemoryStore()
    store.add(approve(run))
    engine = engine_for(world, store, Fuse(*times))
    return world, until_done(lambda: engine.advance(run.id))


def _head_of(world: World) -> str:
    """The hash of the last row of the audit trail, each of which follows from the one before."""
    previous = ""
    rows: list[AuditRow] = sorted(world.audit.values(), key=lambda row: row.columns["Sequence"])
    for expected, row in enumerate(rows, 1):
        assert row.columns["Sequence"] == expected
        columns = {name: value for name, value in row.columns.items() if name != "PreviousHash"}
        assert chained(previous, columns) == row
        previous = row.record_id
    return previous


@settings(max_examples=300, deadline=None)
@given(changes=st.integers(1, 3), times=kills)
def test_a_killed_run_converges(changes: int, times: list[int]) -> None:
    undisturbed, ending = _ended(changes, [])
    world, run = _ended(changes, times)
    # A write that the kill cut off from its record is later found done; the trail says so, and its hashes differ.
    assert replace(run, audit_head="") == replace(ending, audit_head="")
    assert run.state == State.CLOSED
    assert world.values == undisturbed.values
    assert set(world.comments) == set(undisturbed.comments)
    assert world.incident_closed


def test_every_pair_of_crashes_converges() -> None:
    """All of them, forward and back: no pair is left to chance."""
    forward, back = _ticks(_forward), _ticks(_there_and_back)
    assert back > forward > 40
    for act, ticks in ((_forward, forward), (_there_and_back, back)):
        for first, second in combinations_with_replacement(range(1, ticks + 1), 2):
            world, run = act(Fuse(first, second))
            assert run.state == (State.CLOSED if act is _forward else State.ROLLED_BACK), (first, second)
            assert world.offences == []
            assert len(world.writes) == (1 if act is _forward else 2), (first, second)
            assert _head_of(world) == run.audit_head


def _ticks(act: Callable[[Fuse], object]) -> int:
    fuse = Fuse()
    act(fuse)
    return fuse.count


def _forward(fuse: Fuse) -> tuple[World, Run]:
    world, run = planned(1)
    store = MemoryStore()
    store.add(approve(run))
    engine = engine_for(world, store, fuse)
    return world, until_done(lambda: engine.advance(run.id))


def _there_and_back(fuse: Fuse) -> tuple[World, Run]:
    world, run = planned(1)
    store = MemoryStore()
    store.add(approve(run))
    engine = engine_for(world, store, fuse)
    until_done(lambda: engine.advance(run.id))
    until_done(lambda: engine.transition(run.id, _once))
    return world, until_done(lambda: engine.advance(run.id))


@settings(max_examples=300, deadline=None)
@given(changes=st.integers(1, 3), times=kills)
def test_no_change_is_written_twice(changes: int, times: list[int]) -> None:
    world, _ = _ended(changes, times)
    written = [identity for identity, _ in world.writes]
    assert len(written) == len(set(written)) == changes


@settings(max_examples=200, deadline=None)
@given(changes=st.integers(1, 3), times=kills)
def test_the_audit_chain_is_whole(changes: int, times: list[int]) -> None:
    world, run = _ended(changes, times)
    assert _head_of(world) == run.audit_head


@settings(max_examples=200, deadline=None)
@given(changes=st.integers(1, 3), after=kills, stop=st.integers(12, 90))
def test_a_run_is_rolled_back_from_wherever_it_stopped(changes: int, after: list[int], stop: int) -> None:
    world, run = planned(changes)
    original = {identity: dict(values) for identity, values in world.values.items()}
    store = MemoryStore()
    store.add(approve(run))
    with suppress(Killed):
        engine_for(world, store, Fuse(stop)).advance(run.id)
    assume(store.load(run.id)[0].state in runs.CHANGED_SOMETHING)
    back = engine_for(world, store, Fuse(*after))
    until_done(lambda: back.transition(run.id, _once))
    assert until_done(lambda: back.advance(run.id)).state == State.ROLLED_BACK
    assert world.values == original


def _once(run: Run) -> Run:
    if run.state in (State.ROLLING_BACK, State.ROLLED_BACK):
        return run
    return transitions.rolling_back(run, by="ana", why="", now=START)


@settings(max_examples=200, deadline=None)
@given(times=kills, events=st.lists(st.sampled_from(["advance", "reject", "approve", "rollback"]), max_size=6))
def test_nothing_is_written_without_approval(times: list[int], events: list[str]) -> None:
    world, run = planned(1)
    store = MemoryStore()
    store.add(run)
    engine = engine_for(world, store, Fuse(*times))
    allowed = False
    for event in events:
        state = store.load(run.id)[0].state
        if event == "approve" and state == State.AWAITING_APPROVAL:
            store.save(approve(store.load(run.id)[0]), store.load(run.id)[1])
            allowed = True
        elif event == "reject" and state == State.AWAITING_APPROVAL:
            rejected = transitions.rejected(store.load(run.id)[0], by="ben", why="", now=START)
            store.save(rejected, store.load(run.id)[1])
        elif event == "rollback" and state in runs.CHANGED_SOMETHING:
            store.save(_once(store.load(run.id)[0]), store.load(run.id)[1])
        else:
            until_done(lambda: engine.advance(run.id))
        assert allowed or not world.writes


class Scene:
    """Three workers on one run of two changes, and what may happen around them."""

    def __init__(self) -> None:
        self.world, run = planned(2)
        self.original = {identity: dict(values) for identity, values in self.world.values.items()}
        self.run_id, self.changes = run.id, run.plan.changes
        self.store = MemoryStore()
        self.store.add(approve(run))
        self.drifted: set[str] = set()
        self.workers = [Worker(self._advance) for _ in range(3)]

    def play(self, events: list[tuple[str, int]], *, thaw: bool) -> None:
        for event, number in events:
            getattr(self, event)(number)
        if thaw:
            self.world.stopped = self.world.frozen = False
        self.world.throttled = self.world.refused = 0
        for worker in self.workers:
            worker.finish()

    def rest(self) -> Run:
        """The run once nobody disturbs it any more."""
        return engine_for(self.world, self.store, Fuse()).advance(self.run_id)

    def move(self, number: int) -> None:
        self.workers[number].step()

    def dash(self, number: int) -> None:
        for _ in range(9):
            self.workers[number].step()

    def kill(self, number: int) -> None:
        self.workers[number].step(kill=True)

    def drift(self, number: int) -> None:
        identity = self.changes[number % 2].resource_id
        self.drifted.add(identity)
        self.world.drift(identity, SOMEBODY_ELSES)

    def freeze(self, number: int) -> None:
        self.world.frozen = number > 0

    def stop(self, number: int) -> None:
        self.world.stopped = number > 0

    def throttle(self, number: int) -> None:
        self.world.throttled = number

    def refuse(self, number: int) -> None:
        self.world.refused = number

    def roll_back(self, _: int) -> None:
        run, etag = self.store.load(self.run_id)
        if transitions.may_be_rolled_back(run):
            self.store.save(_once(run), etag)

    def again(self, number: int) -> None:
        """Somebody starts a worker that had come to rest."""
        if self.workers[number].done:
            self.workers[number] = Worker(self._advance)

    def _advance(self, worker: Worker) -> None:
        engine_for(self.world, self.store, worker).advance(self.run_id)


EVENTS = ("move", "dash", "dash", "kill", "drift", "freeze", "stop", "throttle", "refuse", "roll_back", "again")
schedules = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 2)), max_size=40)


@settings(max_examples=400, deadline=None)
@given(events=schedules, thaw=st.booleans())
def test_workers_that_interleave_keep_every_rule(events: list[tuple[str, int]], thaw: bool) -> None:
    scene = Scene()
    scene.play(events, thaw=thaw)
    run, world = scene.rest(), scene.world
    assert scene.rest() == run
    assert world.offences == []
    assert len(world.writes) == len({(identity, str(values)) for identity, values in world.writes})
    assert _head_of(world) == run.audit_head
    for identity in scene.drifted:
        assert world.values[identity] == SOMEBODY_ELSES
    if world.writes and run.state not in (State.ROLLING_BACK, State.ROLLED_BACK):
        assert transitions.may_be_rolled_back(run)
    world.stopped = world.frozen = False
    _require_way_back(scene, run)


def _require_way_back(scene: Scene, run: Run) -> None:
    """Whatever became of a run, what it wrote can be taken back, except where somebody else has been since."""
    engine = engine_for(scene.world, scene.store, Fuse())
    if transitions.may_be_rolled_back(run):
        engine.transition(run.id, _once)
    if scene.world.writes:
        run = engine.advance(run.id)
    left = {identity for identity, values in scene.world.values.items() if values != scene.original[identity]}
    if run.state is State.ROLLED_BACK or not scene.drifted:
        assert left <= scene.drifted
    else:
        assert scene.drifted
    assert scene.world.offences == []


@pytest.mark.parametrize("state", [State.CLOSED, State.ROLLED_BACK])
def test_a_run_that_has_ended_is_left_alone(state: State) -> None:
    world, run = (_forward if state is State.CLOSED else _there_and_back)(Fuse())
    assert run.state is state
    store = MemoryStore()
    store.add(run)
    writes = list(world.writes)
    assert engine_for(world, store, Fuse()).advance(run.id) == run
    assert world.writes == writes
    with pytest.raises(ConflictError):
        transitions.approved(run, by="ben", why="", plan_hash_seen=run.plan_hash, now=START)

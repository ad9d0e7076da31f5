"""However often a run is killed, and wherever, it ends as if it had not been."""

from contextlib import suppress
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apiward_playbooks import runs, transitions
from apiward_playbooks.audit import AuditRow, chained
from apiward_playbooks.runs import Run, State
from tests.property.world import START, Fuse, Killed, MemoryStore, World, approve, engine_for, planned, until_done

kills = st.lists(st.integers(1, 80), max_size=4)


def _ended(changes: int, times: list[int]) -> tuple[World, Run]:
    world, run = planned(changes)
    store = MemoryStore()
    store.add(approve(run))
    engine = engine_for(world, store, Fuse(*times))
    return world, until_done(lambda: engine.advance(run.id))


def _chain(world: World) -> list[AuditRow]:
    return sorted(world.audit.values(), key=lambda row: row.columns["Sequence"])


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
    previous = ""
    for expected, row in enumerate(_chain(world), 1):
        assert row.columns["Sequence"] == expected
        columns = {name: value for name, value in row.columns.items() if name != "PreviousHash"}
        assert chained(previous, columns) == row
        previous = row.record_id
    assert previous == run.audit_head


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
    return run if run.state == State.ROLLING_BACK else transitions.rolling_back(run, by="ana", why="", now=START)


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

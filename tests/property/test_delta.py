"""Whatever the order, the pages, the repetitions and the crashes: the same changes are told, each of them once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_connector.delta import advance, describe, remember
from apiward_connector.finding import Finding
from apiward_connector.folder_state import FolderStateStore
from apiward_connector.recommendation_types import types_of
from apiward_connector.rows import TYPES
from apiward_connector.state import ChangeType, Lease, ScopeState, StateStore
from apiward_core.catalogue import load_catalogue
from apiward_core.clock import timestamp
from apiward_core.ingest import Row, SendReport
from apiward_core.tables import RECOMMENDATIONS, Table
from tests.unit.connector.samples import (
    KEY,
    METADATA,
    OTHER_KEY,
    SERVICE,
    START,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
    finding,
)

APIS = "abcd"
STATES = ("Unhealthy", "Healthy", "NotApplicable", "Odd")

statements = st.builds(
    lambda api, key, code, day: assessment(
        f"{SERVICE}/apis/{api}", key=key, code=code, statusChangeDate=f"2026-11-{day:02}T00:00:00Z"
    ),
    st.sampled_from(APIS),
    st.sampled_from((KEY, OTHER_KEY)),
    st.sampled_from(STATES),
    st.integers(1, 3),
)
estates = st.lists(statements, max_size=6)


def look(items: Sequence[Any]) -> dict[str, Finding]:
    seen: dict[str, Finding] = {}
    for item in items:
        remember(seen, finding(item))
    return seen


def after(estates: Sequence[Sequence[Any]]) -> ScopeState:
    """The state after a whole pass over each estate, an hour apart, every row delivered."""
    state = ScopeState()
    for number, estate in enumerate(estates):
        state = advance(state, look(estate), now=START + timedelta(hours=number), whole=True)
        state = replace(state, pending=())
    return state


@settings(max_examples=150, deadline=None)
@given(before=st.lists(estates, max_size=3), estate=estates, data=st.data(), whole=st.booleans())
def test_order_and_repetition_do_not_matter(
    before: list[list[Any]], estate: list[Any], data: st.DataObject, whole: bool
) -> None:
    repeated = estate + (data.draw(st.lists(st.sampled_from(estate))) if estate else [])
    shuffled = data.draw(st.permutations(repeated))
    now = START + timedelta(days=1)
    state = after(before)
    assert advance(state, look(shuffled), now=now, whole=whole) == advance(state, look(estate), now=now, whole=whole)


@settings(max_examples=100, deadline=None)
@given(passes=st.lists(st.tuples(estates, st.booleans()), max_size=8))
def test_only_absence_from_two_whole_passes_in_a_row_removes(passes: list[tuple[list[Any], bool]]) -> None:
    everything = [assessment(f"{SERVICE}/apis/{api}", key=key) for api in APIS for key in (KEY, OTHER_KEY)]
    state, absences = ScopeState(), dict.fromkeys(look(everything), 0)
    for number, (estate, whole) in enumerate(passes):
        seen = look(estate)
        known = set(state.entries)
        state = advance(replace(state, pending=()), seen, now=START + timedelta(hours=number), whole=whole)
        for name in known:
            absences[name] = 0 if name in seen else absences[name] + whole
        removed = {name for name, change in state.pending if change is ChangeType.REMOVED}
        assert removed == {name for name in known if absences[name] == 2 and whole and name not in seen}


@settings(max_examples=100, deadline=None)
@given(before=st.lists(estates, max_size=4), estate=estates)
def test_a_partial_pass_says_nothing_of_what_it_did_not_read(before: list[list[Any]], estate: list[Any]) -> None:
    state, seen = after(before), look(estate)
    partial = advance(state, seen, now=START + timedelta(days=2), whole=False)
    assert {name for name, _ in partial.pending} <= set(seen)
    assert all(partial.entries[name] == entry for name, entry in state.entries.items() if name not in seen)


@settings(max_examples=100, deadline=None)
@given(before=st.lists(estates, max_size=6))
def test_revisions_count_the_rows_of_a_finding(before: list[list[Any]]) -> None:
    state = ScopeState()
    for estate in before:
        previous, state = state, advance(replace(state, pending=()), look(estate), now=START, whole=True)
        told = {name for name, _ in state.pending}
        for name, entry in state.entries.items():
            known = previous.entries.get(name)
            assert entry.revision == (known.revision if known else 0) + (name in told)


@settings(max_examples=100, deadline=None)
@given(passes=st.lists(st.tuples(estates, st.integers(0, 30)), max_size=6))
def test_each_key_that_is_seen_on_a_day_is_described_once_on_it(passes: list[tuple[list[Any], int]]) -> None:
    state, now = ScopeState(), START
    expected: set[tuple[str, str]] = set()
    told: Counter[tuple[str, str]] = Counter()
    for estate, hours in passes:
        now += timedelta(hours=hours)
        seen, day = look(estate), timestamp(now)[:10]
        types = types_of(seen.values(), metadata=METADATA, catalogue=load_catalogue())
        state = describe(advance(state, seen, now=now, whole=True), types)
        expected |= {(found.recommendation_key, day) for found in seen.values()}
        told.update((kind.key, day) for kind in state.types)
        state = replace(state, pending=(), types=())
    assert told == Counter(expected)


class Killed(BaseException):
    """The process died."""


@dataclass
class Fuse:
    """Kills at the n-th place that is asked; never when n is 0."""

    left: int

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class MortalStore:
    """A store whose process can die right before and right after a state is saved."""

    def __init__(self, store: StateStore, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def load(self, scope: str) -> tuple[ScopeState, str | None]:
        return self._store.load(scope)

    def save(self, scope: str, state: ScopeState, etag: str | None) -> str:
        self._fuse.burn()
        new = self._store.save(scope, state, etag)
        self._fuse.burn()
        return new

    @contextmanager
    def lease(self, scope: str) -> Iterator[Lease]:
        with self._store.lease(scope) as lease:
            yield lease


class MortalSink(MemorySink):
    """A sink whose process can die before any row arrives, and after the last."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        count = 0
        for row in rows:
            self._fuse.burn()
            count += super().send(table, [row]).sent
        self._fuse.burn()
        return SendReport(sent=count)


class World:
    """A state folder, a workspace and a source whose content is set for each run."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.clock = SetClock()
        self.rows: list[Row] = []
        self.types: list[Row] = []

    def run(self, estate: Sequence[Any], *, kill: int = 0) -> None:
        """One run, killed at the `kill`-th place where it could be: around each row sent and each save."""
        fuse = Fuse(kill)
        sink = MortalSink(fuse)
        states = MortalStore(FolderStateStore(self.folder, clock=self.clock), fuse)
        source = Estate({SUBSCRIPTION: [list(estate[:2]), list(estate[2:])]})
        with suppress(Killed):
            assert connector(self.folder, source, sink, self.clock, states=states).run([SUBSCRIPTION]).exit_code == 0
        self.rows += sink.rows(RECOMMENDATIONS)
        self.types += sink.rows(TYPES)

    def history(self) -> dict[str, Row]:
        """One row for each RecordId without the columns that may differ; rows that share a RecordId must be equal."""
        known: dict[str, Row] = {}
        for row in self.rows + self.types:
            kept = {name: value for name, value in row.items() if name not in ("TimeGenerated", "RunId")}
            assert known.setdefault(row["RecordId"], kept) == kept
        return known

    def current(self) -> dict[str, str]:
        """The state of each finding by its latest row, removed ones left out."""
        latest = {row["FindingId"]: row for row in sorted(self.rows, key=lambda row: row["Revision"])}
        return {name: row["State"] for name, row in latest.items() if row["ChangeType"] != "Removed"}


@settings(max_examples=20, deadline=None)
@given(before=st.lists(estates, max_size=2), estate=estates, kills=st.lists(st.integers(1, 20), min_size=1, max_size=3))
def test_a_crash_leaves_the_history_of_an_undisturbed_run(
    before: list[list[Any]], estate: list[Any], kills: list[int]
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        calm, stormy = World(one), World(other)
        for known in before:
            calm.run(known)
            stormy.run(known)
        for kill in [*kills, 0]:
            stormy.run(estate, kill=kill)
        histories = []
        for _ in [
            *kills,
            0,
        ]:  # a killed run that had saved what it read was a look at the source, one before that was none
            calm.run(estate)
            histories.append(calm.history())
        assert stormy.history() in histories


@settings(max_examples=20, deadline=None)
@given(storm=st.lists(st.tuples(estates, st.integers(0, 20)), max_size=5), last=estates)
def test_a_storm_over_a_changing_source_ends_in_what_the_source_says(
    storm: list[tuple[list[Any], int]], last: list[Any]
) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        for estate, kill in [*storm, (last, 0), (last, 0)]:
            world.clock.moment += timedelta(hours=7)
            world.run(estate, kill=kill)
        assert world.current() == {name: found.state for name, found in look(last).items()}
        history = world.history().values()
        changes = [row for row in history if row.get("ChangeType", "Snapshot") != "Snapshot"]
        assert len({(row["FindingId"], row["Revision"]) for row in changes}) == len(changes)
        described = {row["RecommendationKey"] for row in world.types}
        assert {row["RecommendationKey"] for row in world.rows} <= described

"""Whatever the order, the pages, the repetitions and the crashes: the same changes are told, each of them once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_connector.finding import Finding
from apiward_connector.sources.paging import Page
from apiward_connector.state_store import StateStore
from apiward_core.clock import timestamp
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import Row, SendReport
from apiward_core.objects import ObjectStore, Stored
from apiward_core.packing import Batch
from apiward_core.tables import RECOMMENDATIONS, TYPES
from tests.unit.connector.samples import (
    HISTORY,
    KEY,
    OTHER_KEY,
    SERVICE,
    START,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    Scope,
    SetClock,
    as_listed,
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


def look(items: Sequence[Any]) -> dict[bytes, Finding]:
    """What counts of several statements about findings, in any order: the later one, else that of the higher digest."""
    ordered = sorted(map(finding, items), key=lambda found: (found.state_changed, found.digest))
    return {found.id: found for found in ordered}


def scope_after(passes: Sequence[Sequence[Any]]) -> Scope:
    """A scope after a whole pass over each estate, an hour apart."""
    scope = Scope()
    for number, estate in enumerate(passes):
        scope.look(list(look(estate).values()), now=START + timedelta(hours=number))
    return scope


def told(rows: Sequence[Row]) -> Counter[str]:
    """Rows without regard to their order."""
    return Counter(repr(row) for row in rows)


def named(row: Row) -> bytes:
    """The finding that a row is about."""
    return bytes.fromhex(row["FindingId"])


def cut(items: Sequence[Any], places: Sequence[int]) -> list[list[Finding]]:
    """The findings on pages that end at some places."""
    ends = [0, *sorted({place % (len(items) + 1) for place in places}), len(items)]
    return [[finding(item) for item in items[start:end]] for start, end in pairwise(ends)]


@settings(max_examples=150, deadline=None)
@given(before=st.lists(estates, max_size=3), estate=estates, data=st.data(), whole=st.booleans())
def test_order_pages_and_repetition_do_not_matter(
    before: list[list[Any]], estate: list[Any], data: st.DataObject, whole: bool
) -> None:
    repeated = estate + (data.draw(st.lists(st.sampled_from(estate))) if estate else [])
    shuffled = data.draw(st.permutations(repeated))
    pages = cut(shuffled, data.draw(st.lists(st.integers(0, 20), max_size=5)))
    now = START + timedelta(days=1)
    mixed, plain = scope_after(before), scope_after(before)
    rows = plain.look(list(look(estate).values()), now=now, whole=whole)
    assert told(mixed.look(*pages, now=now, whole=whole)) == told(rows)
    after = START + timedelta(days=2)
    assert told(mixed.look(now=after)) == told(plain.look(now=after))


@settings(max_examples=100, deadline=None)
@given(passes=st.lists(st.tuples(estates, st.booleans()), max_size=8))
def test_only_absence_from_two_whole_passes_in_a_row_removes(passes: list[tuple[list[Any], bool]]) -> None:
    scope, absences = Scope(), dict[bytes, int]()
    for number, (estate, whole) in enumerate(passes):
        seen = look(estate)
        for name in absences:
            absences[name] = 0 if name in seen else absences[name] + whole
        rows = scope.look(list(seen.values()), now=START + timedelta(hours=number), whole=whole)
        removed = {named(row) for row in rows if row["ChangeType"] == "Removed"}
        assert removed == {name for name, count in absences.items() if count == 2 and whole and name not in seen}
        absences |= dict.fromkeys(seen, 0)


@settings(max_examples=100, deadline=None)
@given(before=st.lists(estates, max_size=4), estate=estates)
def test_a_partial_pass_says_nothing_of_what_it_did_not_read(before: list[list[Any]], estate: list[Any]) -> None:
    scope, undisturbed, seen = scope_after(before), scope_after(before), look(estate)
    rows = scope.look(list(seen.values()), now=START + timedelta(hours=9), whole=False)
    assert {named(row) for row in rows} <= set(seen)
    later = START + timedelta(hours=9)
    after = [row for row in scope.look([], now=later) if named(row) not in seen]
    assert after == [row for row in undisturbed.look([], now=later) if named(row) not in seen]


@settings(max_examples=100, deadline=None)
@given(before=st.lists(estates, max_size=6))
def test_revisions_count_the_rows_of_a_finding(before: list[list[Any]]) -> None:
    scope, revisions = Scope(), Counter[bytes]()
    for estate in before:
        for row in scope.look(list(look(estate).values())):
            revisions[named(row)] += 1
            assert row["Revision"] == revisions[named(row)]


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


class MortalObjects:
    """A store whose process can die right before and right after anything in it is changed: state, outbox or lease.

    What a dead process holds is not given back: the lease of a killed run stays until it expires.
    """

    def __init__(self, objects: ObjectStore, fuse: Fuse) -> None:
        self._objects = objects
        self._fuse = fuse
        self._dead = False

    @contextmanager
    def _change(self) -> Iterator[None]:
        if self._dead:
            raise Killed
        try:
            self._fuse.burn()
            yield
            self._fuse.burn()
        except Killed:
            self._dead = True
            raise

    def read(self, name: str) -> Stored | None:
        return self._objects.read(name)

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        with self._change():
            return self._objects.write(name, data, etag=etag)

    def put(self, name: str, data: bytes) -> None:
        with self._change():
            self._objects.put(name, data)

    def delete(self, name: str) -> None:
        with self._change():
            self._objects.delete(name)

    def names(self, prefix: str) -> list[str]:
        return self._objects.names(prefix)


class MortalSink(MemorySink):
    """A sink whose process can die before a batch arrives, and after it arrived and nobody learnt of it."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        self._fuse.burn()
        report = super().deliver(batch, without=without)
        self._fuse.burn()
        return report


class MortalEstate(Estate):
    """A source whose reader can die before any page."""

    def __init__(self, pages: Sequence[list[Any]], fuse: Fuse) -> None:
        super().__init__({SUBSCRIPTION: list(map(as_listed, pages))}, digest="that of what is known")
        self._fuse = fuse

    def pages(self, subscription_id: str) -> Iterator[Page]:
        for page in super().pages(subscription_id):
            self._fuse.burn()
            yield page


class World:
    """A state folder, a workspace and a source whose content is set for each run."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.clock = SetClock()
        self.rows: list[Row] = []
        self.types: list[Row] = []

    def run(self, estate: Sequence[Any], *, kill: int = 0) -> None:
        """One run, killed at the `kill`-th place where it could be. Leases expire at once, so dead ones are no bar."""
        fuse = Fuse(kill)
        sink = MortalSink(fuse)
        objects = MortalObjects(FolderObjects(self.folder), fuse)
        states = StateStore(objects, clock=self.clock, lease_time=timedelta(0))
        source = MortalEstate([list(estate[:2]), list(estate[2:])], fuse)
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

    def current(self) -> dict[str, Row]:
        """What the latest row of each finding says of it and not of its history, removed ones left out."""
        latest = {row["FindingId"]: row for row in sorted(self.rows, key=lambda row: row["Revision"])}
        return {
            found: {name: value for name, value in row.items() if name not in HISTORY}
            for found, row in latest.items()
            if row["ChangeType"] != "Removed"
        }


def current_after(estate: Sequence[Any]) -> dict[str, Row]:
    """What is current after a first run that read the estate and that nothing disturbed."""
    with TemporaryDirectory() as folder:
        fresh = World(folder)
        fresh.run(estate)
        return fresh.current()


hours = st.sampled_from((1, 13))  # on the same day, mostly, or on the next one
PLACES = 40  # where a run of two pages can die: around every write, page and batch


@settings(max_examples=60, deadline=None)
@given(before=st.lists(estates, max_size=2), estate=estates, kills=st.lists(st.integers(1, PLACES), max_size=3))
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
        for _ in [*kills, 0]:  # a killed run that had saved what it read was a look at the source, one before that none
            calm.run(estate)
            histories.append(calm.history())
        assert stormy.history() in histories


@settings(max_examples=100, deadline=None)
@given(storm=st.lists(st.tuples(estates, st.just(0) | st.integers(1, PLACES), hours), max_size=5), last=estates)
def test_a_storm_over_a_changing_source_ends_in_what_the_source_says(
    storm: list[tuple[list[Any], int, int]], last: list[Any]
) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        for estate, kill, passed in [*storm, (last, 0, 1), (last, 0, 1)]:
            world.clock.moment += timedelta(hours=passed)
            world.run(estate, kill=kill)
        assert world.current() == current_after(last)
        history = world.history().values()
        changes = [row for row in history if row.get("ChangeType", "Snapshot") != "Snapshot"]
        assert len({(row["FindingId"], row["Revision"]) for row in changes}) == len(changes)
        described = {row["RecommendationKey"] for row in world.types}
        assert {row["RecommendationKey"] for row in world.rows} <= described
        assert not FolderObjects(world.folder).names(f"subscriptions/{SUBSCRIPTION}/outbox/")


@settings(max_examples=40, deadline=None)
@given(passes=st.lists(st.tuples(estates, st.integers(0, 30)), max_size=6))
def test_each_key_that_is_seen_on_a_day_is_described_once_on_it(passes: list[tuple[list[Any], int]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        expected: set[tuple[str, str]] = set()
        for estate, hours in passes:
            world.clock.moment += timedelta(hours=hours)
            expected |= {(found.kind.key, timestamp(world.clock.moment)[:10]) for found in look(estate).values()}
            world.run(estate)
        assert Counter((row["RecommendationKey"], row["TimeGenerated"][:10]) for row in world.types) == Counter(
            expected
        )

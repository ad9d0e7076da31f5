import weakref
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from threading import Barrier, Event
from typing import Any

import orjson
import pytest
from msgspec import Raw

from apiward_connector.finding import Finding
from apiward_connector.reference import Reference
from apiward_connector.reference.inventory import Collection, Inventory
from apiward_connector.report import Gap, Outcome, RunReport, ScopeReport
from apiward_connector.sources.assessment_pages import AssessmentList
from apiward_connector.state_store import StateStore
from apiward_core.errors import (
    AccessError,
    ApiwardError,
    ConfigurationError,
    ConflictError,
    IncompleteError,
    ThrottledError,
    TransientError,
)
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import Row, SendReport
from apiward_core.objects import ObjectStore
from apiward_core.packing import Batch, batch_rows
from apiward_core.tables import HEALTH, INVENTORY, RECOMMENDATIONS, Table, all_tables
from tests.unit.connector.samples import (
    OTHER_KEY,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
    reference,
    states_in,
    with_properties,
)

SECOND = "22222222-2222-2222-2222-222222222222"
MACHINE = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
REFUSED = AccessError("HTTP 403 while listing.", remedy="Grant Reader.")
A, B = (assessment(f"{SERVICE}/apis/{name}") for name in "ab")
BROKEN = {"name": A["name"], "id": "nowhere", "properties": {}}


class Bench:
    """A connector on fakes, run as often as a test needs."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.sink = MemorySink()
        self.options = options

    def run(self, *pages: Sequence[Any] | Exception, subscriptions: Sequence[str] = (SUBSCRIPTION,)) -> RunReport:
        return self.run_on(
            Estate({SUBSCRIPTION: [p if isinstance(p, Exception) else list(p) for p in pages]}), subscriptions
        )

    def run_on(self, estate: Estate, subscriptions: Sequence[str] = (SUBSCRIPTION,)) -> RunReport:
        self.clock.moment += timedelta(minutes=5)
        return connector(self.folder, estate, self.sink, self.clock, **self.options).run(subscriptions)

    def changes(self) -> list[tuple[str, str]]:
        return self.sink.changes()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def only(report: RunReport) -> ScopeReport:
    [scope] = report.scopes
    return scope


def test_a_first_whole_run_is_counted_and_sent(bench: Bench) -> None:
    report = bench.run([A, assessment(MACHINE, key=OTHER_KEY)], [B])
    scope = only(report)
    assert (scope.scope, scope.outcome, report.exit_code) == (SCOPE, Outcome.COMPLETE, 0)
    assert (scope.pages, scope.read, scope.current, scope.sent, scope.changes) == (2, 3, 2, 2, {"New": 2})
    assert sorted(bench.changes()) == [("New", "a"), ("New", "b")]
    assert {row["RunId"] for row in bench.sink.rows(RECOMMENDATIONS)} == {report.run_id}


def test_what_does_not_change_is_not_sent_again(bench: Bench) -> None:
    bench.run([A])
    assert only(bench.run([A])).changes == {}
    assert bench.changes() == [("New", "a")]


def test_the_health_row_tells_the_run(bench: Bench) -> None:
    report = bench.run([A, BROKEN])
    [row] = bench.sink.rows(HEALTH)
    assert set(row) == {column.name for column in all_tables()[HEALTH].columns}
    assert (row["RunId"], row["Scope"], row["Source"], row["Outcome"]) == (
        report.run_id,
        SCOPE,
        "assessments",
        "Partial",
    )
    assert (row["Pages"], row["RowsRead"], row["FindingsCurrent"], row["RowsSent"]) == (1, 2, 1, 1)
    assert [gap["what"] for gap in row["Unread"]] == ["nowhere"]
    assert row["Watermark"] is None


def test_a_refused_subscription_does_not_stop_the_others(bench: Bench) -> None:
    report = bench.run_on(Estate({SUBSCRIPTION: [REFUSED], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert [scope.outcome for scope in report.scopes] == [Outcome.FAILED, Outcome.COMPLETE]
    assert report.scopes[0].gaps == (Gap(SCOPE, str(REFUSED)),)
    assert report.exit_code == 4
    assert {row["Scope"]: row["Outcome"] for row in bench.sink.rows(HEALTH)} == {
        SCOPE: "Failed",
        f"/subscriptions/{SECOND}": "Complete",
    }


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (REFUSED, False),
        (TransientError("HTTP 503.", remedy="Try again."), True),
        (ThrottledError("HTTP 429.", remedy="Wait."), True),
    ],
    ids=["403", "503", "429"],
)
@pytest.mark.parametrize("page", [[], [A]], ids=["at once", "after a page"])
def test_a_report_says_whether_another_try_may_do_better(
    bench: Bench, page: list[Any], error: ApiwardError, may_pass: bool
) -> None:
    assert only(bench.run(*([page] if page else []), error)).may_pass is may_pass


def test_a_run_that_reads_nothing_at_all_fails(bench: Bench) -> None:
    assert bench.run(REFUSED).exit_code == 1


def test_a_run_that_reads_nothing_tells_what_is_known(bench: Bench) -> None:
    bench.run([A, B])
    scope = only(bench.run(REFUSED))
    assert (scope.outcome, scope.current, scope.watermark) == (Outcome.FAILED, 2, "2026-11-20T08:05:00.000000Z")


def test_nothing_unread_is_removed_and_what_was_read_is_sent(bench: Bench) -> None:
    bench.run([A, B])
    for _ in range(3):
        report = bench.run([assessment(f"{SERVICE}/apis/a", code="Healthy")], REFUSED)
        assert (only(report).outcome, report.exit_code) == (Outcome.PARTIAL, 4)
    assert bench.changes()[2:] == [("Resolved", "a")]


def test_an_unreadable_assessment_makes_the_pass_partial(bench: Bench) -> None:
    bench.run([A, B])
    for _ in range(3):
        assert only(bench.run([A, BROKEN])).outcome is Outcome.PARTIAL
    assert len(bench.changes()) == 2


def test_many_unreadable_assessments_are_counted_and_not_all_named(bench: Bench) -> None:
    gaps = only(bench.run([BROKEN] * 1000)).gaps
    assert len(gaps) == 21
    assert gaps[-1].what == "980 more items"


def test_no_page_is_kept_while_the_next_one_is_read(bench: Bench) -> None:
    class Listed(list[Any]):
        """One that can be watched."""

    kept: list[object] = []

    class Watched(Estate):
        def pages(self, subscription_id: str) -> Any:
            pages = [Listed([A]), Listed([B])]
            watched = [weakref.ref(page) for page in pages]
            yield pages.pop(0)
            kept.append(watched[0]())
            yield pages.pop(0)
            kept.append(watched[1]())

    assert only(bench.run_on(Watched({}))).pages == 2
    assert kept == [None, None]


def test_a_page_that_cannot_be_decoded_is_no_page(bench: Bench) -> None:
    bench.run([A])
    broken = AssessmentList([Raw(b"{")], doing="listing")
    scope = only(bench.run_on(Estate({SUBSCRIPTION: [broken]})))
    assert (scope.outcome, scope.pages, scope.read, scope.may_pass) == (Outcome.FAILED, 0, 0, True)


def test_a_finding_that_is_gone_is_removed_after_two_whole_runs(bench: Bench) -> None:
    bench.run([A, B])
    for number in range(3):
        scope = only(bench.run([A]))
        assert scope.changes == ({"Removed": 1} if number == 1 else {})
    assert scope.current == 1


def test_repeated_and_contradicting_statements_give_one_row(bench: Bench) -> None:
    early = assessment(code="Unhealthy", statusChangeDate="2026-11-01T00:00:00Z")
    late = assessment(code="Healthy", statusChangeDate="2026-11-02T00:00:00Z")
    bench.run([late, early], [early])
    assert [row["State"] for row in bench.sink.rows(RECOMMENDATIONS)] == ["Healthy"]


def test_a_row_that_a_later_page_corrected_is_neither_sent_nor_counted(bench: Bench) -> None:
    early = assessment(code="Unhealthy", statusChangeDate="2026-11-01T00:00:00Z")
    late = assessment(code="Healthy", statusChangeDate="2026-11-02T00:00:00Z")
    scope = only(bench.run([early], [late]))
    assert [row["State"] for row in bench.sink.rows(RECOMMENDATIONS)] == ["Healthy"]
    assert (scope.sent, scope.changes) == (1, {"New": 1})


def test_metadata_that_cannot_be_read_fails_the_scope(bench: Bench) -> None:
    class NoMetadata(Estate):
        def read(self, subscription_id: str, *, renew: Callable[[], None]) -> Any:
            raise REFUSED

    assert only(bench.run_on(NoMetadata({SUBSCRIPTION: [[A]]}))).outcome is Outcome.FAILED
    assert bench.changes() == []


def test_a_subscription_named_twice_is_read_once(bench: Bench) -> None:
    estate = Estate({SUBSCRIPTION: [[A]]})
    bench.run_on(estate, [SUBSCRIPTION, SUBSCRIPTION.replace("-", "")])
    assert estate.loads == 1


@pytest.mark.parametrize("subscriptions", [[], ["contoso"]])
def test_a_run_needs_subscription_ids(bench: Bench, subscriptions: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="subscription"):
        bench.run([A], subscriptions=subscriptions)


def test_a_scope_that_another_run_holds_is_left_alone(bench: Bench) -> None:
    with states_in(bench.folder, bench.clock).lease(SCOPE):
        report = bench.run([A])
    scope = only(report)
    assert (scope.outcome, scope.may_pass, report.exit_code) == (Outcome.BUSY, True, 4)
    assert bench.sink.sent == []


def test_a_damaged_state_fails_its_scope_and_is_kept(bench: Bench) -> None:
    bench.run([A])
    objects, name = FolderObjects(bench.folder), f"{SCOPE[1:]}/state"
    objects.put(name, b"damaged")
    report = bench.run_on(Estate({SUBSCRIPTION: [[A]], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert [scope.outcome for scope in report.scopes] == [Outcome.FAILED, Outcome.COMPLETE]
    assert name in report.scopes[0].gaps[0].why
    assert report.scopes[0].current is None
    assert [row["FindingsCurrent"] for row in bench.sink.rows(HEALTH) if row["Scope"] == SCOPE] == [1, None]
    kept = objects.read(name)
    assert kept
    assert kept.data == b"damaged"


def test_rows_that_were_not_sent_are_sent_by_the_next_run_before_it_reads(bench: Bench) -> None:
    def refuse(table: Table) -> None:
        if table.name == RECOMMENDATIONS:
            raise TransientError("HTTP 503.", remedy="Try again.")

    working, bench.sink = bench.sink, MemorySink(refuse)
    assert only(bench.run([A])).outcome is Outcome.FAILED
    [health] = bench.sink.rows(HEALTH)
    assert "503" in health["Unread"][0]["why"]
    bench.sink = working
    scope = only(bench.run(REFUSED))
    assert (scope.outcome, scope.changes) == (Outcome.FAILED, {"New": 1})
    [row] = bench.sink.rows(RECOMMENDATIONS)
    assert row["TimeGenerated"] == row["ObservedAt"] == "2026-11-20T08:05:00.000000Z"


class DeadEnd:
    """A sink that can send no row of one table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        return self._report(table.name, [orjson.dumps(row) for row in rows])

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        return self._report(batch.table, batch_rows(batch))

    def _report(self, table: str, rows: list[bytes]) -> SendReport:
        return SendReport(dead=len(rows), unsent=rows) if table == self._table else SendReport(sent=len(rows))


@pytest.mark.parametrize(("table", "arrived"), [(RECOMMENDATIONS, {}), (HEALTH, {"New": 1})])
def test_dead_letters_make_the_run_incomplete_and_are_not_sent_again(
    tmp_path: Path, table: str, arrived: dict[str, int]
) -> None:
    clock, estate = SetClock(), Estate({SUBSCRIPTION: [[A]]})
    report = connector(tmp_path, estate, DeadEnd(table), clock).run([SUBSCRIPTION])
    assert (only(report).dead, only(report).changes, report.exit_code) == (1, arrived, 4)
    again = connector(tmp_path, estate, MemorySink(), clock).run([SUBSCRIPTION])
    assert only(again).changes == {}


def test_a_health_row_that_cannot_be_sent_is_reported(bench: Bench) -> None:
    def refuse(table: Table) -> None:
        if table.name == HEALTH:
            raise TransientError("HTTP 503.", remedy="Try again.")

    bench.sink = MemorySink(refuse)
    report = bench.run([A])
    assert [gap.what for gap in only(report).gaps] == [HEALTH]
    assert report.exit_code == 4


def test_a_baseline_run_sends_snapshots(tmp_path: Path) -> None:
    bench = Bench(tmp_path, first_run="baseline")
    bench.run([A])
    bench.run([A, B])
    assert bench.changes() == [("Snapshot", "a"), ("New", "b")]


def test_a_removed_finding_is_explained_by_the_seam(tmp_path: Path) -> None:
    bench = Bench(tmp_path, explain=lambda gone: f"{gone.place.api} is no more")
    bench.run([A])
    bench.run([])
    bench.run([])
    row = bench.sink.rows(RECOMMENDATIONS)[-1]
    assert (row["ChangeType"], row["StateCause"], row["ResourceId"]) == (
        "Removed",
        "a is no more",
        f"{SERVICE}/apis/a".lower(),
    )


def test_each_scope_is_announced_when_it_is_done(tmp_path: Path) -> None:
    heard: list[ScopeReport] = []
    bench = Bench(tmp_path, on_scope=heard.append)
    report = bench.run_on(Estate({SUBSCRIPTION: [[A]], SECOND: [REFUSED]}), [SUBSCRIPTION, SECOND])
    assert sorted(heard, key=lambda scope: scope.scope) == list(report.scopes)


def test_the_lease_is_renewed_while_pages_come(tmp_path: Path) -> None:
    clock = SetClock()

    class Slow(Estate):
        def pages(self, subscription_id: str) -> Any:
            for page in super().pages(subscription_id):
                clock.moment += timedelta(minutes=10)
                yield page
                with pytest.raises(Exception, match="Another run holds"), store.lease(SCOPE):
                    pytest.fail("a second holder")

    store = states_in(tmp_path, clock)
    report = connector(tmp_path, Slow({SUBSCRIPTION: [[A], [B], [A]]}), MemorySink(), clock).run([SUBSCRIPTION])
    assert report.exit_code == 0


INVENTORY_OF_A = Inventory([Collection(SERVICE.lower(), "a", "https://a", 3, 1, 0, 0, None)])


class Known(Estate):
    """An estate with an inventory, and what of it could not be read."""

    def __init__(self, page: list[Any], *, day: str, gaps: tuple[Gap, ...] = ()) -> None:
        super().__init__({SUBSCRIPTION: [page]})
        self._day = day
        self._gaps = gaps

    def read(self, subscription_id: str, *, renew: Callable[[], None]) -> tuple[Reference, tuple[Gap, ...]]:
        known: dict[str, Any] = {"inventory": INVENTORY_OF_A, "inventory_day": self._day} if self._day else {}
        return reference(**known), self._gaps


def test_the_inventory_of_a_day_is_sent_once(bench: Bench) -> None:
    days = ("2026-11-20", "2026-11-20", "2026-11-21", "2026-11-21")
    sent = []
    for day in days:
        bench.clock.moment += timedelta(hours=8)
        sent.append(only(bench.run_on(Known([A], day=day))).inventory)
    assert sent == [1, 0, 1, 0]
    first, second = bench.sink.rows(INVENTORY)
    assert first["RecordId"] != second["RecordId"]


def test_reference_data_that_cannot_be_read_is_told_and_has_no_bearing_on_the_findings(bench: Bench) -> None:
    gap = Gap("inventory", str(REFUSED))
    bench.run([A, B])
    bench.run([A])
    report = bench.run_on(Known([A], day="", gaps=(gap,)))
    scope = only(report)
    assert (scope.outcome, scope.gaps, report.exit_code) == (Outcome.PARTIAL, (gap,), 4)
    assert (scope.changes, scope.watermark) == ({"Removed": 1}, "2026-11-20T08:15:00.000000Z")


def test_a_source_that_cannot_begin_leaves_every_scope_unread(bench: Bench) -> None:
    class Closed(Estate):
        def expect(self, subscriptions: Sequence[str]) -> None:
            raise IncompleteError("More than 10,000 subscriptions.", remedy="Name management groups.")

    bench.run([A])
    report = bench.run_on(Closed({SUBSCRIPTION: [[]], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert [scope.outcome for scope in report.scopes] == [Outcome.FAILED, Outcome.FAILED]
    assert ["10,000" in scope.gaps[0].why for scope in report.scopes] == [True, True]
    assert [row["Outcome"] for row in bench.sink.rows(HEALTH)][1:] == ["Failed", "Failed"]


def test_a_scope_whose_subscriptions_nobody_could_list_is_reported_as_unread(bench: Bench) -> None:
    group = "/providers/Microsoft.Management/managementGroups/corp"
    report = connector(bench.folder, Estate({SUBSCRIPTION: [[A]]}), bench.sink, bench.clock).run(
        [SUBSCRIPTION], unlisted=[Gap(group, str(REFUSED))]
    )
    assert [(scope.scope, scope.outcome) for scope in report.scopes] == [
        (group, Outcome.FAILED),
        (SCOPE, Outcome.COMPLETE),
    ]
    assert report.exit_code == 4
    assert {row["Scope"] for row in bench.sink.rows(HEALTH)} == {group, SCOPE}


def test_source_and_references_hear_of_all_subscriptions_before_any_is_read(bench: Bench) -> None:
    heard: list[Sequence[str]] = []

    class Listening(Estate):
        def expect(self, subscriptions: Sequence[str]) -> None:
            assert self.loads == 0
            heard.append(subscriptions)

    bench.run_on(Listening({SUBSCRIPTION: [[A]], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert heard == [[SUBSCRIPTION, SECOND]] * 2


def test_scopes_are_worked_on_side_by_side(tmp_path: Path) -> None:
    meeting = Barrier(2)

    class Meeting(Estate):
        def pages(self, subscription_id: str) -> Any:
            meeting.wait(timeout=20)
            yield from super().pages(subscription_id)

    bench = Bench(tmp_path, concurrency=2)
    report = bench.run_on(Meeting({SUBSCRIPTION: [[A]], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert report.exit_code == 0


def test_an_interrupted_run_ends_the_other_scopes_and_gives_their_leases_back(tmp_path: Path) -> None:
    begun = Event()

    class Endless(Estate):
        def pages(self, subscription_id: str) -> Any:
            if subscription_id == SECOND:
                begun.wait(timeout=20)
                raise KeyboardInterrupt
            while True:
                yield [A]
                begun.set()

    bench = Bench(tmp_path, concurrency=2)
    with pytest.raises(KeyboardInterrupt):
        bench.run_on(Endless({SUBSCRIPTION: [], SECOND: []}), [SUBSCRIPTION, SECOND])
    assert bench.changes() == []
    assert only(bench.run([A])).changes == {"New": 1}


def test_an_interrupted_run_begins_no_scope_that_still_waits(tmp_path: Path) -> None:
    class Interrupted(Estate):
        def pages(self, subscription_id: str) -> Any:
            if subscription_id == SUBSCRIPTION:
                raise KeyboardInterrupt
            while True:
                yield [A]

    waiting = [f"{SECOND[:-4]}{number:04}" for number in range(40)]
    estate = Interrupted({})
    with pytest.raises(KeyboardInterrupt):
        Bench(tmp_path).run_on(estate, [SUBSCRIPTION, *waiting])
    assert estate.loads < len(waiting)


def test_doubts_about_a_removed_finding_are_told_with_its_scope(tmp_path: Path) -> None:
    doubts = [Gap("another scope", "earlier")]

    def explain(gone: Finding) -> str:
        doubts.append(Gap(f"why {gone.place.api} is gone", "403"))
        return "Unexplained"

    bench = Bench(tmp_path, explain=explain, doubts=lambda _: tuple(doubts))
    bench.run([A, B])
    bench.run([A])
    scope = only(bench.run([A]))
    assert (scope.changes, scope.gaps) == ({"Removed": 1}, (Gap("why b is gone", "403"),))
    assert only(bench.run([A])).gaps == ()


def test_a_doubt_is_told_once_however_many_findings_it_is_about(tmp_path: Path) -> None:
    doubt, doubts = Gap("why they are gone", "403"), list[Gap]()

    def explain(gone: Finding) -> str:
        doubts[:] = [doubt]
        return "Unexplained"

    bench = Bench(tmp_path, explain=explain, doubts=lambda _: tuple(doubts))
    bench.run([A, B])
    bench.run([])
    scope = only(bench.run([]))
    assert (scope.changes, scope.gaps) == ({"Removed": 2}, (doubt,))


def test_a_run_that_lost_its_lease_after_the_last_page_saves_and_sends_nothing(bench: Bench) -> None:
    class Slow(Estate):
        def pages(self, subscription_id: str) -> Any:
            yield from super().pages(subscription_id)
            bench.clock.moment += timedelta(minutes=20)
            with states_in(bench.folder, bench.clock).lease(SCOPE):
                pass

    scope = only(bench.run_on(Slow({SUBSCRIPTION: [[A]]})))
    assert (scope.outcome, scope.may_pass, bench.changes()) == (Outcome.FAILED, True, [])
    assert only(bench.run([A])).changes == {"New": 1}


def test_the_lease_is_renewed_while_removed_findings_are_explained(tmp_path: Path) -> None:
    def explain(gone: Finding) -> str:
        slow.clock.moment += timedelta(minutes=10)
        with pytest.raises(ConflictError), states_in(tmp_path, slow.clock).lease(SCOPE):
            pytest.fail("a second holder")
        return "Unexplained"

    slow = Bench(tmp_path, explain=explain)
    slow.run([assessment(f"{SERVICE}/apis/{name}") for name in "abc"])
    slow.run([])
    assert only(slow.run([])).changes == {"Removed": 3}


def test_a_source_that_gives_no_page_at_all_was_read_whole_and_had_nothing(bench: Bench) -> None:
    bench.run([A])
    bench.run()
    scope = only(bench.run())
    assert (scope.outcome, scope.changes, scope.current) == (Outcome.COMPLETE, {"Removed": 1}, 0)
    assert scope.watermark == "2026-11-20T08:15:00.000000Z"


class FullOnce(FolderObjects):
    """A store that refuses the first write of rows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.refused = False

    def put(self, name: str, data: bytes) -> None:
        if "/outbox/" in name and not self.refused:
            self.refused = True
            raise TransientError("HTTP 503 while writing.", remedy="Try again.")
        super().put(name, data)


def test_rows_that_cannot_be_kept_are_not_taken_as_told(bench: Bench) -> None:
    """More of them than are kept in memory, so that the first are written while the rest is still being read."""
    page = [
        with_properties(assessment(f"{SERVICE}/apis/{number}"), additionalData={"of": token_hex(20_000)})
        for number in range(300)
    ]
    full = FullOnce(bench.folder)
    estate = Estate({SUBSCRIPTION: [page]})
    states = StateStore(full, clock=bench.clock)
    failed = connector(bench.folder, estate, bench.sink, bench.clock, states=states).run([SUBSCRIPTION])
    assert (full.refused, only(failed).outcome, only(failed).may_pass) == (True, Outcome.FAILED, True)
    assert "503" in only(failed).gaps[0].why
    bench.run(page)
    assert sorted(bench.changes()) == sorted(("New", str(number)) for number in range(300))


def test_an_error_that_nobody_expected_ends_the_run_when_the_other_scopes_are_done(tmp_path: Path) -> None:
    class Broken(Estate):
        def pages(self, subscription_id: str) -> Any:
            if subscription_id == SUBSCRIPTION:
                raise LookupError("a mistake of ours")
            return super().pages(subscription_id)

    bench = Bench(tmp_path)
    estate = Broken({SUBSCRIPTION: [], SECOND: [[assessment(f"{SERVICE}/apis/a".replace(SUBSCRIPTION, SECOND))]]})
    with pytest.raises(LookupError, match="a mistake of ours"):
        bench.run_on(estate, [SUBSCRIPTION, SECOND])
    assert bench.changes() == [("New", "a")]


class Sleeping(FolderObjects):
    """A store whose machine falls asleep right before it saves a state; `meanwhile` happens then."""

    def __init__(self, folder: Path, meanwhile: Callable[[], object]) -> None:
        super().__init__(folder)
        self._meanwhile = [meanwhile]

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        if name.endswith("/state") and self._meanwhile:
            self._meanwhile.pop()()
        return super().write(name, data, etag=etag)


class Died(BaseException):
    """The process ended."""


class DyingWhenItDeletes(FolderObjects):
    """A store whose process ends as soon as rows are deleted."""

    def delete(self, name: str) -> None:
        super().delete(name)
        if "/outbox/" in name:
            raise Died


@pytest.mark.parametrize("store", [FolderObjects, DyingWhenItDeletes], ids=["dies reading", "dies deleting"])
@pytest.mark.parametrize("known", [[], [[B]]], ids=["first run", "later run"])
def test_a_run_whose_lease_and_rows_were_taken_over_saves_nothing(
    bench: Bench, known: list[list[Any]], store: type[FolderObjects]
) -> None:
    """It wakes up between the last look at its lease and the save, when its rows are deleted already."""

    class Dying(Estate):
        def pages(self, subscription_id: str) -> Any:
            raise Died

    def another_run() -> None:
        bench.clock.moment += timedelta(minutes=20)
        theirs = StateStore(store(bench.folder), clock=bench.clock)
        with pytest.raises(Died):
            connector(bench.folder, Dying({}), bench.sink, bench.clock, states=theirs).run([SUBSCRIPTION])
        bench.clock.moment += timedelta(minutes=20)

    for page in known:
        bench.run(page)
    objects: ObjectStore = Sleeping(bench.folder, another_run)
    states = StateStore(objects, clock=bench.clock)
    estate = Estate({SUBSCRIPTION: [[A, B]]})
    report = connector(bench.folder, estate, bench.sink, bench.clock, states=states).run([SUBSCRIPTION])
    assert only(report).outcome is Outcome.FAILED
    bench.run([A, B])
    assert sorted(bench.changes()) == [("New", "a"), ("New", "b")]

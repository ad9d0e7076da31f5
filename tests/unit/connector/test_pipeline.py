from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_connector.finding import Finding
from apiward_connector.folder_state import FolderStateStore
from apiward_connector.report import Gap, Outcome, RunReport, ScopeReport
from apiward_connector.rows import INVENTORY
from apiward_core.errors import AccessError, ConfigurationError, ConflictError, TransientError
from apiward_core.ingest import Row, SendReport
from apiward_core.tables import HEALTH, RECOMMENDATIONS, Table, all_tables
from tests.unit.connector.samples import (
    OTHER_KEY,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Collections,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
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
        return [(row["ChangeType"], row["ApiName"]) for row in self.sink.rows(RECOMMENDATIONS)]


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
    assert [row["Outcome"] for row in bench.sink.rows(HEALTH)] == ["Failed", "Complete"]


def test_a_run_that_reads_nothing_at_all_fails(bench: Bench) -> None:
    assert bench.run(REFUSED).exit_code == 1


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


def test_metadata_that_cannot_be_read_fails_the_scope(bench: Bench) -> None:
    class NoMetadata(Estate):
        def load(self, subscription_id: str) -> Any:
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
    with FolderStateStore(bench.folder, clock=bench.clock).lease(SCOPE):
        scope = only(bench.run([A]))
    assert (scope.outcome, bench.changes()) == (Outcome.FAILED, [])


def test_a_damaged_state_fails_its_scope_and_is_kept(bench: Bench) -> None:
    bench.run([A])
    [path] = bench.folder.glob("*.state")
    path.write_bytes(b"damaged")
    report = bench.run_on(Estate({SUBSCRIPTION: [[A]], SECOND: [[]]}), [SUBSCRIPTION, SECOND])
    assert [scope.outcome for scope in report.scopes] == [Outcome.FAILED, Outcome.COMPLETE]
    assert path.name in report.scopes[0].gaps[0].why
    assert path.read_bytes() == b"damaged"


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
    assert [row["TimeGenerated"] for row in bench.sink.rows(RECOMMENDATIONS)] == ["2026-11-20T08:05:00.000000Z"]


class DeadEnd:
    """A sink that can send no row of one table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        count = len(list(rows))
        return SendReport(dead=count) if table.name == self._table else SendReport(sent=count)


@pytest.mark.parametrize("table", [RECOMMENDATIONS, HEALTH])
def test_dead_letters_make_the_run_incomplete_and_are_not_sent_again(tmp_path: Path, table: str) -> None:
    clock, estate = SetClock(), Estate({SUBSCRIPTION: [[A]]})
    report = connector(tmp_path, estate, DeadEnd(table), clock).run([SUBSCRIPTION])
    assert (only(report).dead, report.exit_code) == (1, 4)
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
    bench = Bench(tmp_path, explain=lambda gone: f"{gone.api_name} is no more")
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
    assert tuple(heard) == report.scopes


def test_the_lease_is_renewed_while_pages_come(tmp_path: Path) -> None:
    clock = SetClock()

    class Slow(Estate):
        def pages(self, subscription_id: str) -> Any:
            for page in super().pages(subscription_id):
                clock.moment += timedelta(minutes=10)
                yield page
                with pytest.raises(Exception, match="Another run works"), store.lease(SCOPE):
                    pytest.fail("a second holder")

    store = FolderStateStore(tmp_path, clock=clock)
    report = connector(tmp_path, Slow({SUBSCRIPTION: [[A], [B], [A]]}), MemorySink(), clock).run([SUBSCRIPTION])
    assert report.exit_code == 0


COLLECTION = {
    "id": f"{SERVICE}/providers/Microsoft.Security/apiCollections/echo",
    "name": "echo",
    "properties": {"numberOfApiEndpoints": 3},
}


def test_the_inventory_is_sent_once_a_day(tmp_path: Path) -> None:
    collections = Collections([COLLECTION])
    bench = Bench(tmp_path, inventory=collections)
    assert [only(bench.run([A])).inventory for _ in range(2)] == [1, 0]
    bench.clock.moment += timedelta(days=1)
    assert only(bench.run([A])).inventory == 1
    assert collections.reads == 2
    first, second = bench.sink.rows(INVENTORY)
    assert first["RecordId"] != second["RecordId"]


@pytest.mark.parametrize("broken", [[REFUSED], [[COLLECTION], REFUSED]], ids=["nothing of it is read", "it breaks off"])
def test_an_inventory_that_cannot_be_read_is_told_and_read_again_by_the_next_run(tmp_path: Path, broken: Any) -> None:
    bench = Bench(tmp_path, inventory=Collections(*broken))
    for _ in range(2):
        report = bench.run([A])
        assert only(report).gaps == (Gap("inventory", str(REFUSED)),)
        assert (only(report).outcome, report.exit_code) == (Outcome.PARTIAL, 4)
    bench.options["inventory"] = Collections([COLLECTION])
    report = bench.run([A])
    assert (only(report).outcome, only(report).inventory) == (Outcome.COMPLETE, 1)


def test_an_unread_inventory_has_no_bearing_on_the_findings(tmp_path: Path) -> None:
    bench = Bench(tmp_path, inventory=Collections(REFUSED))
    bench.run([A, B])
    bench.run([A])
    scope = only(bench.run([A]))
    assert (scope.changes, scope.watermark) == ({"Removed": 1}, "2026-11-20T08:15:00.000000Z")


def test_a_collection_that_makes_no_row_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, inventory=Collections([{"id": "nowhere"}, COLLECTION]))
    scope = only(bench.run([A]))
    [gap] = scope.gaps
    assert (gap.what, "nowhere" in gap.why, scope.inventory) == ("inventory", True, 1)


def test_doubts_about_a_removed_finding_are_told_with_its_scope(tmp_path: Path) -> None:
    doubts = [Gap("another scope", "earlier")]

    def explain(gone: Finding) -> str:
        doubts.append(Gap(f"why {gone.api_name} is gone", "403"))
        return "Unexplained"

    bench = Bench(tmp_path, explain=explain, doubts=lambda: tuple(doubts))
    bench.run([A, B])
    bench.run([A])
    scope = only(bench.run([A]))
    assert (scope.changes, scope.gaps) == ({"Removed": 1}, (Gap("why b is gone", "403"),))
    assert only(bench.run([A])).gaps == ()


def test_the_lease_is_renewed_while_removed_findings_are_explained(tmp_path: Path) -> None:
    def explain(gone: Finding) -> str:
        slow.clock.moment += timedelta(minutes=10)
        with pytest.raises(ConflictError), FolderStateStore(tmp_path, clock=slow.clock).lease(SCOPE):
            pytest.fail("a second holder")
        return "Unexplained"

    slow = Bench(tmp_path, explain=explain)
    slow.run([assessment(f"{SERVICE}/apis/{name}") for name in "abc"])
    slow.run([])
    assert only(slow.run([])).changes == {"Removed": 3}

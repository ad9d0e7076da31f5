from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from apiward_connector.report import Gap
from apiward_connector.state import ScopeState
from apiward_connector.status import NEVER, ScopeStatus, Status, StatusReader
from apiward_core.dead_letters import ObjectDeadLetters
from apiward_core.errors import AccessError
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import SendReport
from apiward_core.logs import Row, TimeSpan
from apiward_core.packing import Batch, batch_rows
from apiward_core.tables import HEALTH, RECOMMENDATIONS, all_tables
from tests.unit.connector.samples import (
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    SetClock,
    assessment,
    connector,
    states_in,
)
from tests.unit.connector.workspace import Workspace

OTHER = "22222222-2222-2222-2222-222222222222"
OTHER_SCOPE = f"/subscriptions/{OTHER}"
HEALTH_STREAM = all_tables()[HEALTH].stream
REFUSED = AccessError("HTTP 403 while listing.", remedy="Grant Reader.")
ESTATE = Estate({SUBSCRIPTION: [[assessment(f"{SERVICE}/apis/{name}") for name in "ab"]], OTHER: [REFUSED]})


class Bench:
    """A connector on fakes, and the status of it as a workspace would tell it that received all its rows twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.sink = Workspace(self.clock, copies=2)
        self.states = states_in(folder / "state", self.clock)
        self.dead_letters = ObjectDeadLetters(FolderObjects(folder / "objects"), clock=self.clock)

    def run(self, *subscriptions: str, estate: Estate = ESTATE) -> None:
        connector(self.folder / "state", estate, self.sink, self.clock).run(subscriptions)
        self.clock.moment += timedelta(hours=1)

    def status(self, *subscriptions: str, unlisted: Sequence[Gap] = ()) -> Status:
        every = timedelta(hours=1)
        reader = StatusReader(
            logs=self.sink, states=self.states, dead_letters=self.dead_letters, clock=self.clock, every=every
        )
        return reader.read(subscriptions, unlisted=unlisted)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def only(status: Status) -> ScopeStatus:
    [scope] = status.scopes
    return scope


def test_the_last_run_of_each_subscription_is_told(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    bench.run(SUBSCRIPTION)
    status = bench.status(SUBSCRIPTION)
    scope = only(status)
    assert (scope.scope, scope.outcome, scope.source, status.exit_code) == (SCOPE, "Complete", "assessments", 0)
    assert (scope.last_run, scope.watermark) == ("2026-11-20T09:00:00.000000Z",) * 2
    assert (scope.watermark_age, scope.current, scope.sent, scope.owed) == (3600.0, 2, 0, 0)
    assert scope.run_id == bench.sink.rows(HEALTH)[-1]["RunId"]


def test_a_subscription_without_a_run_was_never_read(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    status = bench.status(SUBSCRIPTION, OTHER)
    assert [scope.outcome for scope in status.scopes] == ["Complete", NEVER]
    assert status.exit_code == 4


def test_what_was_not_read_is_told_with_the_reason_and_the_last_whole_read(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    bench.run(SUBSCRIPTION, estate=Estate({SUBSCRIPTION: [REFUSED]}))
    status = bench.status(SUBSCRIPTION)
    scope = only(status)
    assert (scope.outcome, scope.gaps, status.exit_code) == ("Failed", (Gap(SCOPE, str(REFUSED)),), 4)
    assert (scope.watermark, scope.watermark_age) == ("2026-11-20T08:00:00.000000Z", 7200.0)


def test_a_run_that_did_not_even_get_the_state_does_not_hide_the_last_whole_read(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    bench.run(SUBSCRIPTION)
    FolderObjects(bench.folder / "state").put(f"{SCOPE[1:]}/state", b"damaged")
    bench.run(SUBSCRIPTION)
    scope = only(bench.status(SUBSCRIPTION))
    assert (scope.outcome, scope.watermark) == ("Failed", "2026-11-20T09:00:00.000000Z")


def test_a_subscription_that_was_never_read_whole_has_no_watermark(bench: Bench) -> None:
    bench.run(OTHER)
    scope = only(bench.status(OTHER))
    assert (scope.outcome, scope.watermark, scope.watermark_age) == ("Failed", "", None)


def test_rows_that_were_not_delivered_are_counted(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    state, etag = bench.states.load(SCOPE)
    writer = bench.states.outbox(SCOPE).writer("pass")
    writer.add(HEALTH, [b"{}", b"{}"])
    writer.close()
    assert only(bench.status(SUBSCRIPTION)).owed == 0  # no state accounts for them yet
    state.outbox = "pass"
    bench.states.save(SCOPE, state, etag)
    status = bench.status(SUBSCRIPTION)
    assert (only(status).owed, status.exit_code) == (2, 4)


def test_a_state_that_cannot_be_read_is_told(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    bench.states.save(OTHER_SCOPE, ScopeState(), None)
    FolderObjects(bench.folder / "state").put(f"{SCOPE[1:]}/state", b"damaged")
    status = bench.status(SUBSCRIPTION, OTHER)
    damaged, other = status.scopes
    assert (damaged.owed, other.owed, status.exit_code) == (None, 0, 4)
    assert "no connector state" in damaged.gaps[0].why


def test_a_run_that_did_not_come_is_overdue_when_the_next_one_should_have_come_too(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)  # and an hour goes by
    scope = only(bench.status(SUBSCRIPTION))
    assert (scope.next_due, scope.overdue) == ("2026-11-20T09:00:00.000000Z", False)
    bench.clock.moment += timedelta(hours=1)
    assert not only(bench.status(SUBSCRIPTION)).overdue
    bench.clock.moment += timedelta(seconds=1)
    status = bench.status(SUBSCRIPTION)
    assert (only(status).overdue, status.exit_code) == (True, 4)


def test_dead_letters_are_counted_by_stream(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    status = bench.status(SUBSCRIPTION)
    assert (status.dead_letters, status.exit_code) == ({}, 0)
    bench.dead_letters.add(HEALTH_STREAM, b"{}", "too large")
    status = bench.status(SUBSCRIPTION)
    assert (status.dead_letters, status.exit_code) == ({HEALTH_STREAM: 1}, 4)


class Refusing(Workspace):
    """A workspace that refuses every row about a finding."""

    def __init__(self, clock: SetClock, dead_letters: ObjectDeadLetters) -> None:
        super().__init__(clock)
        self._dead_letters = dead_letters

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        if batch.table != RECOMMENDATIONS:
            return super().deliver(batch, without=without)
        rows = batch_rows(batch)
        self._dead_letters.add_all(all_tables()[batch.table].stream, rows, "too large")
        return SendReport(dead=len(rows), unsent=rows)


def test_dead_letters_that_were_replayed_are_no_reason_to_look_any_more(bench: Bench) -> None:
    bench.sink = Refusing(bench.clock, bench.dead_letters)
    bench.run(SUBSCRIPTION)
    status = bench.status(SUBSCRIPTION)
    assert (only(status).outcome, only(status).dead, status.exit_code) == ("Complete", 2, 4)
    for bundle in bench.dead_letters.bundles():
        bench.dead_letters.settle(bundle, [])
    status = bench.status(SUBSCRIPTION)
    assert (only(status).dead, status.dead_letters, status.exit_code) == (2, {}, 0)


@pytest.mark.parametrize("unread", ['[{"what": "a", "wh...[cut by apiward]', '[{"what": "a"}]', "7"])
def test_a_column_that_does_not_hold_gaps_is_shown_as_it_is(bench: Bench, unread: str) -> None:
    bench.run(SUBSCRIPTION)
    health = bench.sink.rows(HEALTH)[0]

    class Odd(Workspace):
        def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
            return [{**health, "LastWhole": None, "TimeGenerated": bench.clock.moment, "Unread": unread}]

    bench.sink = Odd(bench.clock)
    [gap] = only(bench.status(SUBSCRIPTION)).gaps
    assert gap.why == unread


@pytest.mark.parametrize("told", [True, False], ids=["told by a run", "never told"])
def test_a_management_group_that_cannot_be_listed_is_not_complete(bench: Bench, told: bool) -> None:
    gap = Gap("/providers/Microsoft.Management/managementGroups/corp", str(REFUSED))
    if told:
        connector(bench.folder / "state", ESTATE, bench.sink, bench.clock).run([], unlisted=[gap])
    bench.run(SUBSCRIPTION)
    status = bench.status(SUBSCRIPTION, unlisted=[gap])
    group, scope = status.scopes
    assert (group.scope, group.outcome, group.complete) == (gap.what, "Failed" if told else NEVER, False)
    assert group.gaps == (gap,)
    assert (scope.complete, status.exit_code) == (True, 4)

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward.local_kql import LocalKql
from apiward_connector.folder_state import FolderStateStore
from apiward_connector.report import Gap
from apiward_connector.state import ChangeType, ScopeState
from apiward_connector.status import NEVER, ScopeStatus, Status, StatusReader
from apiward_core.clock import parse_timestamp
from apiward_core.dead_letters import FolderDeadLetters
from apiward_core.errors import AccessError, ConfigurationError
from apiward_core.kql_engine import Arrival
from apiward_core.logs import Row, TimeSpan
from apiward_core.tables import HEALTH, all_tables
from apiward_rules.functions import function_schemas
from tests.unit.connector.samples import (
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
)

OTHER = "22222222-2222-2222-2222-222222222222"
OTHER_SCOPE = f"/subscriptions/{OTHER}"
KQL = LocalKql({HEALTH: all_tables()[HEALTH]}, {"ApiConnectorHealth": function_schemas()["ApiConnectorHealth"]})
REFUSED = AccessError("HTTP 403 while listing.", remedy="Grant Reader.")
ESTATE = Estate({SUBSCRIPTION: [[assessment(f"{SERVICE}/apis/{name}") for name in "ab"]], OTHER: [REFUSED]})


class Bench:
    """A connector on fakes, and the status of it as a workspace would tell it that received all its rows twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.sink = MemorySink()
        self.states = FolderStateStore(folder / "state", clock=self.clock)
        self.dead_letters = folder / "dead-letters"

    def run(self, *subscriptions: str, estate: Estate = ESTATE) -> None:
        connector(self.folder / "state", estate, self.sink, self.clock).run(subscriptions)
        self.clock.moment += timedelta(hours=1)

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        assert isinstance(timespan, timedelta)
        arrival = Arrival(HEALTH, self.sink.rows(HEALTH), self.clock.moment)
        rows = KQL.query(kql, [arrival, arrival], now=self.clock.moment, period=timespan)
        return [{name: _as_the_sdk_reads(name, value) for name, value in row.items()} for row in rows]

    def status(self, *subscriptions: str) -> Status:
        reader = StatusReader(logs=self, states=self.states, dead_letters=self.dead_letters, clock=self.clock)
        return reader.read(subscriptions)


def _as_the_sdk_reads(name: str, value: Any) -> Any:
    return parse_timestamp(value) if name in ("TimeGenerated", "LastWhole") and value else value


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
    with bench.states.lease(SCOPE):
        bench.run(SUBSCRIPTION)
    scope = only(bench.status(SUBSCRIPTION))
    assert (scope.outcome, scope.watermark) == ("Failed", "2026-11-20T09:00:00.000000Z")


def test_a_subscription_that_was_never_read_whole_has_no_watermark(bench: Bench) -> None:
    bench.run(OTHER)
    scope = only(bench.status(OTHER))
    assert (scope.outcome, scope.watermark, scope.watermark_age) == ("Failed", "", None)


def test_rows_that_this_machine_owes_are_counted(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    state, etag = bench.states.load(SCOPE)
    bench.states.save(SCOPE, replace(state, pending=tuple((name, ChangeType.NEW) for name in state.entries)), etag)
    status = bench.status(SUBSCRIPTION)
    assert (only(status).owed, status.exit_code) == (2, 4)


def test_a_state_that_cannot_be_read_is_told(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    bench.states.save(OTHER_SCOPE, ScopeState(), None)
    for path in (bench.folder / "state").glob("*1111*.state"):
        path.write_bytes(b"damaged")
    status = bench.status(SUBSCRIPTION, OTHER)
    damaged, other = status.scopes
    assert (damaged.owed, other.owed, status.exit_code) == (None, 0, 4)
    assert "no connector state" in damaged.gaps[0].why


def test_dead_letters_of_this_machine_are_counted_by_stream(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    assert bench.status(SUBSCRIPTION).dead_letters == {}
    kept = FolderDeadLetters(bench.dead_letters, clock=bench.clock)
    for stream in ("Custom-A", "Custom-B", "Custom-A"):
        kept.add(stream, b'{"x": "line\\nfeed"}', "too large")
    assert bench.status(SUBSCRIPTION).dead_letters == {"Custom-A": 2, "Custom-B": 1}


def test_dead_letters_that_cannot_be_read_are_an_error(bench: Bench) -> None:
    bench.run(SUBSCRIPTION)
    (bench.dead_letters / "Custom-A.jsonl").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"dead letters in .* cannot be read"):
        bench.status(SUBSCRIPTION)


@pytest.mark.parametrize("unread", ['[{"what": "a", "wh...[cut by apiward]', '[{"what": "a"}]', "7"])
def test_a_column_that_does_not_hold_gaps_is_shown_as_it_is(bench: Bench, unread: str) -> None:
    bench.run(SUBSCRIPTION)
    health = bench.sink.rows(HEALTH)[0]

    class Odd(Bench):
        def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
            return [{**health, "LastWhole": None, "TimeGenerated": bench.clock.moment, "Unread": unread}]

    [gap] = only(Odd(bench.folder).status(SUBSCRIPTION)).gaps
    assert gap.why == unread

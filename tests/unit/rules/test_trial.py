"""Running samples: what counts as passed, what is reported, and what is asked of the engine."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from apiward_core.errors import RejectedDataError
from apiward_core.kql_engine import Arrival, Row
from apiward_rules.load import parse_rule
from apiward_rules.model import AnalyticsRule
from apiward_rules.trial import SampleResult, try_rule
from tests.unit.rules.test_arm import RULE_YAML

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class CannedEngine:
    """Answers every query alike, or refuses it, and notes what was asked."""

    def __init__(self, answer: Sequence[Row] | RejectedDataError) -> None:
        self._answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def query(self, kql: str, arrivals: Iterable[Arrival], *, now: datetime, period: timedelta | None) -> list[Row]:
        self.asked.append((kql, [arrival.table for arrival in arrivals], now, period))
        if isinstance(self._answer, RejectedDataError):
            raise self._answer
        return list(self._answer)


def rule(*alerts: dict[str, Any], **changes: Any) -> AnalyticsRule:
    """A rule with one sample that expects these alerts, each one for each row."""
    document = {**yaml.safe_load(RULE_YAML), "triggerThreshold": 0, **changes}
    sample = {"name": "one", "rows": [{}], "alerts": list(alerts)}
    document["tests"] = {"now": NOON, "table": "Facts_CL", "samples": [sample]}
    return parse_rule("facts.yaml", yaml.safe_dump(document))


def run(answer: Sequence[Row] | RejectedDataError, *alerts: dict[str, Any], **changes: Any) -> SampleResult:
    (result,) = try_rule(rule(*alerts, **changes), CannedEngine(answer))
    return result


def alert(repeat: int = 1, **columns: Any) -> dict[str, Any]:
    return {"columns": columns, "repeat": repeat}


@pytest.mark.parametrize(
    ("answer", "alerts", "passed"),
    [
        ([], [], True),
        ([{"A": 1}], [], False),
        ([], [alert(A=1)], False),
        ([{"A": 1, "B": 2}], [alert(A=1)], True),
        ([{"A": 1}], [alert(A=2)], False),
        ([{"A": 1}], [alert(C=1)], False),
        ([{"A": 1}, {"A": 2}], [alert(A=2), alert(A=1)], True),
        ([{"A": 1}, {"A": 2}], [alert(A=1)], False),
        ([{"A": 1}], [alert(A=1), alert(A=1)], False),
        ([{"A": 1}] * 3, [alert(3, A=1)], True),
        ([{"A": 1}] * 2, [alert(3, A=1)], False),
        ([{"A": 1, "B": 2}, {"A": 1, "B": 3}], [alert(A=1), alert(A=1, B=2)], True),
        ([{"A": 1}] * 150, [alert(150)], True),
    ],
)
def test_each_expected_alert_has_a_row_of_its_own_and_no_row_is_left(
    answer: list[Row], alerts: list[dict[str, Any]], *, passed: bool
) -> None:
    assert run(answer, *alerts).passed is passed


def test_a_result_shows_the_columns_that_the_sample_names() -> None:
    result = run([{"A": 1, "B": 2, "C": 3}], alert(A=1), alert(B=3))
    assert (result.sample, result.expected, result.got) == ("one", ({"A": 1}, {"B": 3}), ({"A": 1, "B": 2},))


def test_an_unexpected_alert_is_shown_whole() -> None:
    assert run([{"A": 1, "B": 2}]).got == ({"A": 1, "B": 2},)


def test_the_trigger_decides_whether_there_are_alerts() -> None:
    assert run([{"A": 1}] * 2, triggerThreshold=2).passed
    assert run([{"A": 1}] * 3, alert(3, A=1), triggerThreshold=2).passed
    assert run([], alert(), triggerOperator="lt", triggerThreshold=1).got == ()


def test_one_alert_for_all_rows_is_the_first_even_when_there_is_none() -> None:
    single = {"eventGroupingSettings": {"aggregationKind": "SingleAlert"}}
    assert run([{"A": 1}, {"A": 2}], alert(A=1), **single).passed
    assert run([], alert(), **single, triggerOperator="lt", triggerThreshold=1).passed


def test_more_alerts_than_a_run_raises_are_a_problem() -> None:
    result = run([{"A": 1}] * 151, alert(151, A=1))
    assert not result.passed
    assert "151 alerts" in result.problem


def test_a_query_that_cannot_run_is_a_problem() -> None:
    result = run(RejectedDataError("no such column", remedy="Correct it."))
    assert (result.passed, result.problem) == (False, "no such column")


def test_the_engine_gets_the_deployed_text_the_frozen_time_and_the_period() -> None:
    engine, tried = CannedEngine([]), rule()
    list(try_rule(tried, engine))
    assert engine.asked == [(tried.query, ["Facts_CL"], NOON, timedelta(hours=47))]


def test_a_rule_without_samples_has_no_results() -> None:
    assert list(try_rule(parse_rule("facts.yaml", RULE_YAML), CannedEngine([]))) == []

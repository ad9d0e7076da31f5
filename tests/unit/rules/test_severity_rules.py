"""What the rules for High, Medium and Low do together; what each does by itself is in its samples."""

import json
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from apiward_core.kql_engine import Row
from apiward_rules.load import load_rules
from apiward_rules.model import AnalyticsRule
from tests.unit.rules.workspace import HOUR, KEY, MINUTE, NOW, Rows, row

RULES: dict[str, AnalyticsRule] = {
    rule.severity: rule for stem, rule in load_rules().items() if stem.startswith("api-recommendation-")
}
RANKS = ("Low", "Medium", "High")


@pytest.fixture
def rows() -> Rows:
    return Rows()


def alerts(rows: Rows, severity: str, now: datetime = NOW) -> list[Row]:
    """The rows of the rule's query over its period."""
    return rows.query(RULES[severity].query, now=now, period=RULES[severity].query_period)


def raising(rows: Rows) -> list[str]:
    """The severities whose rules raise an alert."""
    return [severity for severity in RANKS if alerts(rows, severity)]


def changed(severity: str, before: str, **changes: Any) -> dict[str, Any]:
    """The second revision of a finding that was unhealthy with another severity."""
    facts = {"Revision": 2, "ChangeType": "Changed", "PreviousState": "Unhealthy", "PreviousSeverity": before}
    return row() | {"RecordId": "f1/2", "Severity": severity} | facts | changes


def test_there_is_a_rule_for_each_severity() -> None:
    assert set(RULES) == set(RANKS)


@pytest.mark.parametrize("severity", RANKS)
def test_a_new_finding_is_raised_by_the_rule_of_its_severity_alone(rows: Rows, severity: str) -> None:
    rows.send(row(Severity=severity))
    assert raising(rows) == [severity]


@pytest.mark.parametrize(("before", "severity"), list(product(RANKS, RANKS)))
def test_a_rise_is_raised_by_the_rule_of_the_new_severity_alone_and_a_fall_by_none(
    rows: Rows, before: str, severity: str
) -> None:
    rows.send(changed(severity, before))
    assert raising(rows) == ([severity] if RANKS.index(severity) > RANKS.index(before) else [])


@pytest.mark.parametrize(("before", "severity"), list(product(RANKS, RANKS)))
def test_a_regression_is_raised_by_the_rule_of_the_present_severity_alone(
    rows: Rows, before: str, severity: str
) -> None:
    rows.send(changed(severity, before, ChangeType="Regressed", PreviousState="Healthy"))
    assert raising(rows) == [severity]


@pytest.mark.parametrize(("before", "severity"), list(product(RANKS, RANKS)))
def test_a_finding_of_a_state_that_was_started_anew_is_raised_by_the_rule_of_its_present_severity(
    rows: Rows, before: str, severity: str
) -> None:
    rows.send(row(Revision=5, ChangeType="Regressed", Severity=before, PreviousState="Healthy"), observed=NOW - HOUR)
    anew = {"Severity": severity, "FirstSeen": (NOW - 10 * MINUTE).isoformat()}
    rows.send(row(**anew), observed=NOW - 10 * MINUTE)
    assert raising(rows) == [severity]


@pytest.mark.parametrize("severity", RANKS)
@pytest.mark.parametrize("delay", [timedelta(0), 7 * MINUTE], ids=["on time", "seven minutes late"])
def test_consecutive_runs_miss_nothing_between_them(rows: Rows, severity: str, delay: timedelta) -> None:
    previous = NOW - timedelta(hours=1)
    rows.send(row(Severity=severity), observed=previous + timedelta(seconds=1))
    assert alerts(rows, severity, previous) == []
    assert len(alerts(rows, severity, NOW + delay)) == 1


@pytest.mark.parametrize("severity", RANKS)
def test_the_longest_names_fit_into_an_alert(rows: Rows, severity: str) -> None:
    rule, group, service = RULES[severity], "g" * 90, "s" * 50
    long_id = f"/subscriptions/{KEY}/resourcegroups/{group}/providers/microsoft.apimanagement/service/{service}"
    names = {"ApimService": service, "Recommendation": "r" * 100, "RecommendationName": "n" * 200}
    rows.send(row(Severity=severity, ServiceId=long_id, **names))
    (alert,) = alerts(rows, severity)
    details = {key: [str(alert[column])] for key, column in rule.custom_details.items()}
    assert len(json.dumps(details)) <= 2048
    assert rule.alert_details_override is not None
    title = rule.alert_details_override.alert_display_name_format or ""
    for column in ("RecommendationName", "Service"):
        title = title.replace("{{" + column + "}}", alert[column])
    assert len(title.encode()) <= 256

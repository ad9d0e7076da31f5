"""The rule for high severity on rows, in the lab's workspace: when it fires, when not, and what an alert says."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiward_rules.load import load_rules
from tests.unit.rules.workspace import HOUR, KEY, MINUTE, NOW, Rows, row, service_id

RULE = load_rules()["api-recommendation-high"]


@pytest.fixture
def rows() -> Rows:
    return Rows()


def run(rows: Rows, now: datetime = NOW) -> list[dict[str, Any]]:
    """The alerts of a run: the rows of the rule's query over its period."""
    return rows.query(RULE.query, now=now, period=RULE.query_period)


def changed(**changes: Any) -> dict[str, Any]:
    """The second revision of a finding that was unhealthy and high before."""
    facts = {"Revision": 2, "ChangeType": "Changed", "PreviousState": "Unhealthy", "PreviousSeverity": "High"}
    return row() | {"RecordId": "f1/2"} | facts | changes


@pytest.mark.parametrize(
    "raised",
    [
        pytest.param(row(), id="new"),
        pytest.param(changed(PreviousState="Healthy"), id="became unhealthy"),
        pytest.param(changed(PreviousState="NotApplicable"), id="back from an exemption"),
        pytest.param(changed(PreviousSeverity="Medium"), id="rose to high"),
        pytest.param(changed(ChangeType="Regressed", PreviousState="Healthy"), id="regressed"),
        pytest.param(changed(ChangeType="Regressed"), id="removed while unhealthy, then back"),
    ],
)
def test_it_fires(rows: Rows, raised: dict[str, Any]) -> None:
    rows.send(raised)
    assert len(run(rows)) == 1


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(row(Severity="Medium"), id="another severity"),
        pytest.param(row(State="Healthy"), id="new and healthy"),
        pytest.param(row(ChangeType="Snapshot"), id="snapshot"),
        pytest.param(changed(ResourceTags={"team": "b"}), id="tag changed"),
        pytest.param(changed(Severity="Medium"), id="fell to medium"),
        pytest.param(changed(ChangeType="Resolved", State="Healthy"), id="resolved"),
        pytest.param(changed(ChangeType="Removed"), id="removed while unhealthy"),
        pytest.param(changed(State="NotApplicable"), id="exempted"),
    ],
)
def test_it_stays_silent(rows: Rows, silent: dict[str, Any]) -> None:
    rows.send(silent)
    assert run(rows) == []


def test_an_alert_covers_one_recommendation_at_one_service(rows: Rows) -> None:
    rows.send(row("f1"), row("f2"), row("f3", service="fabrikam"), row("f4", RecommendationKey="other"))
    found = sorted((a["RecommendationKey"], a["ApimService"], a["FindingCount"]) for a in run(rows))
    assert found == [(KEY, "contoso", 2), (KEY, "fabrikam", 1), ("other", "contoso", 1)]


def test_an_alert_says_what_an_analyst_and_a_playbook_need(rows: Rows) -> None:
    rows.send(row())
    (alert,) = run(rows)
    assert alert == {
        "RecommendationKey": KEY,
        "Recommendation": "apim-encrypted-protocols",
        "RecommendationName": "API Management APIs should use only encrypted protocols",
        "ApimService": "contoso",
        "Service": "contoso",
        "ServiceId": service_id("contoso"),
        "AzureResourceId": service_id("contoso"),
        "FindingCount": 1,
        "WindowStart": "2026-11-23T10:50:00.0000000Z",
        "WindowEnd": "2026-11-23T12:00:00.0000000Z",
    }


def test_a_service_outside_api_management_is_named_by_its_id(rows: Rows) -> None:
    rows.send(row(ApimService="", ServiceId="/subscriptions/s/resourcegroups/g/providers/microsoft.web/sites/orders"))
    (alert,) = run(rows)
    assert (alert["Service"], alert["ApimService"]) == ("orders", "")


def test_several_changes_of_a_finding_count_once(rows: Rows) -> None:
    rows.send(row(), changed(ChangeType="Regressed", Revision=3))
    assert [alert["FindingCount"] for alert in run(rows)] == [1]


def test_duplicate_rows_count_once(rows: Rows) -> None:
    rows.send(row(), row())
    assert [alert["FindingCount"] for alert in run(rows)] == [1]


def test_a_row_sent_again_is_not_raised_again(rows: Rows) -> None:
    rows.send(row(), observed=NOW - 3 * HOUR)
    rows.send(row(), observed=NOW - MINUTE)
    assert run(rows) == []


def test_a_late_row_is_raised_when_it_arrives(rows: Rows) -> None:
    rows.send(row(), observed=NOW - 46 * HOUR, arrived=NOW - 30 * MINUTE)
    assert run(rows, NOW - HOUR) == []
    assert len(run(rows)) == 1
    assert run(rows, NOW + HOUR) == []


@pytest.mark.parametrize("late", [0 * MINUTE, 7 * MINUTE, 10 * MINUTE])
def test_a_late_run_misses_nothing_of_the_hour_before(rows: Rows, late: timedelta) -> None:
    previous = NOW - HOUR - late
    rows.send(row(), observed=previous + timedelta(seconds=1))
    assert run(rows, previous) == []
    assert len(run(rows)) == 1


@pytest.mark.parametrize(
    ("arrived", "alerts"),
    [(NOW - 70 * MINUTE, 1), (NOW - 70 * MINUTE - timedelta(seconds=1), 0), (NOW, 1), (NOW + timedelta(seconds=1), 0)],
)
def test_the_edges_of_the_window(rows: Rows, arrived: datetime, alerts: int) -> None:
    rows.send(row(), observed=NOW - 2 * HOUR, arrived=arrived)
    assert len(run(rows)) == alerts


def test_149_groups_are_an_alert_each(rows: Rows) -> None:
    rows.send(*(row(f"f{n}", service=f"apim-{n}") for n in range(149)))
    assert len(run(rows)) == 149


def test_more_groups_fold_to_one_alert_per_recommendation(rows: Rows) -> None:
    rows.send(*(row(f"f{n}", service=f"apim-{n}") for n in range(150)), row("other", RecommendationKey="other"))
    found = sorted(run(rows), key=lambda alert: -alert["FindingCount"])
    assert [(a["RecommendationKey"], a["FindingCount"]) for a in found] == [(KEY, 150), ("other", 1)]
    for alert in found:
        assert (alert["ServiceId"], alert["AzureResourceId"]) == ("*", "")
        assert (alert["ApimService"], alert["Service"]) == ("", "several services")


def test_the_longest_names_fit_into_an_alert(rows: Rows) -> None:
    group, service = "g" * 90, "s" * 50
    long_id = f"/subscriptions/{KEY}/resourcegroups/{group}/providers/microsoft.apimanagement/service/{service}"
    rows.send(row(ServiceId=long_id, ApimService=service, Recommendation="r" * 100, RecommendationName="n" * 200))
    (alert,) = run(rows)
    details = {key: [str(alert[column])] for key, column in RULE.custom_details.items()}
    assert len(json.dumps(details)) <= 2048
    assert RULE.alert_details_override is not None
    name = RULE.alert_details_override.alert_display_name_format or ""
    for column in ("RecommendationName", "Service"):
        name = name.replace("{{" + column + "}}", alert[column])
    assert len(name.encode()) <= 256

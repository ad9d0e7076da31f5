"""How alerts become incidents."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.lab_sentinel.workbench import Workbench, grouping

CLOSED = {"title": "t", "severity": "High", "status": "Closed", "classification": "TruePositive"}


def names(bench: Workbench, *rows: dict[str, Any]) -> list[int]:
    """The alert counts of the incidents after one run over the rows."""
    bench.upload(*rows)
    bench.pass_hour()
    return [incident["additionalData"]["alertsCount"] for incident in bench.incidents()]


def test_without_grouping_each_alert_opens_an_incident(bench: Workbench) -> None:
    bench.put_rule()
    assert names(bench, {"Name": "a"}, {"Name": "a"}) == [1, 1]
    assert [incident["incidentNumber"] for incident in bench.incidents()] == [1, 2]


def test_a_rule_may_create_no_incidents(bench: Workbench) -> None:
    bench.put_rule(incidentConfiguration={"createIncident": False})
    assert names(bench, {"Name": "a"}) == []
    assert bench.logs.rows("SecurityAlert | count") == [[1]]


@pytest.mark.parametrize(
    ("configuration", "counts"),
    [
        (grouping("AnyAlert"), [5]),
        (grouping("AllEntities"), [2, 1, 1, 1]),
        (grouping("Selected", groupByEntities=["AzureResource"]), [2, 1, 2]),
        (grouping("Selected", groupByCustomDetails=["Name"]), [1, 3, 1]),
        (grouping("Selected", groupByEntities=["AzureResource"], groupByCustomDetails=["Name"]), [1] * 5),
        (grouping("Selected", groupByAlertDetails=["Severity"]), [3, 2]),
    ],
)
def test_alerts_group_by_what_the_rule_says(bench: Workbench, configuration: dict[str, Any], counts: list[int]) -> None:
    bench.put_rule(
        incidentConfiguration=configuration,
        alertDetailsOverride={"alertSeverityColumnName": "Severity"},
        query="Facts_CL | where ingestion_time() > ago(1h) | order by Count asc",
    )
    rows = [("/s/1", "a", ""), ("/s/1", "b", ""), ("/s/2", "b", ""), ("", "b", "Low"), ("", "c", "Low")]
    facts = [{"Service": s, "Name": n, "Severity": v, "Count": i} for i, (s, n, v) in enumerate(rows)]
    assert names(bench, *facts) == counts


def test_a_later_run_joins_only_within_the_lookback(bench: Workbench) -> None:
    bench.put_rule(incidentConfiguration=grouping("AnyAlert", lookbackDuration="PT2H"))
    assert names(bench, {"Name": "a"}) == [1]
    assert names(bench, {"Name": "b"}) == [2]
    bench.clock.advance(timedelta(hours=2))
    assert names(bench, {"Name": "c"}) == [2, 1]


@pytest.mark.parametrize(("reopen", "counts", "status"), [(False, [1, 1], "Closed"), (True, [2], "New")])
def test_a_closed_incident_is_reopened_only_when_asked(
    bench: Workbench, *, reopen: bool, counts: list[int], status: str
) -> None:
    bench.put_rule(incidentConfiguration=grouping("AnyAlert", reopenClosedIncident=reopen))
    names(bench, {"Name": "a"})
    name = bench.send("GET", "incidents").body["value"][0]["name"]
    assert bench.send("PUT", f"incidents/{name}", {"properties": CLOSED}).status == 200
    assert names(bench, {"Name": "b"}) == counts
    assert bench.incidents()[0]["status"] == status


def test_an_incident_holds_at_most_150_alerts(bench: Workbench) -> None:
    bench.put_rule(query="range Name from 1 to 100 step 1", incidentConfiguration=grouping("AnyAlert"))
    bench.pass_hour()
    assert [incident["additionalData"]["alertsCount"] for incident in bench.incidents()] == [150, 50]

"""Rules run on the virtual clock: when, over which window, and what alerts they raise."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.lab_sentinel.workbench import Workbench

SERVICE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop"


def alerts(bench: Workbench) -> list[list[Any]]:
    return bench.logs.rows(
        "SecurityAlert | order by TimeGenerated asc, AlertName asc | project TimeGenerated, AlertName"
    )


def test_a_rule_runs_when_it_is_enabled_and_then_once_per_period(bench: Workbench) -> None:
    bench.put_rule(queryFrequency="PT1H")
    bench.clock.advance(timedelta(hours=3, minutes=30))
    assert [run.at.hour for run in bench.sentinel.runs] == [12, 13, 14, 15]


def test_a_disabled_rule_does_not_run(bench: Workbench) -> None:
    bench.put_rule(enabled=False)
    bench.pass_hour()
    assert bench.sentinel.runs == []


def test_every_run_of_a_jump_has_its_own_now_which_is_the_end_of_its_window(bench: Workbench) -> None:
    bench.put_rule(query="print Name = tostring(now())", alertDetailsOverride={"alertDisplayNameFormat": "{{Name}}"})
    bench.clock.advance(timedelta(hours=2))
    assert [(raised[11:16], name[11:16]) for raised, name in alerts(bench)] == [
        ("12:00", "11:55"),
        ("13:00", "12:55"),
        ("14:00", "13:55"),
    ]


def test_a_window_ends_five_minutes_before_its_run(bench: Workbench) -> None:
    bench.put_rule(query="Facts_CL", queryPeriod="PT1H")
    bench.clock.advance(timedelta(minutes=54))
    bench.upload({"Name": "in"})
    bench.clock.advance(timedelta(minutes=2))
    bench.upload({"Name": "late"})
    bench.clock.advance(timedelta(minutes=4))
    assert [run.alerts for run in bench.sentinel.runs] == [0, 1]
    bench.pass_hour()
    assert [run.alerts for run in bench.sentinel.runs] == [0, 1, 1]


def test_the_period_applies_inside_functions_too(bench: Workbench) -> None:
    url = f"{bench.logs.table_url('x').split('/tables/')[0]}/savedSearches/all?api-version=2023-09-01"
    properties = {"category": "c", "displayName": "d", "query": "Facts_CL", "functionAlias": "All"}
    bench.logs.direct.send("PUT", url, {"properties": properties})
    bench.upload({"Name": "old"})
    bench.clock.advance(timedelta(hours=2))
    bench.upload({"Name": "new"})
    bench.clock.advance(timedelta(minutes=6))
    bench.put_rule(query="All()", queryPeriod="PT1H")
    bench.clock.tick()
    assert [run.alerts for run in bench.sentinel.runs] == [1]


@pytest.mark.parametrize(
    ("operator", "threshold", "fires"),
    [
        ("GreaterThan", 1, True),
        ("GreaterThan", 2, False),
        ("LessThan", 3, True),
        ("Equal", 2, True),
        ("NotEqual", 2, False),
    ],
)
def test_the_trigger_compares_the_number_of_rows(
    bench: Workbench, operator: str, threshold: int, *, fires: bool
) -> None:
    bench.put_rule(query="range x from 1 to 2 step 1", triggerOperator=operator, triggerThreshold=threshold)
    bench.clock.tick()
    assert bool(bench.sentinel.runs[0].alerts) is fires


def test_a_single_alert_holds_every_row(bench: Workbench) -> None:
    bench.put_rule(
        query=f"datatable(Name:string, Service:string)['a', '{SERVICE}', 'b', '{SERVICE}', 'b', '']",
        eventGroupingSettings={"aggregationKind": "SingleAlert"},
    )
    bench.clock.tick()
    [[extended, entities]] = bench.logs.rows("SecurityAlert | project ExtendedProperties, Entities")
    assert json.loads(json.loads(extended)["Custom Details"]) == {"Name": ["a", "b"]}
    assert json.loads(entities) == [{"$id": "2", "ResourceId": SERVICE, "Type": "azure-resource"}]


def test_the_150th_alert_of_a_run_stands_for_the_rest(bench: Workbench) -> None:
    bench.put_rule(query="range Name from 1 to 160 step 1", customDetails={"Name": "Name"})
    bench.clock.tick()
    assert bench.sentinel.runs[0].alerts == 150
    counts = bench.logs.rows(
        "SecurityAlert | extend n = toint(parse_json(ExtendedProperties)['Search Query Results Overall Count']) "
        "| summarize count() by n | order by n asc"
    )
    assert counts == [[1, 149], [11, 1]]


def test_details_names_and_severity_come_from_the_row(bench: Workbench) -> None:
    bench.put_rule(
        query="print Name = 'shop', Level = 'low', Long = strcat_array(split(strrep('ab ', 600), ' '), '-')",
        customDetails={"Name": "Name", "Long": "Long", "Missing": "Nope"},
        entityMappings=[],
        alertDetailsOverride={
            "alertDisplayNameFormat": "{{Name}} is open",
            "alertDescriptionFormat": "See {{ Name }}",
            "alertSeverityColumnName": "Level",
        },
    )
    bench.clock.tick()
    [incident] = bench.incidents()
    assert (incident["title"], incident["description"], incident["severity"]) == ("shop is open", "See shop", "Low")


def test_custom_details_stop_at_two_kilobytes(bench: Workbench) -> None:
    bench.put_rule(query="print Name = strrep('a', 1500), B = strrep('b', 1500), C = 'c'",
                   customDetails={"Name": "Name", "B": "B", "C": "C"})  # fmt: skip
    bench.clock.tick()
    [[extended]] = bench.logs.rows("SecurityAlert | project ExtendedProperties")
    assert list(json.loads(json.loads(extended)["Custom Details"])) == ["Name", "C"]


def test_suppression_skips_the_runs_that_follow_an_alert(bench: Workbench) -> None:
    bench.put_rule(query="print Name = 'x'", suppressionEnabled=True, suppressionDuration="PT2H")
    bench.clock.advance(timedelta(hours=4))
    assert [run.at.hour for run in bench.sentinel.runs] == [12, 14, 16]


def test_a_failing_run_is_recorded_and_stops_no_other(bench: Workbench) -> None:
    bench.put_rule("a-broken", query="Facts_CL")
    bench.put_rule("b-sound", query="print Name = 'x'")
    bench.logs.direct.send("DELETE", bench.logs.table_url("Facts_CL"))
    bench.clock.tick()
    assert [(run.rule, run.alerts, bool(run.error)) for run in bench.sentinel.runs] == [
        ("a-broken", 0, True),
        ("b-sound", 1, False),
    ]


def test_late_rows_are_seen_by_their_time_of_arrival(bench: Workbench) -> None:
    bench.put_rule()
    bench.clock.advance(timedelta(minutes=30))
    bench.upload({"Name": "late", "TimeGenerated": (bench.clock.now() - timedelta(hours=20)).isoformat()})
    bench.clock.advance(timedelta(hours=3))
    assert [run.alerts for run in bench.sentinel.runs] == [0, 1, 0, 0]
    assert len(alerts(bench)) == 1

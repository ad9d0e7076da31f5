"""What the leadership workbook says of rows as the connector and the playbooks write them, on the lab's KQL engine."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_workbooks.charts import BarChart, LineChart
from apiward_workbooks.load import load_workbooks
from apiward_workbooks.model import Parameters, Query, Workbook
from apiward_workbooks.reports import Block, Remark, Reports, Shown
from apiward_workbooks.visuals import Table, Tiles
from tests.unit.workbooks.samples import FixedClock
from tests.unit.workbooks.workspace import OTHER_SUBSCRIPTION, SEED, SUBSCRIPTION, Workspace, row

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def block(workspace: Workspace, title: str, **options: Any) -> Block:
    """What the query of that title shows; the others are not asked."""
    workbook = load_workbooks()["api-posture-leadership"].workbook
    (asked,) = (item for item in workbook.walk() if isinstance(item, Query) and item.title.startswith(title))
    alone = Workbook("", (*(item for item in workbook.items if isinstance(item, Parameters)), asked))
    made = Reports(workspace, FixedClock(), ArmId.parse(SEED.resource_id)).run(alone, **options)
    assert made.problems == ()
    return made.blocks[-1]


def visual(workspace: Workspace, title: str, **options: Any) -> Any:
    found = block(workspace, title, **options)
    assert isinstance(found, Shown), found
    return found.visual


def remark(workspace: Workspace, title: str, **options: Any) -> str:
    found = block(workspace, title, **options)
    assert isinstance(found, Remark)
    assert found.kind == "no-data"
    return found.text


def tiles(workspace: Workspace, title: str, **options: Any) -> dict[str, tuple[str, str]]:
    shown = visual(workspace, title, **options)
    assert isinstance(shown, Tiles)
    return {tile.title.text: (tile.value.text, tile.lines[0].text) for tile in shown.tiles}


def test_an_empty_workspace_is_unknown_and_never_zero() -> None:
    workspace = Workspace()
    figures = tiles(workspace, "Open findings by severity")
    assert {severity: value for severity, (value, _) in figures.items()} == dict.fromkeys(
        ("High", "Medium", "Low"), "unknown"
    )
    assert tiles(workspace, "Today's data")["Can the data be trusted today?"][0] == "unknown"
    assert "apiward ingest run" in remark(workspace, "Coverage by subscription")
    assert "no day" in remark(workspace, "Open findings per day")


def test_findings_that_nobody_read_whole_for_three_days_are_unknown_however_many_rows_there_are() -> None:
    workspace = Workspace()
    workspace.findings(row("f1"))
    workspace.run(outcome="Partial")
    workspace.run(ago=4 * DAY)
    figures = tiles(workspace, "Open findings by severity")
    assert figures["High"] == ("unknown", "no subscription has whole data of the last three days")


def test_tiles_count_what_is_open_once_and_zero_where_there_is_none() -> None:
    workspace = Workspace()
    workspace.run()
    workspace.findings(row("f1"), row("f2"), row("f3", Severity="Medium", State="Healthy"), ago=DAY)
    workspace.findings(row("f1", ChangeType="Snapshot"), row("f1", ChangeType="Snapshot"))
    workspace.findings(row("f4", Severity="Low", ChangeType="Removed"))
    figures = tiles(workspace, "Open findings by severity")
    assert {severity: value for severity, (value, _) in figures.items()} == {"High": "2", "Medium": "0", "Low": "0"}
    assert figures["High"][1] == "open findings in 1 subscription"


def test_a_subscription_that_was_not_read_makes_the_figures_a_minimum() -> None:
    workspace = Workspace()
    workspace.run()
    workspace.run(OTHER_SUBSCRIPTION, outcome="Failed")
    workspace.findings(row("f1"))
    assert tiles(workspace, "Open findings by severity")["High"] == (
        "at least 1",
        "whole data of 1 of 2 subscriptions",
    )
    assert tiles(workspace, "Today's data")["Can the data be trusted today?"][0] == "in part"


@pytest.mark.parametrize(("age", "answer"), [(25 * HOUR, "yes"), (27 * HOUR, "in part")])
def test_data_is_trusted_for_26_hours(age: timedelta, answer: str) -> None:
    workspace = Workspace()
    workspace.run(ago=age)
    assert tiles(workspace, "Today's data")["Can the data be trusted today?"][0] == answer


def test_the_trend_counts_each_finding_once_a_day_as_it_was_at_the_end_of_it() -> None:
    workspace = Workspace()
    for days in (2, 1, 0):
        workspace.run(ago=days * DAY)
    workspace.findings(row("f1"), row("f2", Severity="Medium"), ago=2 * DAY)
    workspace.findings(
        row("f1", ChangeType="Snapshot"), row("f2", Severity="Medium", ChangeType="Snapshot"), ago=DAY + HOUR
    )
    workspace.findings(row("f2", Severity="Medium", Revision=2, ChangeType="Resolved", State="Healthy"), ago=DAY)
    workspace.findings(row("f1", Revision=2, ChangeType="Removed"))
    chart = visual(workspace, "Open findings per day")
    assert isinstance(chart, LineChart)
    assert [moment.day for moment in chart.moments] == [21, 22, 23]
    assert {line.label: line.values for line in chart.lines} == {
        "High": (1.0, 1.0, 0.0),
        "Medium": (1.0, 0.0, 0.0),
        "Low": (0.0, 0.0, 0.0),
    }


def test_a_day_that_was_not_read_whole_is_left_out_of_the_trend_and_is_no_improvement() -> None:
    workspace = Workspace()
    for days in (2, 1, 0):
        workspace.run(ago=days * DAY)
        workspace.run(OTHER_SUBSCRIPTION, outcome="Failed" if days == 1 else "Complete", ago=days * DAY)
        workspace.findings(row("f1", ChangeType="Snapshot", RecordId=f"{days}"), ago=days * DAY)
    chart = visual(workspace, "Open findings per day")
    assert [moment.day for moment in chart.moments] == [21, 23]


def snapshots(workspace: Workspace, *names: str, ago: timedelta, **changes: Any) -> None:
    """The daily rows of findings that did not change."""
    day = (workspace.now - ago).isoformat()
    rows = (row(name, **{"ChangeType": "Snapshot", "RecordId": f"{name}/{day}", **changes}) for name in names)
    workspace.findings(*rows, ago=ago)


def trend(workspace: Workspace, **options: Any) -> dict[int, float | None]:
    """The open findings of high severity by day of the month."""
    chart = visual(workspace, "Open findings per day", **options)
    high = next(line for line in chart.lines if line.label == "High")
    return dict(zip((moment.day for moment in chart.moments), high.values, strict=True))


def test_a_day_that_the_time_range_cuts_is_not_taken_for_one_without_findings() -> None:
    workspace = Workspace()
    for days in (3, 2, 1):
        workspace.run(ago=days * DAY + 6 * HOUR, findings=1)
        snapshots(workspace, "f1", ago=days * DAY + 6 * HOUR)
        workspace.run(ago=days * DAY - 6 * HOUR, findings=1)
    assert trend(workspace, time_range=3 * DAY) == {21: 1.0, 22: 1.0}


def test_a_day_without_a_run_over_one_of_the_subscriptions_is_no_improvement() -> None:
    workspace = Workspace()
    for days in (2, 1, 0):
        workspace.run(ago=days * DAY, findings=1)
        snapshots(workspace, "f1", ago=days * DAY)
        if days != 1:
            workspace.run(OTHER_SUBSCRIPTION, ago=days * DAY, findings=1)
            snapshots(workspace, "f2", ago=days * DAY, SubscriptionId=OTHER_SUBSCRIPTION)
    assert trend(workspace) == {21: 2.0, 23: 2.0}


def test_a_subscription_counts_from_the_first_day_on_which_it_is_read_to_the_last() -> None:
    workspace = Workspace()
    for days in (3, 2, 1, 0):
        workspace.run(ago=days * DAY, findings=1)
        snapshots(workspace, "f1", ago=days * DAY)
    workspace.run(OTHER_SUBSCRIPTION, ago=2 * DAY, findings=1)
    snapshots(workspace, "f2", ago=2 * DAY, SubscriptionId=OTHER_SUBSCRIPTION)
    assert trend(workspace) == {20: 1.0, 21: 2.0, 22: 1.0, 23: 1.0}


def test_a_finding_that_one_reading_missed_stays_open_in_the_trend() -> None:
    workspace = Workspace()
    for days in (2, 1, 0):
        workspace.run(ago=days * DAY, findings=2)
        snapshots(workspace, "f1", *(["f2"] if days != 1 else []), ago=days * DAY)
    assert trend(workspace) == {21: 2.0, 22: 2.0, 23: 2.0}


def test_an_old_row_that_arrives_late_does_not_open_a_finding_again() -> None:
    workspace = Workspace()
    workspace.run(findings=1)
    workspace.findings(row("f1", Revision=2, ChangeType="Resolved", State="Healthy"), ago=2 * HOUR)
    workspace.findings(row("f1"), ago=HOUR)
    assert trend(workspace) == {23: 0.0}


def test_a_day_whose_rows_did_not_all_arrive_is_left_out_of_the_trend() -> None:
    workspace = Workspace()
    for days in (1, 0):
        workspace.run(ago=days * DAY, findings=3 - days)
        snapshots(workspace, "f1", "f2", ago=days * DAY)
    assert trend(workspace) == {22: 2.0}


def test_a_severity_that_is_not_chosen_is_not_drawn_as_zero() -> None:
    workspace = Workspace()
    workspace.run(findings=1)
    workspace.findings(row("f1"))
    text = load_workbooks()["api-posture-leadership"].text
    chosen = json.loads(text)
    severity = next(one for one in chosen["items"][0]["content"]["parameters"] if one["name"] == "Severity")
    severity["value"] = ["High"]
    report = Reports(workspace, FixedClock(), ArmId.parse(SEED.resource_id)).run(
        Workbook.parse(json.dumps(chosen), title="")
    )
    charts = [one.visual for one in report.blocks if isinstance(one, Shown) and isinstance(one.visual, LineChart)]
    assert [[line.label for line in chart.lines] for chart in charts] == [["High"]]


def test_a_whole_reading_whose_snapshot_is_too_old_to_be_seen_is_unknown_and_not_zero() -> None:
    workspace = Workspace()
    snapshots(workspace, "f1", ago=3 * DAY + HOUR)
    workspace.run(ago=3 * DAY + HOUR, findings=1)
    workspace.run(ago=3 * DAY - HOUR, findings=1)
    assert tiles(workspace, "Open findings by severity")["High"][0] == "unknown"
    assert tiles(workspace, "Today's data")["Can the data be trusted today?"][0] == "in part"
    assert visual(workspace, "Coverage by subscription").rows[0][4].text == "findings that are not in the workspace: 1"


def test_rows_that_did_not_arrive_make_figures_unknown_or_a_minimum() -> None:
    workspace = Workspace()
    workspace.run(findings=2, dead=1)
    workspace.findings(row("f1"))
    assert tiles(workspace, "Open findings by severity")["High"][0] == "unknown"
    assert tiles(workspace, "Today's data") == {
        "Can the data be trusted today?": ("in part", "whole data of the last 26 hours: 0 of 1 subscriptions"),
        "Subscriptions read whole": ("1 of 1", "the longest ago at 2026-11-23 12:00 UTC"),
        "Rows that did not arrive": ("1", "kept by the connector, to be sent again"),
    }


def test_a_subscription_is_the_same_in_any_spelling() -> None:
    workspace = Workspace()
    subscription = "abcdefab-0000-0000-0000-000000000000"
    workspace.run(subscription, findings=1)
    workspace.findings(row("f1", SubscriptionId=subscription.upper()))
    assert tiles(workspace, "Open findings by severity")["High"] == ("1", "open findings in 1 subscription")
    assert trend(workspace) == {23: 1.0}


def test_data_is_not_trusted_while_a_row_waits_to_be_sent_again() -> None:
    workspace = Workspace()
    workspace.run(findings=1, dead=1)
    workspace.findings(row("f1"))
    assert tiles(workspace, "Today's data")["Can the data be trusted today?"] == ("in part", "some rows did not arrive")


def test_a_subscription_in_which_nothing_was_found_is_zero_and_not_unknown() -> None:
    workspace = Workspace()
    workspace.run()
    assert tiles(workspace, "Open findings by severity")["High"] == ("0", "open findings in 1 subscription")


def test_only_the_trend_and_what_remediation_did_follow_the_time_range() -> None:
    workspace = Workspace()
    for days in (2, 1, 0):
        workspace.run(ago=days * DAY)
    workspace.findings(row("f1"), ago=2 * DAY)
    workspace.step("r1", "f1", "Closed", step="close", ago=2 * DAY)
    assert len(visual(workspace, "Open findings per day", time_range=HOUR).moments) == 1
    assert tiles(workspace, "Open findings by severity", time_range=HOUR)["High"][0] == "1"
    assert "no remediation ran" in remark(workspace, "What remediation did", time_range=HOUR).lower()


def test_services_are_ordered_by_their_open_findings_and_split_by_severity() -> None:
    workspace = Workspace()
    workspace.findings(row("f1"), row("f2", service="fabrikam"), row("f3", service="fabrikam", Severity="Low"))
    workspace.findings(row("f4", service="fabrikam", Severity="Low", State="Healthy"))
    chart = visual(workspace, "Services with most open findings")
    assert isinstance(chart, BarChart)
    told = [(bar.label, [(part.label, part.tone, part.value) for part in bar.segments]) for bar in chart.bars]
    assert told == [
        ("fabrikam", [("High", "red", 1.0), ("Low", "blue", 1.0)]),
        ("contoso", [("High", "red", 1.0)]),
    ]


def test_ten_services_are_shown() -> None:
    workspace = Workspace()
    workspace.findings(*(row(f"f{n}", service=f"apim-{n:02}") for n in range(12)))
    assert len(visual(workspace, "Services with most open findings").bars) == 10


def test_the_findings_say_what_where_since_when_and_what_is_done() -> None:
    workspace = Workspace()
    where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso"
    changed = (workspace.now - 10 * DAY).isoformat()
    api = {"ApiName": "orders", "OperationName": "get-order", "ResourceId": where, "StateChanged": changed}
    workspace.findings(row("f1", Severity="Low"), row("f2", **api, PortalLink="https://portal.azure.com/#blade/x"))
    workspace.findings(row("f3", Severity="Medium", ApiName="stock", ResourceId=where))
    shown = visual(workspace, "Open findings, ")
    assert isinstance(shown, Table)
    first, second, _ = (dict(zip(shown.columns, cells, strict=True)) for cells in shown.rows)
    assert {name: cell.text for name, cell in first.items()} == {
        "Severity": "High",
        "Recommendation": "API Management APIs should use only encrypted protocols",
        "Service": "contoso",
        "API or operation": "orders / get-order",
        "Open since": "2026-11-13",
        "Days": "10",
        "State": "Open",
        "Details": "Open in the portal",
    }
    assert first["Details"].href == "https://portal.azure.com/#blade/x"
    assert (second["API or operation"].text, second["Open since"].text) == ("stock", "2026-11-16")
    assert second["Details"].href == f"https://portal.azure.com/#resource{where}"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("AwaitingApproval", "Fix waits for approval"),
        ("Applying", "Fix under way"),
        ("Verified", "Fixed, Defender has yet to agree"),
        ("ApplyFailed", "Fix failed"),
        ("RolledBack", "Fix rolled back"),
        ("Rejected", "Open"),
    ],
)
def test_a_finding_tells_where_its_newest_remediation_stands(state: str, said: str) -> None:
    workspace = Workspace()
    workspace.findings(row("f1"))
    workspace.step("old", "f1", "Closed", step="close", ago=2 * DAY)
    workspace.step("new", "f1", state, step="plan", ago=DAY)
    assert visual(workspace, "Open findings, ").rows[0][6].text == said


def test_a_finding_that_came_back_is_open_again() -> None:
    workspace = Workspace()
    workspace.findings(row("f1", ChangeType="Regressed", PreviousState="Healthy"))
    assert visual(workspace, "Open findings, ").rows[0][6].text == "Open again"


def test_remediation_runs_are_counted_once_by_their_end() -> None:
    workspace = Workspace()
    for run, state in (("a", "Closed"), ("b", "Confirmed"), ("c", "RolledBack"), ("d", "Unverified")):
        workspace.step(run, run, "AwaitingApproval", step="plan", ago=2 * HOUR)
        workspace.step(run, run, state, step="end", ago=HOUR)
    chart = visual(workspace, "What remediation did")
    assert {bar.label: bar.total for bar in chart.bars} == {
        "Fixed, and Defender agrees": 2.0,
        "Fixed, Defender has yet to agree": 0.0,
        "Under way or waiting for approval": 0.0,
        "Rolled back": 1.0,
        "Given up: rejected, expired or abandoned": 0.0,
        "Failed or blocked": 1.0,
    }


def test_coverage_names_what_was_not_read_and_why() -> None:
    workspace = Workspace()
    workspace.run(ago=DAY)
    workspace.run(outcome="Partial", unread=[{"what": "/subscriptions/x", "why": "no Reader role"}])
    shown = visual(workspace, "Coverage by subscription")
    assert [cell.text for cell in shown.rows[0]] == [
        SUBSCRIPTION,
        "Partial",
        "2026-11-22 12:00 UTC",
        "0",
        "/subscriptions/x: no Reader role",
    ]
    assert shown.rows[0][1].tone == "orange"

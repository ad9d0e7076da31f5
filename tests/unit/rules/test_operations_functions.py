"""The functions about inventory, remediation runs and the connector on rows, duplicates included."""

from datetime import timedelta
from typing import Any

import pytest

from apiward_core.tables import HEALTH, REMEDIATION
from tests.unit.rules.workspace import HOUR, MINUTE, NOW, Rows

INVENTORY = "DefenderApiInventory_CL"
RUN = "run-1"
API = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/contoso/apis/orders"
FACTS = {
    "FindingId": "f1",
    "RecommendationKey": "key",
    "Recommendation": "apim-encrypted-protocols",
    "ResourceId": API,
    "PlanHash": "hash",
}
STEPS = [
    ("plan", "AwaitingApproval", "ana"),
    ("approve", "Approved", "ben"),
    ("begin", "Applying", "apiward"),
    ("apply", "Applied", "apiward"),
    ("verify", "Verified", "apiward"),
]


@pytest.fixture
def rows() -> Rows:
    return Rows()


def step(number: int, name: str, state: str, actor: str, *, run: str = RUN) -> dict[str, Any]:
    """One audit row of a run; its steps are a minute apart."""
    at = (NOW - 5 * HOUR + number * MINUTE).isoformat()
    chain = {"RecordId": f"{run}/{number}", "RunId": run, "Sequence": number, "OccurredAt": at}
    return {**chain, **FACTS, "Step": name, "State": state, "Actor": actor}


def steps(count: int = len(STEPS)) -> list[dict[str, Any]]:
    """The first steps of a run."""
    return [step(number, *facts) for number, facts in enumerate(STEPS[:count], 1)]


def moment(minutes: int) -> str:
    """When a step occurred, as a query answers it."""
    return f"{NOW - 5 * HOUR + minutes * MINUTE:%Y-%m-%dT%H:%M:%S}.0000000Z"


def test_a_run_is_one_row_with_where_it_stands_and_who_agreed(rows: Rows) -> None:
    rows.send(*steps(), table=REMEDIATION)
    assert rows.query("ApiRemediationRuns()") == [
        {
            "RunId": RUN,
            "State": "Verified",
            **FACTS,
            "Started": moment(1),
            "LastStep": moment(5),
            "RequestedBy": "ana",
            "ApprovedBy": "ben",
            "Steps": 5,
            "ChangedSomething": True,
        }
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_step_that_was_sent_twice_counts_once_and_order_of_arrival_does_not_matter(rows: Rows, order: int) -> None:
    for number, sent in enumerate(steps()[::order]):
        rows.send(sent, sent, table=REMEDIATION, observed=NOW - number * MINUTE)
        rows.send(sent, table=REMEDIATION, observed=NOW + number * MINUTE)
    (found,) = rows.query("ApiRemediationRuns()")
    assert (found["Steps"], found["State"]) == (5, "Verified")


def test_runs_are_told_apart(rows: Rows) -> None:
    rows.send(*steps(), step(1, "plan", "AwaitingApproval", "eve", run="run-2"), table=REMEDIATION)
    found = {one["RunId"]: one["RequestedBy"] for one in rows.query("ApiRemediationRuns()")}
    assert found == {RUN: "ana", "run-2": "eve"}


def test_before_an_approval_nobody_is_named_and_nothing_has_changed(rows: Rows) -> None:
    rows.send(*steps(1), table=REMEDIATION)
    (found,) = rows.query("ApiRemediationRuns()")
    assert (found["ApprovedBy"], found["ChangedSomething"]) == ("", False)


@pytest.mark.parametrize(
    ("last", "changed"),
    [
        (("stop", "ApplyFailed", "apiward"), False),
        (("stop", "PartiallyApplied", "apiward"), True),
        (("apply", "Applied", "apiward"), True),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_run_changed_something_once_a_write_was_made_or_may_have_been(
    rows: Rows, last: tuple[str, str, str], *, changed: bool
) -> None:
    rows.send(*steps(3), step(4, *last), table=REMEDIATION)
    assert [found["ChangedSomething"] for found in rows.query("ApiRemediationRuns()")] == [changed]


def test_a_rollback_does_not_undo_that_something_was_changed(rows: Rows) -> None:
    back = [("rollback", "RollingBack", "ben"), ("revert", "RolledBack", "apiward")]
    rows.send(*steps(), *(step(number, *facts) for number, facts in enumerate(back, 6)), table=REMEDIATION)
    (found,) = rows.query("ApiRemediationRuns()")
    assert (found["State"], found["ChangedSomething"]) == ("RolledBack", True)


def test_inventory_is_the_newest_row_of_a_resource_whatever_its_case(rows: Rows) -> None:
    for days, resource in [(1, API), (0, API.lower()), (2, API.upper())]:
        item = {"RecordId": f"day {days}", "ResourceId": resource, "Kind": "collection", "EndpointCount": days}
        rows.send(item, item, table=INVENTORY, observed=NOW - days * 24 * HOUR)
    rows.send({"RecordId": "b", "ResourceId": f"{API}-b", "EndpointCount": 9}, table=INVENTORY)
    found = rows.query("ApiInventoryCurrent() | order by EndpointCount asc")
    assert [(one["ResourceId"], one["EndpointCount"]) for one in found] == [(API.lower(), 0), (f"{API}-b", 9)]
    assert "ResourceKey" not in found[0]


def test_health_has_a_record_once(rows: Rows) -> None:
    health = {"RunId": "r", "Scope": "/subscriptions/a", "Outcome": "Partial", "RowsSent": 3}
    for minutes in (0, 20):
        sent = {"RecordId": "r/a", **health}
        rows.send(sent, sent, table=HEALTH, observed=NOW - timedelta(minutes=minutes))
    rows.send({**health, "RecordId": "r/b", "Scope": "/subscriptions/b"}, table=HEALTH)
    found = rows.query("ApiConnectorHealth() | order by RecordId asc")
    assert [(one["RecordId"], one["Scope"], one["RowsSent"]) for one in found] == [
        ("r/a", "/subscriptions/a", 3),
        ("r/b", "/subscriptions/b", 3),
    ]


@pytest.mark.parametrize(
    ("outcome", "read", "is_whole"),
    [
        ("Partial", 2 * MINUTE, True),
        ("Partial", 4 * MINUTE, False),
        ("Failed", 2 * MINUTE, False),
    ],
    ids=["read in this run", "read in an earlier run", "not sent"],
)
def test_a_run_that_read_all_assessments_counts_whatever_else_it_lacks(
    rows: Rows, outcome: str, read: timedelta, is_whole: bool
) -> None:
    run = {"Scope": "/subscriptions/a", "FindingsCurrent": 0, "DurationSeconds": 180.0}
    earlier = {"RecordId": "1", "Outcome": "Complete", "Watermark": (NOW - HOUR).isoformat()}
    rows.send({**run, **earlier}, table=HEALTH, observed=NOW - HOUR)
    latest = {"RecordId": "2", "Outcome": outcome, "Watermark": (NOW - read).isoformat()}
    rows.send({**run, **latest}, table=HEALTH)
    [found] = rows.query("ApiCoverage() | project Outcome, Known, Age = now() - WholeAt")
    assert found == {"Outcome": outcome, "Known": True, "Age": "00:00:00" if is_whole else "01:00:00"}


@pytest.mark.parametrize(
    ("table", "latest"),
    [
        (INVENTORY, "ApiInventoryCurrent() | project RecordId"),
        (HEALTH, "ApiConnectorHealth() | summarize arg_max(TimeGenerated, RecordId) by Scope"),
    ],
)
def test_a_row_that_came_days_late_is_not_the_newest(rows: Rows, table: str, latest: str) -> None:
    of = {INVENTORY: {"ResourceId": API}, HEALTH: {"Scope": "/subscriptions/a"}}[table]
    rows.send({**of, "RecordId": "newer"}, table=table, observed=NOW - HOUR)
    late = {**of, "RecordId": "late", "ObservedAt": (NOW - 4 * 24 * HOUR).isoformat()}
    rows.send(late, table=table, observed=NOW)
    assert [found["RecordId"] for found in rows.query(latest)] == ["newer"]

"""The functions about findings on rows."""

import json

import pytest

from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.unit.rules.workspace import HOUR, KEY, NOW, Rows, row

TYPES = "DefenderApiRecommendationTypes_CL"
HISTORY = "ApiRecommendationHistory() | project RecordId, IngestedAt | order by RecordId asc"
CURRENT = "ApiRecommendationCurrent() | project FindingId, Revision, State, Owner | order by FindingId asc"


@pytest.fixture
def rows() -> Rows:
    return Rows()


def test_history_has_a_record_once_with_its_first_arrival(rows: Rows) -> None:
    rows.send(row(), row("f2"), observed=NOW - 3 * HOUR, arrived=NOW - 2 * HOUR)
    rows.send(row(), observed=NOW - HOUR, arrived=NOW)
    assert rows.query(HISTORY) == [
        {"RecordId": "f1/1/New", "IngestedAt": "2026-11-23T10:00:00.0000000Z"},
        {"RecordId": "f2/1/New", "IngestedAt": "2026-11-23T10:00:00.0000000Z"},
    ]


def test_history_keeps_every_change_of_a_finding(rows: Rows) -> None:
    rows.send(row(), row(Revision=2, ChangeType="Resolved"), row(Revision=2, ChangeType="Snapshot"))
    assert [found["RecordId"] for found in rows.query(HISTORY)] == ["f1/1/New", "f1/2/Resolved", "f1/2/Snapshot"]


def test_current_is_the_highest_revision_whatever_arrived_last(rows: Rows) -> None:
    rows.send(row(Revision=3, ChangeType="Resolved", State="Healthy"), observed=NOW - 2 * HOUR)
    rows.send(row(Revision=2, ChangeType="Changed"), observed=NOW - HOUR)
    assert [(found["Revision"], found["State"]) for found in rows.query(CURRENT)] == [(3, "Healthy")]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_current_is_the_newest_row_of_a_revision(rows: Rows, order: tuple[int, ...]) -> None:
    for days in order:
        snapshot = {**row(ChangeType="Snapshot", Owner=f"{days} days ago"), "RecordId": f"day {days}"}
        rows.send(snapshot, observed=NOW - days * 24 * HOUR)
    assert [found["Owner"] for found in rows.query(CURRENT)] == ["0 days ago"]


@pytest.mark.parametrize("order", [1, -1])
def test_current_follows_a_state_that_was_started_anew(rows: Rows, order: int) -> None:
    old = row(Revision=5, ChangeType="Snapshot", State="Healthy", FirstSeen=(NOW - 90 * 24 * HOUR).isoformat())
    anew = row(Revision=1, ChangeType="New", State="Unhealthy", FirstSeen=(NOW - HOUR).isoformat())
    for sent, hours in [(old, 30), (anew, 1)][::order]:
        rows.send(sent, observed=NOW - hours * HOUR)
    assert [(found["Revision"], found["State"]) for found in rows.query(CURRENT)] == [(1, "Unhealthy")]


def test_current_leaves_out_what_is_gone_since_the_state_was_started_anew(rows: Rows) -> None:
    rows.send(row(Revision=5, ChangeType="Snapshot", FirstSeen=(NOW - 90 * 24 * HOUR).isoformat()))
    rows.send(row(Revision=2, ChangeType="Removed", FirstSeen=(NOW - HOUR).isoformat()))
    assert rows.query(CURRENT) == []


def test_current_leaves_out_what_is_gone_and_shows_what_came_back(rows: Rows) -> None:
    rows.send(row("gone"), row("back"))
    rows.send(row("gone", Revision=2, ChangeType="Removed"), row("back", Revision=2, ChangeType="Removed"))
    rows.send(row("back", Revision=3, ChangeType="Regressed"))
    assert [(found["FindingId"], found["Revision"]) for found in rows.query(CURRENT)] == [("back", 3)]


def test_current_keeps_every_column_of_the_table(rows: Rows) -> None:
    rows.send(row())
    (found,) = rows.query("ApiRecommendationCurrent()")
    assert {column.name for column in all_tables()[RECOMMENDATIONS].columns} <= found.keys()


def test_current_looks_up_the_newest_type_of_its_recommendation(rows: Rows) -> None:
    for days, effort in [(0, "Low"), (2, "High"), (1, "Moderate")]:
        newest = {"RecordId": f"type {days}", "RecommendationKey": KEY, "ImplementationEffort": effort}
        more = {"UserImpact": "Moderate", "OwaspApi": ["API8:2023"], "Plan": "Defender CSPM"}
        rows.send({**newest, **more}, table=TYPES, observed=NOW - days * 24 * HOUR)
    rows.send({"RecordId": "other", "RecommendationKey": "other", "Plan": "None"}, table=TYPES)
    rows.send(row())
    looked_up = "ApiRecommendationCurrent() | project ImplementationEffort, UserImpact, OwaspApi, Plan"
    (found,) = rows.query(looked_up)
    assert json.loads(found["OwaspApi"]) == ["API8:2023"]
    assert {**found, "OwaspApi": ""} == {
        "ImplementationEffort": "Low",
        "UserImpact": "Moderate",
        "OwaspApi": "",
        "Plan": "Defender CSPM",
    }


def test_current_keeps_a_finding_whose_type_is_unknown(rows: Rows) -> None:
    rows.send(row())
    looked_up = "FindingId, ImplementationEffort, UserImpact, OwaspApi, Plan"
    assert rows.query(f"ApiRecommendationCurrent() | project {looked_up}") == [
        {"FindingId": "f1", "ImplementationEffort": "", "UserImpact": "", "OwaspApi": "[]", "Plan": ""}
    ]


def test_types_are_the_newest_row_of_each_key(rows: Rows) -> None:
    for days in (1, 0, 2):
        sent = {"RecordId": f"day {days}", "RecommendationKey": KEY, "Description": f"{days} days ago"}
        rows.send(sent, sent, table=TYPES, observed=NOW - days * 24 * HOUR)
    rows.send({"RecordId": "b", "RecommendationKey": "b", "Description": "b"}, table=TYPES)
    found = rows.query(
        "ApiRecommendationTypes() | project RecommendationKey, Description | order by RecommendationKey asc"
    )
    assert [(one["RecommendationKey"], one["Description"]) for one in found] == [(KEY, "0 days ago"), ("b", "b")]


def test_a_row_that_came_days_late_is_no_newer_than_it_was_observed(rows: Rows) -> None:
    """The service writes the time of arrival over its TimeGenerated."""
    observed = (NOW - 4 * 24 * HOUR).isoformat()
    late, newer = ({**row(ChangeType="Snapshot", Owner=owner), "RecordId": owner} for owner in ("late", "newer"))
    rows.send(newer, observed=NOW - HOUR)
    rows.send({**late, "ObservedAt": observed}, observed=NOW)
    assert [found["Owner"] for found in rows.query(CURRENT)] == ["newer"]
    [told] = rows.query("ApiRecommendationHistory() | where RecordId == 'late' | project TimeGenerated")
    assert told["TimeGenerated"][:10] == observed[:10]


def test_a_type_that_came_days_late_is_not_the_newest(rows: Rows) -> None:
    kind = {"RecommendationKey": KEY}
    rows.send({**kind, "RecordId": "newer", "Plan": "newer"}, table=TYPES, observed=NOW - HOUR)
    late = {**kind, "RecordId": "late", "Plan": "late", "ObservedAt": (NOW - 4 * 24 * HOUR).isoformat()}
    rows.send(late, table=TYPES, observed=NOW)
    assert [found["Plan"] for found in rows.query("ApiRecommendationTypes()")] == ["newer"]

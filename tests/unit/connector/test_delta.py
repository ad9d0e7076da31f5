from dataclasses import replace
from datetime import timedelta

import pytest

from apiward_connector.delta import advance
from apiward_connector.finding import Finding
from apiward_connector.rows import recommendation_row
from apiward_connector.state import ChangeType, Entry, ScopeState
from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.unit.connector.samples import START, assessment, finding

UNHEALTHY = finding(assessment())
HEALTHY = replace(UNHEALTHY, state="Healthy")
EXEMPT = replace(UNHEALTHY, state="NotApplicable", state_cause="Exempt", exempt=True)
NAME = UNHEALTHY.finding_id


def passes(*seen: Finding | None, whole: bool = True, baseline: bool = False, days: int = 0) -> ScopeState:
    """The state after one pass for each statement, the last one's rows pending; None is a pass that saw nothing."""
    state = ScopeState()
    for number, found in enumerate(seen):
        now = START + timedelta(minutes=number, days=number * days)
        state = replace(state, pending=())
        state = advance(state, {found.finding_id: found} if found else {}, now=now, whole=whole, baseline=baseline)
    return state


def last(*seen: Finding | None) -> tuple[ChangeType | None, Entry]:
    """The change of the last pass and the entry after it."""
    state = passes(*seen)
    return (state.pending[0][1] if state.pending else None), state.entries[NAME]


def test_a_finding_is_new_once() -> None:
    change, entry = last(UNHEALTHY)
    assert (change, entry.revision, entry.first_seen) == (ChangeType.NEW, 1, "2026-11-20T08:00:00.000000Z")
    assert last(UNHEALTHY, UNHEALTHY)[0] is None


def test_a_new_healthy_finding_is_new() -> None:
    assert last(HEALTHY)[0] is ChangeType.NEW


@pytest.mark.parametrize("after", [HEALTHY, EXEMPT])
def test_leaving_unhealthy_is_resolved(after: Finding) -> None:
    change, entry = last(UNHEALTHY, after)
    assert (change, entry.revision, entry.previous_state) == (ChangeType.RESOLVED, 2, "Unhealthy")
    assert entry.first_seen == last(UNHEALTHY)[1].first_seen


def test_a_state_that_nobody_knows_resolves_nothing() -> None:
    assert last(UNHEALTHY, replace(UNHEALTHY, state="Pending"))[0] is ChangeType.CHANGED


def test_unhealthy_after_resolved_is_regressed_even_by_a_detour() -> None:
    assert last(UNHEALTHY, HEALTHY, UNHEALTHY)[0] is ChangeType.REGRESSED
    assert last(UNHEALTHY, HEALTHY, EXEMPT, UNHEALTHY)[0] is ChangeType.REGRESSED


def test_unhealthy_for_the_first_time_is_changed() -> None:
    change, entry = last(HEALTHY, UNHEALTHY)
    assert (change, entry.previous_state) == (ChangeType.CHANGED, "Healthy")


def test_a_change_while_unhealthy_after_a_regression_is_changed() -> None:
    assert last(UNHEALTHY, HEALTHY, UNHEALTHY, replace(UNHEALTHY, severity="Low"))[0] is ChangeType.CHANGED


def test_another_severity_is_changed_with_the_previous_one() -> None:
    change, entry = last(UNHEALTHY, replace(UNHEALTHY, severity="Low"))
    assert (change, entry.previous_severity) == (ChangeType.CHANGED, "High")


def test_what_came_back_is_regressed_though_defenders_cause_is_the_word_of_the_removal() -> None:
    same = replace(UNHEALTHY, state_cause="Unexplained")
    assert last(same, None, None, same)[0] is ChangeType.REGRESSED


def test_absence_from_two_whole_passes_is_removed_with_the_whole_identity() -> None:
    assert last(UNHEALTHY, None)[0] is None
    change, entry = last(UNHEALTHY, None, None)
    assert (change, entry.revision) == (ChangeType.REMOVED, 2)
    assert entry.finding == replace(UNHEALTHY, state_cause="Unexplained")
    assert last(UNHEALTHY, None, None, None)[0] is None


def test_absences_with_a_sighting_between_them_do_not_add_up() -> None:
    assert last(UNHEALTHY, None, UNHEALTHY, None)[0] is None


def test_a_removed_finding_is_explained() -> None:
    state = passes(UNHEALTHY, None)
    state = advance(state, {}, now=START, whole=True, explain=lambda gone: f"{gone.resource_name} left")
    assert state.entries[NAME].finding.state_cause == "echo left"


def test_gone_and_back_is_regressed_when_unhealthy_and_changed_when_not() -> None:
    assert last(UNHEALTHY, None, None, UNHEALTHY)[0] is ChangeType.REGRESSED
    assert last(HEALTHY, None, None, UNHEALTHY)[0] is ChangeType.REGRESSED
    change, entry = last(UNHEALTHY, None, None, HEALTHY)
    assert (change, entry.removed) == (ChangeType.CHANGED, False)
    assert last(UNHEALTHY, None, None, HEALTHY, UNHEALTHY)[0] is ChangeType.REGRESSED


def test_a_partial_pass_misses_nothing() -> None:
    state = passes(UNHEALTHY)
    for _ in range(3):
        state = advance(replace(state, pending=()), {}, now=START, whole=False)
    assert (state.pending, state.entries[NAME].missed) == ((), 0)


def test_the_watermark_moves_with_whole_passes_only() -> None:
    state = passes(UNHEALTHY)
    later = advance(replace(state, pending=()), {NAME: HEALTHY}, now=START + timedelta(hours=1), whole=False)
    assert later.watermark == state.watermark == "2026-11-20T08:00:00.000000Z"
    assert later.observed == "2026-11-20T09:00:00.000000Z"


def test_one_snapshot_a_day_and_none_beside_another_row() -> None:
    assert passes(UNHEALTHY, UNHEALTHY, days=1).pending == ((NAME, ChangeType.SNAPSHOT),)
    assert passes(UNHEALTHY, HEALTHY, days=1).pending == ((NAME, ChangeType.RESOLVED),)
    snapshot = passes(UNHEALTHY, UNHEALTHY, days=1)
    again = advance(
        replace(snapshot, pending=()), {NAME: UNHEALTHY}, now=START + timedelta(days=1, hours=1), whole=True
    )
    assert again.pending == ()


def test_a_removed_finding_has_no_snapshot() -> None:
    assert passes(UNHEALTHY, None, None, None, days=1).pending == ()


def test_a_baseline_is_recorded_and_not_raised_until_the_scope_was_read_whole() -> None:
    other = replace(UNHEALTHY, finding_id="other")
    state = passes(UNHEALTHY, whole=False, baseline=True)
    assert state.pending == ((NAME, ChangeType.SNAPSHOT),)
    seen = {NAME: UNHEALTHY, "other": other}
    state = advance(replace(state, pending=()), seen, now=START, whole=True, baseline=True)
    assert state.pending == (("other", ChangeType.SNAPSHOT),)
    late = replace(UNHEALTHY, finding_id="late")
    state = advance(replace(state, pending=()), {**seen, "late": late}, now=START, whole=True, baseline=True)
    assert state.pending == (("late", ChangeType.NEW),)


def test_pending_rows_are_not_overwritten() -> None:
    with pytest.raises(ValueError, match="1 rows"):
        advance(passes(UNHEALTHY), {}, now=START, whole=True)


def test_a_row_has_every_column_of_the_table_and_no_null_text() -> None:
    entry = passes(UNHEALTHY).entries[NAME]
    row = recommendation_row(entry, ChangeType.NEW, observed="2026-11-20T08:00:00.000000Z", run_id="r")
    columns = {column.name: column.type for column in all_tables()[RECOMMENDATIONS].columns}
    assert set(row) == set(columns)
    assert [name for name, kind in columns.items() if kind == "string" and row[name] is None] == []
    assert [name for name, kind in columns.items() if kind == "datetime" and row[name] == ""] == []


def test_record_ids_differ_by_revision_content_and_snapshot_day() -> None:
    entry = passes(UNHEALTHY).entries[NAME]
    changed = replace(entry, finding=replace(UNHEALTHY, severity="Low"))
    ids = {
        recommendation_row(item, change, observed=f"2026-11-{day}T08:00:00.000000Z", run_id="r")["RecordId"]
        for item in (entry, replace(entry, revision=2), changed)
        for change in (ChangeType.NEW, ChangeType.SNAPSHOT)
        for day in (20, 21)
    }
    assert len(ids) == 9


def test_a_row_of_a_state_that_was_begun_anew_is_another_row() -> None:
    before = Entry(UNHEALTHY, first_seen="2026-11-01T08:00:00.000000Z", row_day="2026-11-01")
    after = replace(before, first_seen="2026-11-20T08:00:00.000000Z")
    seen = {
        recommendation_row(entry, ChangeType.NEW, observed="2026-11-20T08:00:00.000000Z", run_id="r")["RecordId"]
        for entry in (before, after)
    }
    assert len(seen) == 2

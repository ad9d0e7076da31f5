from datetime import timedelta
from itertools import permutations
from typing import Any

import numpy as np
import orjson
import pytest
from msgspec.structs import replace

from apiward_connector.finding import Finding, Findings, Part
from apiward_connector.ledger import UNKNOWN_DIGEST
from apiward_connector.rows import Changes, RecommendationRows, Row
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.state import ChangeType
from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.unit.connector.samples import KEY, METADATA, SERVICE, START, Scope, assessment, finding, with_properties

UNHEALTHY = finding(assessment())
HEALTHY = finding(assessment(code="Healthy"))
EXEMPT = finding(assessment(code="NotApplicable", cause="Exempt"))
ODD = finding(assessment(code="Pending"))
OTHER = finding(assessment(f"{SERVICE}/apis/other"))
LATE = finding(assessment(f"{SERVICE}/apis/late"))
LOW = finding(assessment(), {KEY: AssessmentMetadata(METADATA[KEY].display_name, "", "Low", ("Networking",))})


def last(*seen: Finding | None, days: int = 0) -> Row | None:
    """The row that the last of several whole passes writes about the one finding; None is a pass that saw nothing."""
    scope, told = Scope(), None
    for number, found in enumerate(seen):
        rows = scope.look([found] if found else [], now=START + timedelta(minutes=number, days=number * days))
        told = rows[0] if rows else None
    return told


def kind(*seen: Finding | None, days: int = 0) -> str | None:
    told = last(*seen, days=days)
    return told["ChangeType"] if told else None


def test_a_finding_is_new_once() -> None:
    told = last(UNHEALTHY)
    assert told
    assert (told["ChangeType"], told["Revision"], told["FindingId"]) == ("New", 1, UNHEALTHY.id.hex())
    assert last(UNHEALTHY, UNHEALTHY) is None


def test_a_new_healthy_finding_is_new() -> None:
    assert kind(HEALTHY) == ChangeType.NEW


@pytest.mark.parametrize("after", [HEALTHY, EXEMPT], ids=["healthy", "exempt"])
def test_leaving_unhealthy_is_resolved(after: Finding) -> None:
    first, told = last(UNHEALTHY), last(UNHEALTHY, after)
    assert first
    assert told
    assert (told["ChangeType"], told["Revision"], told["PreviousState"]) == (ChangeType.RESOLVED, 2, "Unhealthy")
    assert told["FirstSeen"] == first["FirstSeen"]


def test_a_state_that_nobody_knows_resolves_nothing() -> None:
    assert kind(UNHEALTHY, ODD) == ChangeType.CHANGED


def test_unhealthy_after_resolved_is_regressed_even_by_a_detour() -> None:
    assert kind(UNHEALTHY, HEALTHY, UNHEALTHY) == ChangeType.REGRESSED
    assert kind(UNHEALTHY, HEALTHY, EXEMPT, UNHEALTHY) == ChangeType.REGRESSED


def test_unhealthy_for_the_first_time_is_changed() -> None:
    told = last(HEALTHY, UNHEALTHY)
    assert told
    assert (told["ChangeType"], told["PreviousState"]) == (ChangeType.CHANGED, "Healthy")


def test_a_change_while_unhealthy_after_a_regression_is_changed() -> None:
    assert kind(UNHEALTHY, HEALTHY, UNHEALTHY, LOW) == ChangeType.CHANGED


def test_another_severity_is_changed_with_the_previous_one() -> None:
    told = last(UNHEALTHY, LOW)
    assert told
    assert (told["ChangeType"], told["PreviousSeverity"], told["PreviousState"]) == (
        ChangeType.CHANGED,
        "High",
        "Unhealthy",
    )


def test_absence_from_two_whole_passes_is_removed_with_the_whole_identity() -> None:
    scope = Scope()
    found = finding(assessment(statusChangeDate="2026-11-01T00:00:00Z", firstEvaluationDate="2026-10-01T00:00:00Z"))
    [before] = scope.look([found])
    assert scope.look([]) == []
    [told] = scope.look([], now=START + timedelta(hours=2))
    assert (told["ChangeType"], told["Revision"], told["PreviousState"]) == (ChangeType.REMOVED, 2, "Unhealthy")
    own = {"ChangeType", "RecordId", "Revision", "TimeGenerated", "ObservedAt", "PreviousState", "PreviousSeverity"}
    assert {name for name, value in told.items() if value != before[name]} == own | {"StateCause"}
    assert told["StateCause"] == "Unexplained"
    assert (scope.look([]), scope.state.current) == ([], 0)


def test_absences_with_a_sighting_between_them_do_not_add_up() -> None:
    assert last(UNHEALTHY, None, UNHEALTHY, None) is None


def test_a_removal_waits_until_it_can_be_looked_into() -> None:
    scope = Scope()
    scope.look([UNHEALTHY])
    scope.look([])
    assert (scope.look([], cause=None), scope.state.current) == ([], 1)
    [told] = scope.look([], cause="ResourceGone")
    assert (told["ChangeType"], told["Revision"], told["StateCause"]) == (ChangeType.REMOVED, 2, "ResourceGone")


def test_what_came_back_before_it_was_looked_into_never_left() -> None:
    scope = Scope()
    scope.look([UNHEALTHY])
    for _ in range(2):
        scope.look([], cause=None)
    assert scope.look([UNHEALTHY]) == []
    assert scope.look([]) == []


def test_gone_and_back_is_regressed_when_unhealthy_and_changed_when_not() -> None:
    assert kind(UNHEALTHY, None, None, UNHEALTHY) == ChangeType.REGRESSED
    assert kind(HEALTHY, None, None, UNHEALTHY) == ChangeType.REGRESSED
    assert kind(UNHEALTHY, None, None, HEALTHY) == ChangeType.CHANGED
    assert kind(UNHEALTHY, None, None, HEALTHY, UNHEALTHY) == ChangeType.REGRESSED
    assert last(UNHEALTHY, None, None, HEALTHY, HEALTHY) is None


def test_a_partial_pass_misses_nothing() -> None:
    scope = Scope()
    scope.look([UNHEALTHY, OTHER])
    for _ in range(3):
        assert scope.look([OTHER], whole=False) == []
    assert scope.look([OTHER]) == []


def test_the_watermark_moves_with_whole_passes_only() -> None:
    scope = Scope()
    scope.look([UNHEALTHY])
    scope.look([HEALTHY], now=START + timedelta(hours=1), whole=False)
    assert scope.state.watermark == "2026-11-20T08:00:00.000000Z"
    assert scope.state.observed == "2026-11-20T09:00:00.000000Z"


def test_one_snapshot_a_day_and_none_beside_another_row() -> None:
    assert kind(UNHEALTHY, UNHEALTHY, days=1) == ChangeType.SNAPSHOT
    assert kind(UNHEALTHY, HEALTHY, days=1) == ChangeType.RESOLVED
    scope = Scope()
    for hours, rows in ((0, 1), (16, 1), (17, 0), (40, 1)):  # START is at eight in the morning
        assert len(scope.look([UNHEALTHY], now=START + timedelta(hours=hours))) == rows


def test_a_snapshot_repeats_the_revision_and_what_was_before_it() -> None:
    told = last(UNHEALTHY, HEALTHY, HEALTHY, days=1)
    assert told
    assert (told["ChangeType"], told["Revision"], told["PreviousState"]) == (ChangeType.SNAPSHOT, 2, "Unhealthy")


def test_a_removed_finding_has_no_snapshot() -> None:
    assert last(UNHEALTHY, None, None, None, days=1) is None


def test_a_clock_that_was_set_back_changes_no_revision() -> None:
    scope = Scope()
    scope.look([UNHEALTHY], now=START)
    [told] = scope.look([UNHEALTHY], now=START - timedelta(days=400))
    assert (told["ChangeType"], told["Revision"]) == (ChangeType.SNAPSHOT, 1)
    assert scope.look([HEALTHY], now=START)[0]["Revision"] == 2


def test_a_baseline_is_recorded_and_not_raised_until_the_scope_was_read_whole() -> None:
    scope = Scope(baseline=True)
    assert [told["ChangeType"] for told in scope.look([UNHEALTHY], whole=False)] == [ChangeType.SNAPSHOT]
    assert [told["ChangeType"] for told in scope.look([UNHEALTHY, OTHER])] == [ChangeType.SNAPSHOT]
    assert [told["ChangeType"] for told in scope.look([UNHEALTHY, OTHER, LATE])] == [ChangeType.NEW]


def with_risk(level: str | None, code: str = "Unhealthy") -> Finding:
    raw = assessment(code=code)
    return finding(with_properties(raw, risk={"level": level}) if level else raw)


def test_a_risk_level_that_comes_or_changes_is_told_and_one_that_is_missing_is_not() -> None:
    scope = Scope()
    seen = [
        [told["ChangeType"] for told in scope.look([with_risk(level)])] for level in ("", "Low", "", "Low", "High", "")
    ]
    new, changed = [ChangeType.NEW], [ChangeType.CHANGED]
    assert seen == [new, changed, [], [], changed, []]


def test_risk_levels_are_compared_each_with_its_own() -> None:
    scope = Scope()
    scope.look([with_risk("Low")])
    assert [told["ChangeType"] for told in scope.look([OTHER, with_risk("High")])] == [
        ChangeType.NEW,
        ChangeType.CHANGED,
    ]


def test_a_change_without_risk_level_does_not_forget_the_one_that_was_known() -> None:
    scope = Scope()
    for found in (with_risk("Low"), with_risk(None, "Healthy")):
        scope.look([found])
    assert scope.look([with_risk("Low", "Healthy")]) == []


@pytest.mark.parametrize("together", [True, False], ids=["on one page", "on two pages"])
@pytest.mark.parametrize("turned", [True, False], ids=["later first", "later last"])
@pytest.mark.parametrize("before", [None, UNHEALTHY, HEALTHY], ids=["new", "unhealthy before", "healthy before"])
def test_of_two_statements_in_one_pass_the_later_counts(together: bool, turned: bool, before: Finding | None) -> None:
    early = finding(assessment(code="Unhealthy", statusChangeDate="2026-11-01T00:00:00Z"))
    late = finding(assessment(code="Healthy", statusChangeDate="2026-11-02T00:00:00Z"))
    both = [late, early] if turned else [early, late]
    mixed, plain = Scope(), Scope()
    for scope in (mixed, plain):
        scope.look([before] if before else [])
    told = mixed.look(both) if together else mixed.look(*([found] for found in both))
    assert told == plain.look([late])
    assert mixed.look([late]) == []


def test_a_later_statement_takes_the_place_of_a_snapshot() -> None:
    early = finding(assessment(code="Unhealthy", statusChangeDate="2026-11-01T00:00:00Z"))
    late = finding(assessment(code="Healthy", statusChangeDate="2026-11-02T00:00:00Z"))
    scope = Scope()
    scope.look([early])
    told = scope.look([early], [late], now=START + timedelta(days=1))
    assert [row["ChangeType"] for row in told] == [ChangeType.RESOLVED]


def test_a_repeated_page_says_nothing_new() -> None:
    scope = Scope()
    assert len(scope.look([UNHEALTHY, OTHER], [OTHER, UNHEALTHY], [UNHEALTHY])) == 2


class TestRebuilt:
    """A state that was rebuilt knows states and severities, and no content."""

    def scope(self, found: Finding) -> Scope:
        scope = Scope()
        scope.look([found])
        scope.state.ledger["digest"][:] = UNKNOWN_DIGEST
        return scope

    def test_what_agrees_with_it_is_taken_as_unchanged_and_compared_from_then_on(self) -> None:
        described = finding(assessment(description="More is known."))
        scope = self.scope(UNHEALTHY)
        assert scope.look([described]) == []
        assert [told["ChangeType"] for told in scope.look([UNHEALTHY])] == [ChangeType.CHANGED]

    def test_what_else_is_on_the_page_is_not_taken_for_it(self) -> None:
        told = self.scope(UNHEALTHY).look([OTHER, UNHEALTHY])
        assert [row["FindingId"] for row in told] == [OTHER.id.hex()]

    @pytest.mark.parametrize("after", [HEALTHY, LOW], ids=["state", "severity"])
    def test_another_state_or_severity_is_a_change(self, after: Finding) -> None:
        [told] = self.scope(UNHEALTHY).look([after])
        assert (told["Revision"], told["PreviousState"], told["PreviousSeverity"]) == (2, "Unhealthy", "High")


def row(**said: Any) -> Row:
    values = {
        "type": ChangeType.NEW,
        "revision": 1,
        "first_seen": 0,
        "digest": 7,
        "row_day": 20_000,
        "before": "",
        "run_id": "r",
        **said,
    }
    changes = Changes(
        types=[values["type"]],
        ids=UNHEALTHY.id,
        revisions=np.array([values["revision"]], np.uint32),
        first_seen=np.array([values["first_seen"]]),
        digests=np.array([values["digest"]], np.uint64),
        row_days=np.array([values["row_day"]], np.uint16),
        previous_states=[values["before"]],
        previous_severities=[""],
    )
    [written] = RecommendationRows(run_id=values["run_id"], observed="2026-11-20T08:00:00.000000Z").write(
        changes, Findings.of([UNHEALTHY])
    )
    document: Row = orjson.loads(written)
    return document


def test_a_row_has_every_column_of_the_table_and_no_null_text() -> None:
    columns = {column.name: column.type for column in all_tables()[RECOMMENDATIONS].columns}
    assert sorted(row()) == sorted(columns)
    assert [name for name, kind in columns.items() if kind == "string" and row()[name] is None] == []
    assert [name for name, kind in columns.items() if kind == "datetime" and row()[name] == ""] == []


def test_record_ids_differ_by_revision_content_and_snapshot_day() -> None:
    ids = {
        row(revision=revision, digest=digest, type=change, row_day=day)["RecordId"]
        for revision, digest in ((1, 7), (2, 7), (1, 8))
        for change in (ChangeType.NEW, ChangeType.SNAPSHOT)
        for day in (20_000, 20_001)
    }
    assert len(ids) == 9


def test_a_row_of_a_state_that_was_begun_anew_is_another_row() -> None:
    assert row(first_seen=1)["RecordId"] != row(first_seen=2)["RecordId"]


def test_previous_values_are_quoted() -> None:
    assert row(before='Odd "state"\n')["PreviousState"] == 'Odd "state"\n'


def test_the_name_of_a_run_is_written_as_it_is() -> None:
    assert row(run_id="100%b")["RunId"] == "100%b"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_known_already_is_the_latest_of_three_statements_in_any_order(order: tuple[int, ...]) -> None:
    codes = ("Unhealthy", "NotApplicable", "Healthy")
    said = [
        finding(assessment(code=code, statusChangeDate=f"2026-11-0{day}T00:00:00Z"))
        for day, code in enumerate(codes, 1)
    ]
    scope = Scope()
    scope.look([said[2]])
    assert scope.look(*([said[number]] for number in order)) == []


def numbered(number: int) -> Finding:
    """A finding that differs from others in every column."""
    found = finding({**assessment(f"{SERVICE}/apis/{number}"), "location": str(number)})
    times = {"first_evaluated": number, "state_changed": 10 + number}
    part = Part(b"%d" % number, b"%d" % number)
    return replace(found, **times, digest=number, governed=part, additional_data=b'{"a":%d}' % number)


def test_what_is_picked_keeps_all_that_it_says() -> None:
    three = [numbered(number) for number in range(3)]
    assert list(Findings.of(three).pick([2, 0])) == [three[2], three[0]]
    assert list(Findings.of(three).pick([2, 0, 1])) == [three[2], three[0], three[1]]

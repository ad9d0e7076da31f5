"""A workbook run: what is asked of the workspace, and what each item becomes."""

from datetime import timedelta

import pytest

from apiward_core.errors import RejectedDataError
from apiward_core.logs import Answer
from apiward_workbooks.model import Condition, Group, Parameter, Parameters, Text, Unsupported, Workbook
from apiward_workbooks.reports import Prose, Remark, Section, Shown
from apiward_workbooks.visuals import Table
from tests.unit.workbooks.samples import NOW, Answers, query, reports, run

DAY = timedelta(days=1)
PICKER = Parameters(
    parameters=(
        Parameter("TimeRange", "Time range", 4, hidden=False, document={"value": {"durationMs": 7 * 86_400_000}}),
        Parameter("Tab", "Tab", 1, hidden=True, document={"value": "one"}),
    )
)
REFUSED = RejectedDataError("HTTP 400: no such table", remedy="Deploy it.")


def test_a_query_is_asked_over_its_own_time_and_its_rows_are_shown() -> None:
    answers = Answers(T=[{"Name": "orders"}])
    made = run(query("T", title="Open", width=60), answers=answers)
    (block,) = made.blocks
    assert isinstance(block, Shown)
    assert isinstance(block.visual, Table)
    assert (block.title, block.width, block.visual.columns) == ("Open", 60, ("Name",))
    assert answers.asked[0] == ("T", DAY)
    assert (made.problems, made.generated) == ((), NOW)


@pytest.mark.parametrize(("time_range", "expected"), [(None, 7 * DAY), (30 * DAY, 30 * DAY)])
def test_only_queries_that_follow_the_picker_change_with_it(time_range: timedelta | None, expected: timedelta) -> None:
    answers = Answers(Trend=[{"A": 1}], State=[{"A": 1}])
    made = run(
        PICKER, query("Trend", time_parameter="TimeRange"), query("State"), answers=answers, time_range=time_range
    )
    assert [asked[1] for asked in answers.asked[:2]] == [expected, DAY]
    assert made.chosen == (("Time range", f"the last {expected.days} days"),)


def test_a_query_that_says_its_time_itself_sees_all_there_is() -> None:
    answers = Answers(T=[{"A": 1}])
    run(query("T", duration=None), answers=answers)
    assert answers.asked[0][1] == 730 * DAY


def test_parameters_are_filled_into_queries_titles_and_texts() -> None:
    answers = Answers(T=[])
    made = run(
        PICKER,
        Text(markdown="Over {TimeRange}."),
        query("T | where '{Tab}'", title="{Tab}", no_data="None in {TimeRange}"),
        answers=answers,
    )
    assert made.blocks == (
        Prose(markdown="Over the last 7 days."),
        Remark(title="one", kind="no-data", text="None in the last 7 days"),
    )
    assert answers.asked[0][0] == "T | where 'one'"


def test_a_query_that_fails_is_told_in_its_place_and_the_rest_goes_on() -> None:
    made = run(query("Bad", title="Open"), query("T"), answers=Answers(Bad=REFUSED, T=[{"A": 1}]))
    failed, shown = made.blocks
    assert failed == Remark(
        title="Open", kind="failed", text="This could not be read. HTTP 400: no such table Deploy it."
    )
    assert isinstance(shown, Shown)
    assert made.problems == ("Open: HTTP 400: no such table Deploy it.",)


def test_a_partial_answer_is_shown_and_marked() -> None:
    made = run(query("T"), answers=Answers(T=Answer([{"A": 1}], missing="more than 500,000 rows")))
    (block,) = made.blocks
    assert isinstance(block, Shown)
    assert block.missing == "more than 500,000 rows"
    assert made.problems == ("T: answered only in part: more than 500,000 rows.",)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Unsupported(what="tabs or links", width=50), "tabs or links"),
        (query("T", visualization="map", width=50), "the visualisation map"),
        (query("T", visualization="timechart", width=50), "the visualisation timechart of these rows"),
        (query("T {Missing}", width=50), "a query with {Missing}"),
    ],
)
def test_what_cannot_be_shown_is_named_where_it_stands(item: Unsupported, said: str) -> None:
    unset = Parameters(parameters=(Parameter("Missing", "Missing", 6, hidden=False, document={}),))
    made = run(unset, item, Text(markdown="after"), answers=Answers(T=[{"Name": "a"}]))
    parameter, remark, after = made.blocks
    assert isinstance(parameter, Remark)
    assert "the parameter Missing" in parameter.text
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.width) == ("unsupported", 50)
    assert said in remark.text
    assert after == Prose(markdown="after")
    assert made.problems == ()


def test_items_are_shown_by_their_conditions() -> None:
    made = run(
        PICKER,
        Text(markdown="first", conditions=(Condition("Tab", equal=True, value="one"),)),
        Text(markdown="second", conditions=(Condition("Tab", equal=True, value="two"),)),
    )
    assert made.blocks == (Prose(markdown="first"),)


def test_an_item_whose_condition_cannot_be_told_is_not_dropped() -> None:
    unset = Parameters(parameters=(Parameter("Sub", "Sub", 6, hidden=False, document={}),))
    made = run(unset, Text(markdown="x", conditions=(Condition("Sub", equal=True, value="y"),)))
    assert isinstance(made.blocks[1], Remark)
    assert "depends on Sub" in made.blocks[1].text


@pytest.mark.parametrize(("exports", "expected"), [(False, "{Tab}"), (True, "one")])
def test_parameters_leave_their_group_only_when_it_exports_them(exports: bool, expected: str) -> None:
    made = run(Group(items=(PICKER,), title="Inside", exports=exports), Text(markdown="{Tab}"))
    assert made.blocks == (Section(title="Inside", blocks=()), Prose(markdown=expected))


FRESH = {"Asked": 3, "Whole": 3, "Fresh": 3, "Oldest": NOW, "Lost": 0}


@pytest.mark.parametrize(
    ("facts", "whole", "said"),
    [
        ({}, True, "every subscription was read whole (3), the longest ago at 2026-11-23 12:00 UTC"),
        ({"Fresh": 2}, False, "every subscription was read whole (3)"),
        ({"Lost": 1200}, False, "; 1,200 rows did not arrive"),
        ({"Whole": 2, "Fresh": 2}, False, "whole data of 2 of 3 subscriptions, the longest ago"),
        ({"Whole": 0, "Fresh": 0, "Oldest": None}, False, "unknown: no subscription has whole data"),
        ({"Asked": 0, "Whole": 0, "Fresh": 0, "Oldest": None, "Lost": None}, False, "unknown: no subscription"),
    ],
    ids=range(6),
)
def test_the_report_says_how_fresh_its_data_is(facts: dict[str, object], whole: bool, said: str) -> None:
    made = run(answers=Answers(ApiCoverage=[{**FRESH, **facts}]))
    assert made.freshness.whole is whole
    assert said in made.freshness.text


def test_freshness_that_cannot_be_read_is_unknown_and_a_problem() -> None:
    made = run(answers=Answers(ApiCoverage=REFUSED))
    assert made.freshness.text.startswith("unknown")
    assert made.problems == ("data freshness: HTTP 400: no such table Deploy it.",)


def test_queries_that_fail_for_one_reason_are_one_problem() -> None:
    made = run(query("A"), query("B"), answers=Answers(A=REFUSED, B=REFUSED, ApiCoverage=REFUSED))
    assert made.problems == ("A, B, data freshness: HTTP 400: no such table Deploy it.",)


def test_each_query_is_announced_before_it_is_asked() -> None:
    heard: list[str] = []
    reports(Answers(T=[])).run(Workbook("Ours", (query("T", title="Open"),)), on_query=heard.append)
    assert heard == ["Open", "data freshness"]

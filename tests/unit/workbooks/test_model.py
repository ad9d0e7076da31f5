"""Workbook documents as data: what reports can show, and a name for everything that they cannot."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apiward_core.errors import ConfigurationError
from apiward_workbooks.model import Condition, Group, Item, Parameters, Query, Text, Unsupported, Workbook


def parse(*items: dict[str, Any]) -> tuple[Item, ...]:
    return Workbook.parse(json.dumps({"version": "Notebook/1.0", "items": list(items)}), title="Ours").items


def test_a_text_a_query_a_parameter_and_a_group_are_read_with_their_settings() -> None:
    query = {
        "type": 3,
        "name": "tiles",
        "customWidth": "60",
        "content": {
            "query": "T",
            "queryType": 0,
            "title": "Open",
            "visualization": "tiles",
            "timeContext": {"durationMs": 3_600_000},
            "timeContextFromParameter": "TimeRange",
            "noDataMessage": "Nothing",
            "tileSettings": {"showBorder": True},
        },
    }
    parameters = {"type": 9, "content": {"parameters": [{"name": "P", "label": "Choice", "type": 2}]}}
    text = {"type": 1, "content": {"json": "# Hello", "style": "info"}}
    group = {"type": 12, "content": {"title": "Inside", "items": [text, query], "exportParameters": True}}
    read_parameters, read_group = parse(parameters, group)
    assert isinstance(read_parameters, Parameters)
    assert [(one.name, one.label, one.type) for one in read_parameters.parameters] == [("P", "Choice", 2)]
    assert isinstance(read_group, Group)
    assert (read_group.title, read_group.exports) == ("Inside", True)
    assert read_group.items == (
        Text(markdown="# Hello", style="info"),
        Query(
            name="tiles",
            width=60,
            kql="T",
            title="Open",
            visualization="tiles",
            duration=timedelta(hours=1),
            time_parameter="TimeRange",
            no_data="Nothing",
            tiles={"showBorder": True},
        ),
    )


@pytest.mark.parametrize(("written", "width"), [("50", 50), (25, 25), ("33.3", 33), ("", 100), (None, 100)])
def test_a_width_is_a_number_of_percent_however_it_is_written(written: object, width: int) -> None:
    (text,) = parse({"type": 1, "content": {"json": "x"}, "customWidth": written})
    assert text.width == width


def test_a_time_range_of_nothing_means_that_the_query_says_it() -> None:
    (query,) = parse({"type": 3, "content": {"query": "T", "timeContext": {"durationMs": 0}}})
    assert isinstance(query, Query)
    assert query.duration is None


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"type": 10, "content": {}}, "metrics"),
        ({"type": 11, "content": {}}, "tabs or links"),
        ({"type": 42, "content": {}}, "an item of type 42"),
        ({"type": 3, "content": {"queryType": 1, "title": "Map"}}, "a query of Azure Resource Graph, 'Map'"),
        ({"type": 3, "content": {"queryType": 99}}, "a query of type 99"),
        ({"type": 12, "content": {"groupType": "template"}}, "a group that is loaded from another workbook"),
    ],
)
def test_what_reports_cannot_show_is_named_and_stays_in_its_place(item: dict[str, Any], what: str) -> None:
    text = {"type": 1, "content": {"json": "after"}}
    assert parse(item, text) == (Unsupported(what=what), Text(markdown="after"))


@pytest.mark.parametrize(
    "condition",
    [
        {"conditionalVisibility": {"parameterName": "Tab", "comparison": "isEqualTo", "value": "one"}},
        {"conditionalVisibilities": [{"parameterName": "Tab", "comparison": "isEqualTo", "value": "one"}]},
    ],
)
def test_conditions_are_read_in_both_spellings(condition: dict[str, Any]) -> None:
    (item,) = parse({"type": 1, "content": {"json": ""}, **condition})
    assert item.conditions == (Condition("Tab", equal=True, value="one"),)


def test_walking_visits_what_groups_hold() -> None:
    inner = {"type": 12, "content": {"items": [{"type": 1, "content": {"json": "deep"}}]}}
    text = json.dumps({"version": "Notebook/1.0", "items": [{"type": 12, "content": {"items": [inner]}}]})
    kinds = [type(item) for item in Workbook.parse(text, title="Ours").walk()]
    assert kinds == [Group, Group, Text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"items": []}', "'version'"),
        ('{"version": "Notebook/9", "items": []}', "its version is 'Notebook/9'"),
        ('{"version": "Notebook/1.0", "items": [{"type": 3}]}', "'content'"),
        ('{"version": "Notebook/1.0", "items": [{"type": 1, "content": {}, "customWidth": "wide"}]}', "wide"),
    ],
)
def test_a_file_that_is_no_workbook_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Workbook.parse(text, title="ours.json")
    assert "ours.json is no workbook" in str(caught.value)
    assert said in str(caught.value)

"""Functions with parameters, and what a workbook asks of the query API."""

from typing import Any

import pytest

from tests.unit.lab_logs.direct import WORKSPACE, Logs

FACTS = [
    {"TimeGenerated": "2026-11-22T10:00:00Z", "Name": "a", "Count": 1, "Flag": True, "Bag": {"k": "x"}},
    {"TimeGenerated": "2026-11-23T10:00:00Z", "Name": "b", "Count": 2, "Flag": False, "Bag": {"k": "y"}},
    {"TimeGenerated": "2026-11-23T11:00:00Z", "Name": "a", "Count": 3, "Flag": True, "Bag": {"k": "x"}},
]


def save(logs: Logs, alias: str, parameters: str, body: str) -> int:
    """Store a function; the status of the answer."""
    url = f"{WORKSPACE.resource_id}/savedSearches/{alias}?api-version=2023-09-01"
    properties = {
        "category": "c",
        "displayName": alias,
        "query": body,
        "functionAlias": alias,
        "functionParameters": parameters,
    }
    return logs.direct.send("PUT", url, {"properties": properties}).status


@pytest.fixture
def facts(logs: Logs) -> Logs:
    """Three facts and functions over them."""
    logs.upload(FACTS)
    assert save(logs, "Above", "least:long, name:string = '', flag:bool = true", _ABOVE) == 200
    assert save(logs, "Late", "span:timespan = 1d, since:datetime = datetime(2026-11-23)", _LATE) == 200
    assert save(logs, "Of", "names:dynamic = dynamic(['a'])", "Facts_CL | where Name in (names)") == 200
    assert save(logs, "Outer", "least:long = 0", "Above(name = 'a', least = least) | project Count") == 200
    return logs


_ABOVE = "Facts_CL | where Count > least and (isempty(name) or Name == name) and Flag == flag"
_GAPS = """
    range d from datetime(2026-11-21) to datetime(2026-11-23) step 1d
    | join kind=leftouter (Facts_CL | summarize n = count() by d = bin(TimeGenerated, 1d)) on d
    | sort by d asc
    | project coalesce(n, 0)"""
_LATE = "Facts_CL | where TimeGenerated > now() - span and TimeGenerated > since"


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("Above(0)", 2),
        ("Above(2)", 1),
        ("Above(0, 'b', false)", 1),
        ("Above(0, flag = false)", 1),
        ("Above(name = 'a', least = 1)", 1),
        ("Above(least = 0, flag = (1 == 2))", 1),
        ("Above(toint(strlen('a')), name = strcat('a', ''))", 1),
        ("Late()", 2),
        ("Late(90m)", 1),
        ("Late(since = datetime(2026-11-01), span = 30d)", 3),
        ("Of()", 2),
        ("Of(dynamic(['a', 'b']))", 3),
        ("Outer()", 2),
        ("Outer(least = 1)", 1),
        ("let n = 'a'; Above(0, name = n) | union (Above(2))", 3),
        ("Facts_CL | join kind=inner (Above(least = 2)) on Name", 2),
    ],
)
def test_arguments_come_by_position_by_name_or_by_default(facts: Logs, call: str, count: int) -> None:
    assert facts.rows(f"{call} | count") == [[count]]


@pytest.mark.parametrize(
    "call",
    [
        "Above()",
        "Above(name = 'a')",
        "Above(1, least = 2)",
        "Above(1, nosuch = 2)",
        "Above(1, 'a', true, 4)",
        "Above(1, 'a', true, name = 'b')",
    ],
)
def test_arguments_that_do_not_fit_are_refused(facts: Logs, call: str) -> None:
    reply = facts.query(call)
    assert reply.status == 400
    assert reply.body["error"]["innererror"]["innererror"]["code"] == "SEM0219"
    assert "Above" in reply.body["error"]["innererror"]["innererror"]["message"]


def test_a_call_in_a_query_that_cannot_be_read_is_a_syntax_error(facts: Logs) -> None:
    reply = facts.query("Above(1, name = 'a') | where (")
    assert reply.status == 400
    assert reply.body["error"]["innererror"]["code"] == "SyntaxError"


def test_an_equals_sign_outside_of_a_call_is_no_argument(facts: Logs) -> None:
    assert facts.rows("Above(0) | extend least = 5 | summarize max(least)") == [[5]]


def test_parameters_that_cannot_be_read_are_refused(logs: Logs) -> None:
    assert save(logs, "Broken", "least", "Facts_CL") == 400


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "Facts_CL | summarize n = count() by bin(TimeGenerated, 1d), Name | sort by TimeGenerated asc, Name asc",
            [
                ["2026-11-22T00:00:00.0000000Z", "a", 1],
                ["2026-11-23T00:00:00.0000000Z", "a", 1],
                ["2026-11-23T00:00:00.0000000Z", "b", 1],
            ],
        ),
        ("Facts_CL | summarize countif(Flag), dcountif(Name, Flag), percentile(Count, 50)", [[2, 1, 2]]),
        (
            "Facts_CL | extend S = case(Count > 2, 'high', Count > 1, 'medium', 'low') | top 2 by Count | project S",
            [["high"], ["medium"]],
        ),
        ("Facts_CL | where Count == 1 | project datetime_diff('day', now(), TimeGenerated)", [[1]]),
        ("union isfuzzy=true Facts_CL, (Absent_CL | project Name) | count", [[3]]),
        (
            "Facts_CL | summarize n = count() by bin_at(TimeGenerated, 1d, datetime(2026-11-22T10:30:00Z)) | count",
            [[3]],
        ),
        ("print url_encode_component('a b/c')", [["a%20b%2Fc"]]),
        (_GAPS, [[0], [1], [2]]),
    ],
    ids=["bin", "conditional", "case", "datetime_diff", "fuzzy union", "bin_at", "encode", "gaps"],
)
def test_what_workbooks_ask_runs(facts: Logs, query: str, rows: Any) -> None:
    assert facts.rows(query) == rows


def test_render_changes_no_row_and_shows_when_asked_for(facts: Logs) -> None:
    rows = "Facts_CL | summarize n = count() by Name | sort by Name asc"
    query = f"{rows} | render columnchart with (title = 'Open', kind = stacked)"
    body = {"query": query}
    url = f"/v1/workspaces/{WORKSPACE.customer_id}/query"
    asked = facts.direct.send("POST", url, body, headers={"prefer": "wait=180,include-render=true"}).body
    assert [list(row) for row in asked["tables"][0]["rows"]] == [["a", 2], ["b", 1]]
    render = asked["render"]
    assert (render["visualization"], render["title"], render["kind"]) == ("columnchart", "Open", "stacked")
    assert "render" not in facts.direct.send("POST", url, body).body

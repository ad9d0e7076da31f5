"""The query API: envelope, types, time span, functions, ingestion time, limits and errors."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.loganalytics.query_api import QueryApi
from apiward_lab.loganalytics.registry import Registry
from apiward_lab.web import Call
from tests.unit.lab_logs.direct import START, WORKSPACE, Logs, StandingClock


def save_function(logs: Logs, alias: str, body: str) -> None:
    url = f"{WORKSPACE.resource_id}/savedSearches/{alias}?api-version=2023-09-01"
    properties = {"category": "c", "displayName": alias, "query": body, "functionAlias": alias}
    assert logs.direct.send("PUT", url, {"properties": properties}).status == 200


def test_columns_carry_kusto_types_and_values_their_json_form(logs: Logs) -> None:
    logs.upload([{"TimeGenerated": "2026-11-23T10:00:00.25Z", "Name": "a", "Count": 1, "Ratio": 0.5, "Flag": True,
                  "Bag": {"k": [1]}}])  # fmt: skip
    answer = logs.query("Facts_CL | extend Age = now() - TimeGenerated").body["tables"][0]
    assert answer["name"] == "PrimaryResult"
    assert dict(zip((c["name"] for c in answer["columns"]), (c["type"] for c in answer["columns"]), strict=True)) == {
        "TimeGenerated": "datetime", "Name": "string", "Count": "long", "Ratio": "real", "Flag": "bool",
        "Bag": "dynamic", "TenantId": "string", "Type": "string", "_ResourceId": "string", "Age": "timespan",
    }  # fmt: skip
    assert list(answer["rows"][0]) == [
        "2026-11-23T10:00:00.2500000Z", "a", 1, 0.5, True, '{"k":[1]}', WORKSPACE.customer_id, "Facts_CL", "",
        "01:59:59.7500000",
    ]  # fmt: skip


def test_a_query_that_is_asked_again_has_the_time_of_then_unless_it_sets_its_own(logs: Logs) -> None:
    asked = ("print now()", "set query_now = datetime(2020-01-02); print now()")
    first = [logs.rows(query) for query in asked]
    logs.clock.advance(timedelta(hours=1))
    again = [logs.rows(query) for query in asked]
    assert [*first, again[0]] == [
        [["2026-11-23T12:00:00.0000000Z"]],
        [["2020-01-02T00:00:00.0000000Z"]],
        [["2026-11-23T13:00:00.0000000Z"]],
    ]
    assert again[1] == first[1]


def test_the_time_span_reaches_every_table_inside_functions_too(logs: Logs) -> None:
    save_function(logs, "All", "Facts_CL | union (Facts_CL | where TimeGenerated > ago(30d))")
    old = (START - timedelta(hours=5)).isoformat()
    logs.upload([{"Name": "old", "TimeGenerated": old}, {"Name": "new", "TimeGenerated": START.isoformat()}])
    assert logs.rows("All() | count") == [[4]]
    assert logs.rows("All() | count", "PT1H") == [[2]]
    assert logs.rows("All() | distinct Name", f"{(START - timedelta(hours=6)).isoformat()}/PT2H") == [["old"]]


def test_ingestion_time_is_the_time_of_arrival_and_never_shows(logs: Logs) -> None:
    save_function(logs, "First", "Facts_CL | extend At = ingestion_time() | summarize arg_min(At, *) by Name")
    logs.upload([{"Name": "a", "Count": 1}])
    logs.clock.advance(timedelta(hours=1))
    logs.upload([{"Name": "a", "Count": 2}])
    table = logs.query("First() | project-away TenantId, Type, _ResourceId").body["tables"][0]
    assert [column["name"] for column in table["columns"]] == [
        "Name", "At", "TimeGenerated", "Count", "Ratio", "Flag", "Bag",
    ]  # fmt: skip
    assert table["rows"][0][1] == "2026-11-23T12:00:00.0000000Z"
    assert table["rows"][0][3] == 1
    assert logs.rows("Facts_CL | where ingestion_time() > ago(30m) | project Count") == [[2]]


def test_a_function_may_call_another(logs: Logs) -> None:
    save_function(logs, "Inner", "Facts_CL | where Count > 1")
    save_function(logs, "Outer", "Inner() | project Name")
    logs.upload([{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2}])
    assert logs.rows("Outer()") == [["b"]]


def test_functions_that_the_engine_lacked_work(logs: Logs) -> None:
    query = (
        "print u = array_length(set_union(dynamic([1,2]), dynamic([2,3]))), d = set_difference(dynamic([1,2]), "
        "dynamic([2])), k = bag_keys(dynamic({'a':1})), t = unixtime_seconds_todatetime(0)"
    )
    assert logs.rows(query) == [[3, "[1]", '["a"]', "1970-01-01T00:00:00.0000000Z"]]
    logs.upload([{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2}, {"Name": "b", "Count": 3}])
    assert logs.rows(
        "Facts_CL | summarize l = array_length(make_list_if(Name, Count > 1)), s = make_set_if(Name, Count > 1), "
        "m = maxif(Count, Count < 3), c = count_distinct(Name)"
    ) == [[2, '["b"]', 2, 2]]


@pytest.mark.parametrize(
    ("query", "code", "inner"),
    [
        ("Facts_CL | where (", "SyntaxError", "SYN0002"),
        ("", "SyntaxError", "SYN0001"),
        (".drop table Facts_CL", "SyntaxError", "SYN0001"),
        ("Missing_CL | take 1", "SemanticError", "SEM0100"),
        ("Facts_CL | where Missing == 1", "SemanticError", "SEM0100"),
        ("Facts_CL | project Missing", "SemanticError", "SEM0100"),
        ("Facts_CL | summarize count() by Missing", "SemanticError", "SEM0100"),
        ("facts_cl | take 1", "SemanticError", "SEM0100"),
        ("Facts_CL | where name == ''", "SemanticError", "SEM0100"),
        ("Missing()", "SemanticError", "SEM0260"),
        ("Facts_CL | extend a = prev(Count)", "SemanticError", "LAB0001"),
    ],
)
def test_a_bad_query_is_told_what_is_wrong(logs: Logs, query: str, code: str, inner: str) -> None:
    reply = logs.query(query)
    assert reply.status == 400
    error = reply.body["error"]
    assert error["code"] == "BadArgumentError"
    assert (error["innererror"]["code"], error["innererror"]["innererror"]["code"]) == (code, inner)


@pytest.mark.parametrize(
    "query",
    [
        "Facts_CL | project name = Name | where name == ''",
        "let count_ = 1; Facts_CL | where Count == count_",
        "let least = 1; let F = (bag: long) { bag + 1 }; Facts_CL | extend x = F(Count) | where x > least",
        "Facts_CL | project Bag | mv-expand flag = Bag | where isnotempty(flag)",
        "Facts_CL | summarize ratio = max(Ratio) by Name | where ratio > 0",
        "let facts_cl = Facts_CL | take 1; facts_cl | project Bag.flag",
    ],
)
def test_a_name_that_the_query_makes_may_differ_in_case_only(logs: Logs, query: str) -> None:
    assert logs.query(query).status == 200


def test_a_bad_time_span_is_refused(logs: Logs) -> None:
    assert logs.query("print 1", "yesterday").status == 400


@pytest.mark.parametrize(("limits", "kept"), [({"max_rows": 2}, 2), ({"max_bytes": 12}, 4)])
def test_a_limit_gives_a_partial_answer(limits: dict[str, int], kept: int) -> None:
    api = QueryApi(StandingClock(), Registry([WORKSPACE]), **limits)
    body = json.dumps({"query": "range x from 1 to 5 step 1"}).encode()
    reply: Any = api.query(Call("POST", "", {"customer": WORKSPACE.customer_id}, {}, {}, body, ""))
    assert reply.status == 200
    assert len(reply.body["tables"][0]["rows"]) == kept
    assert reply.body["error"]["code"] == "PartialError"


def test_a_get_and_a_resource_path_give_the_same_answer(logs: Logs) -> None:
    by_get = logs.direct.send("GET", f"/v1/workspaces/{WORKSPACE.customer_id}/query?query=print%20x%3D1")
    by_resource = logs.direct.send("POST", f"/v1{WORKSPACE.resource_id}/query", {"query": "print x=1"})
    assert by_get.body == by_resource.body
    assert by_get.status == 200


def test_queries_and_uploads_run_side_by_side(logs: Logs) -> None:
    answers: list[Any] = []

    def work() -> None:
        for _ in range(10):
            logs.upload([{"Name": "a", "Count": 1}] * 100)
            answers.append(logs.query("Facts_CL | summarize sum(Count)").status)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40
    assert logs.rows("Facts_CL | count") == [[4000]]

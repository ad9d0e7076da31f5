"""Tables, saved searches and data collection rules over ARM."""

import pytest

from tests.unit.lab_logs.conftest import COLUMNS
from tests.unit.lab_logs.direct import BASE_URL, RULE, WORKSPACE, Logs, rule_body

SEARCH = f"{WORKSPACE.resource_id}/savedSearches/recent?api-version=2023-09-01"


def test_a_created_table_is_reached_through_its_operation(logs: Logs) -> None:
    reply = logs.put_table("Other_CL", {"TimeGenerated": "datetime", "A": "guid"})
    status = logs.direct.send("GET", reply.headers["Azure-AsyncOperation"].removeprefix(BASE_URL))
    table = logs.direct.send("GET", logs.table_url("other_cl")).body
    assert status.body["status"] == "Succeeded"
    assert table["name"] == "Other_CL"
    assert [(c["name"], c["type"]) for c in table["properties"]["schema"]["columns"]] == [
        ("TimeGenerated", "dateTime"),
        ("A", "guid"),
    ]


@pytest.mark.parametrize(
    ("name", "columns", "said"),
    [
        ("Facts", {"TimeGenerated": "datetime"}, "_CL"),
        ("F" * 60 + "_CL", {"TimeGenerated": "datetime"}, "62 characters"),
        ("New_CL", {"A": "string"}, "TimeGenerated"),
        ("New_CL", {"TimeGenerated": "string"}, "TimeGenerated"),
        ("New_CL", {"TimeGenerated": "datetime", "TenantId": "string"}, "reserved"),
        ("New_CL", {"TimeGenerated": "datetime", "A" * 46: "string"}, "45 characters"),
        ("New_CL", {"TimeGenerated": "datetime", "A": "timespan"}, "timespan"),
        ("New_CL", {"TimeGenerated": "datetime", "1A": "string"}, "starts with a letter"),
        ("New_CL", {"TimeGenerated": "datetime", "A": "int", "a": "int"}, "twice"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(logs: Logs, name: str, columns: dict[str, str], said: str) -> None:
    reply = logs.put_table(name, columns)
    assert reply.status == 400
    assert said in reply.body["error"]["message"]


def test_a_column_may_be_added_but_not_retyped(logs: Logs) -> None:
    logs.upload([{"Name": "before"}])
    assert logs.put_table("Facts_CL", {**COLUMNS, "Late": "string"}).status == 202
    assert logs.rows("Facts_CL | project Name, Late") == [["before", ""]]
    assert logs.put_table("Facts_CL", {**COLUMNS, "Count": "string"}).status == 400


def test_a_deleted_table_is_unknown_and_a_microsoft_table_stays(logs: Logs) -> None:
    assert logs.direct.send("DELETE", logs.table_url("Facts_CL")).status == 202
    assert logs.query("Facts_CL").status == 400
    assert logs.direct.send("DELETE", logs.table_url("Facts_CL")).status == 204
    assert logs.direct.send("DELETE", logs.table_url("SecurityAlert")).status == 400


def test_a_direct_rule_names_its_endpoint_and_keeps_its_immutable_id(logs: Logs) -> None:
    first = logs.direct.send("GET", f"{RULE}?api-version=2023-03-11").body
    again = logs.put_rule(COLUMNS)
    assert first["properties"]["endpoints"]["logsIngestion"] == BASE_URL
    assert first["properties"]["immutableId"].startswith("dcr-")
    assert again.status == 200
    assert again.body["properties"]["immutableId"] == first["properties"]["immutableId"]
    assert again.body["etag"] != first["etag"]


@pytest.mark.parametrize(
    ("columns", "table", "transform", "code"),
    [
        (COLUMNS, "Missing_CL", "source", "InvalidOutputTable"),
        ({**COLUMNS, "Count": "string"}, "Facts_CL", "source", "InvalidTransformOutput"),
        ({**COLUMNS, "Extra": "string"}, "Facts_CL", "source", "InvalidTransformOutput"),
        ({"Name": "string"}, "Facts_CL", "source", "InvalidTransformOutput"),
        ({**COLUMNS, "Id": "guid"}, "Facts_CL", "source", "InvalidStreamDeclaration"),
        (COLUMNS, "Facts_CL", "source | summarize count()", "InvalidTransformQuery"),
        (COLUMNS, "Facts_CL", "source | where Nope == 1", "InvalidTransformQuery"),
    ],
)
def test_a_rule_that_cannot_deliver_is_refused(
    logs: Logs, columns: dict[str, str], table: str, transform: str, code: str
) -> None:
    reply = logs.put_rule(columns, table=table, transform=transform)
    assert reply.status == 400
    assert reply.body["error"]["code"] == "InvalidPayload"
    assert reply.body["error"]["details"][0]["code"] == code


def test_a_rule_has_at_most_ten_flows(logs: Logs) -> None:
    body = rule_body(COLUMNS)
    body["properties"]["dataFlows"] *= 11
    assert logs.direct.send("PUT", f"{RULE}?api-version=2023-03-11", body).status == 400


def test_a_patch_changes_tags_and_nothing_else(logs: Logs) -> None:
    reply = logs.direct.send("PATCH", f"{RULE}?api-version=2023-03-11", {"tags": {"team": "soc"}})
    assert reply.body["tags"] == {"team": "soc"}
    assert logs.upload([{"Name": "a"}]).status == 204


def test_a_saved_function_is_replaced_only_with_its_etag(logs: Logs) -> None:
    properties = {"category": "c", "displayName": "d", "query": "Facts_CL", "functionAlias": "Recent", "version": 2}
    created = logs.direct.send("PUT", SEARCH, {"properties": properties})
    changed = {**properties, "query": "Facts_CL | where Count > least", "functionParameters": "least:long=1"}
    assert created.status == 200
    assert logs.direct.send("PUT", SEARCH, {"properties": changed}).status == 409
    assert logs.direct.send("PUT", SEARCH, {"properties": changed, "etag": "stale"}).status == 409
    replaced = logs.direct.send("PUT", SEARCH, {"properties": changed, "etag": created.body["etag"]})
    assert replaced.status == 200
    assert replaced.body["etag"] != created.body["etag"]
    assert logs.direct.send("GET", SEARCH).body["properties"] == changed
    logs.upload([{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2}, {"Name": "c", "Count": 3}])
    assert logs.rows("Recent() | count") == [[2]]
    assert logs.rows("Recent(2) | count") == [[1]]


def test_a_function_that_does_not_parse_is_refused(logs: Logs) -> None:
    properties = {"category": "c", "displayName": "d", "query": "Facts_CL | where (", "functionAlias": "Broken"}
    assert logs.direct.send("PUT", SEARCH, {"properties": properties}).status == 400


def test_an_unknown_workspace_is_not_found(logs: Logs) -> None:
    path = WORKSPACE.resource_id.replace("law-test", "law-none")
    assert logs.direct.send("GET", f"{path}/tables?api-version=2023-09-01").status == 404

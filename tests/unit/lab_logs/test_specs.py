"""The answers of Log Analytics conform to Microsoft's OpenAPI documents."""

from typing import Any

import pytest

from tests.unit.lab_logs.direct import BASE_URL, RULE, WORKSPACE, Logs
from tests.unit.lab_logs.specs import faults, needs_specs, unpublished

MANAGEMENT = "operationalinsights/resource-manager/Microsoft.OperationalInsights/stable/2023-09-01"
RULES = "monitor/resource-manager/Microsoft.Insights/stable/2023-03-11/dataCollectionRules_API.json"
DATA = "operationalinsights/data-plane/Microsoft.OperationalInsights/stable/v1/OperationalInsights.json"

pytestmark = needs_specs


def get(logs: Logs, url: str) -> Any:
    return logs.direct.send("GET", url).body


def test_workspaces(logs: Logs) -> None:
    body = get(logs, f"{WORKSPACE.resource_id}?api-version=2023-09-01")
    assert faults(f"{MANAGEMENT}/Workspaces.json", "Workspace", body) == []


@pytest.mark.parametrize("name", ["Facts_CL", "SecurityAlert"])
def test_tables(logs: Logs, name: str) -> None:
    assert faults(f"{MANAGEMENT}/Tables.json", "Table", get(logs, logs.table_url(name))) == []


def test_operations(logs: Logs) -> None:
    url = logs.put_table("Other_CL", {"TimeGenerated": "datetime"}).headers["Azure-AsyncOperation"]
    body = get(logs, url.removeprefix(BASE_URL))
    assert faults(f"{MANAGEMENT}/OperationStatuses.json", "OperationStatus", body) == []


def test_saved_searches(logs: Logs) -> None:
    url = f"{WORKSPACE.resource_id}/savedSearches/s?api-version=2023-09-01"
    properties = {"category": "c", "displayName": "d", "query": "Facts_CL", "functionAlias": "F", "version": 2}
    body = logs.direct.send("PUT", url, {"properties": properties}).body
    assert faults(f"{MANAGEMENT}/SavedSearches.json", "SavedSearch", body) == []


def test_data_collection_rules(logs: Logs) -> None:
    body = get(logs, f"{RULE}?api-version=2023-03-11")
    # Direct rules and custom streams are documented by Azure Monitor, but the enumerations do not hold them.
    assert body.pop("kind") == "Direct"
    assert body["properties"]["dataFlows"][0].pop("streams") == ["Custom-Facts"]
    assert faults(RULES, "DataCollectionRuleResource", body) == []


def test_query_results(logs: Logs) -> None:
    logs.upload([{"Name": "a"}])
    body = logs.query("Facts_CL").body
    assert body["tables"][0].pop("rows")  # numbers, truth values and nulls, where the document knows only texts
    body["tables"][0]["rows"] = []
    assert faults(DATA, "queryResults", body) == []
    error = logs.query("Nope").body
    assert error["error"].pop("correlationId")  # sent by the service, absent from the document
    assert faults(DATA, "errorResponse", error) == []


def test_every_route_asks_for_a_published_operation(logs: Logs) -> None:
    asked = {action for route in logs.service.routes for action in (route.action, route.data_action) if action}
    assert unpublished(asked) == set()

"""Incidents, comments and relations over ARM."""

import json
from typing import Any

import pytest

from tests.unit.lab_logs.direct import CALLER
from tests.unit.lab_sentinel.workbench import BASE, Workbench

OPEN = {"title": "t", "severity": "High", "status": "Active"}
SERVICE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop"


def raised(bench: Workbench) -> Any:
    """One incident that a rule raised."""
    bench.put_rule(query=f"print Name = 'a', Service = '{SERVICE}'")
    bench.clock.tick()
    return bench.send("GET", "incidents", version="2024-03-01").body["value"][0]


def test_an_incident_tells_its_rule_its_alerts_and_its_provider(bench: Workbench) -> None:
    properties = raised(bench)["properties"]
    assert properties["relatedAnalyticRuleIds"] == [f"{BASE}/alertRules/rule"]
    assert properties["providerName"] == "Azure Sentinel"
    assert properties["additionalData"]["tactics"] == ["Discovery"]
    assert properties["additionalData"]["alertProductNames"] == ["Azure Sentinel"]
    assert "providerName" not in bench.send("GET", "incidents").body["value"][0]["properties"]


def test_alerts_and_entities_of_an_incident(bench: Workbench) -> None:
    name = raised(bench)["name"]
    [alert] = bench.send("POST", f"incidents/{name}/alerts").body["value"]
    entities = bench.send("POST", f"incidents/{name}/entities").body
    assert alert["kind"] == "SecurityAlert"
    assert json.loads(alert["properties"]["additionalData"]["Custom Details"]) == {"Name": ["a"]}
    assert json.loads(alert["properties"]["additionalData"]["Analytic Rule Ids"]) == ["rule"]
    assert alert["properties"]["additionalData"]["Query End Time UTC"] == "2026-11-23 11:55:00Z"
    assert entities["entities"][0]["properties"]["resourceId"] == SERVICE
    assert entities["metaData"] == [{"entityKind": "AzureResource", "count": 1}]
    assert bench.send("POST", f"incidents/{name}/bookmarks").body == {"value": []}


def test_a_put_replaces_what_it_does_not_name(bench: Workbench) -> None:
    name = raised(bench)["name"]
    owned = {**OPEN, "owner": {"objectId": "o"}, "labels": [{"labelName": "x"}], "description": "d"}
    bench.send("PUT", f"incidents/{name}", {"properties": owned})
    properties = bench.send("PUT", f"incidents/{name}", {"properties": OPEN}).body["properties"]
    assert properties["owner"]["objectId"] is None
    assert properties["labels"] == []
    assert properties["description"] == ""
    assert properties["additionalData"]["alertsCount"] == 1


def test_a_stale_etag_is_a_conflict(bench: Workbench) -> None:
    incident = raised(bench)
    url = f"incidents/{incident['name']}"
    assert bench.send("PUT", url, {"etag": incident["etag"], "properties": OPEN}).status == 200
    refused = bench.send("PUT", url, {"etag": incident["etag"], "properties": {**OPEN, "title": "other"}})
    assert (refused.status, refused.body["error"]["code"]) == (409, "Conflict")
    assert refused.body["error"]["message"].startswith("Newer version of resource")
    assert bench.send("GET", url).body["properties"]["title"] == "t"


@pytest.mark.parametrize(
    "properties",
    [
        {"severity": "High", "status": "New"},
        {**OPEN, "severity": "Critical"},
        {**OPEN, "status": "Open"},
        {**OPEN, "status": "Closed"},
        {**OPEN, "status": "Closed", "classification": "Fixed"},
        {**OPEN, "status": "Closed", "classification": "TruePositive", "classificationReason": "InaccurateData"},
        {**OPEN, "description": "d" * 5_001},
        {**OPEN, "labels": [{}]},
    ],
)
def test_an_incident_that_breaks_a_rule_is_refused(bench: Workbench, properties: dict[str, Any]) -> None:
    assert bench.send("PUT", "incidents/new", {"properties": properties}).status == 400
    assert bench.incidents() == []


def test_closing_is_logged_with_its_reason(bench: Workbench) -> None:
    closed = {
        **OPEN,
        "status": "Closed",
        "classification": "TruePositive",
        "classificationReason": "SuspiciousActivity",
    }
    bench.send("PUT", f"incidents/{raised(bench)['name']}", {"properties": closed})
    assert bench.logs.rows(
        "SecurityIncident | where Status == 'Closed' | project ClassificationReason, ModifiedBy"
    ) == [["SuspiciousActivity", CALLER.object_id]]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"$filter": "properties/status eq 'New'"}, ["a", "b"]),
        ({"$filter": "properties/severity eq 'High' or properties/severity eq 'Low'"}, ["a", "c"]),
        ({"$filter": "properties/status ne 'New' and not contains(properties/title, 'x')"}, ["c"]),
        (
            {"$filter": "properties/createdTimeUtc gt 2026-11-23T11:00:00Z and (properties/incidentNumber le 2)"},
            ["a", "b"],
        ),
        ({"$filter": "properties/createdTimeUtc lt 2026-11-23T12:00:00Z"}, []),
        ({"$orderby": "properties/title desc"}, ["a", "b", "c"]),
    ],
)
def test_lists_are_filtered_and_sorted(bench: Workbench, query: dict[str, str], titles: list[str]) -> None:
    for title, severity, status in (("a", "High", "New"), ("b", "Medium", "New"), ("c", "Low", "Active")):
        bench.send(
            "PUT", f"incidents/{title}", {"properties": {"title": title, "severity": severity, "status": status}}
        )
    assert [incident["title"] for incident in bench.incidents(**query)] == titles


@pytest.mark.parametrize("text", ["properties/title", "properties/title eq", "title is 'x'", "(a eq 1", "a eq 1 )"])
def test_a_filter_that_is_not_understood_is_refused(bench: Workbench, text: str) -> None:
    assert bench.send("GET", "incidents", **{"$filter": text}).status == 400


def test_pages_follow_one_another(bench: Workbench) -> None:
    for number in range(5):
        bench.send("PUT", f"incidents/{number}", {"properties": OPEN})
    answer = bench.send("GET", "incidents", **{"$top": "2"})
    seen = [incident["name"] for incident in answer.body["value"]]
    while "nextLink" in answer.body:
        answer = bench.direct.send("GET", answer.body["nextLink"].removeprefix("https://lab.test"))
        seen += [incident["name"] for incident in answer.body["value"]]
    assert seen == ["4", "3", "2", "1", "0"]
    assert bench.send("GET", "incidents", **{"$top": "1001"}).status == 400


def test_a_comment_is_written_once(bench: Workbench) -> None:
    url = f"incidents/{raised(bench)['name']}/comments/c1"
    first = bench.send("PUT", url, {"properties": {"message": "hello"}})
    again = bench.send("PUT", url, {"properties": {"message": "hello"}})
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert first.body["properties"]["author"]["objectId"] == CALLER.object_id
    [incident] = bench.incidents()
    assert incident["additionalData"]["commentsCount"] == 1


def test_an_edited_comment_needs_a_fresh_etag_when_it_names_one(bench: Workbench) -> None:
    url = f"incidents/{raised(bench)['name']}/comments/c1"
    etag = bench.send("PUT", url, {"properties": {"message": "one"}}).body["etag"]
    assert bench.send("PUT", url, {"etag": etag, "properties": {"message": "two"}}).status == 200
    assert bench.send("PUT", url, {"etag": etag, "properties": {"message": "three"}}).status == 409
    assert bench.send("GET", url).body["properties"]["message"] == "two"
    assert bench.send("DELETE", url).status == 200
    assert bench.send("GET", url).status == 404


def test_comments_have_limits(bench: Workbench) -> None:
    url = f"incidents/{raised(bench)['name']}/comments"
    assert bench.send("PUT", f"{url}/long", {"properties": {"message": "x" * 30_001}}).status == 400
    statuses = [bench.send("PUT", f"{url}/{n}", {"properties": {"message": "m"}}).status for n in range(101)]
    assert statuses == [201] * 100 + [400]
    assert len(bench.send("GET", url).body["value"]) == 100


def test_relations_hold_alerts_and_links(bench: Workbench) -> None:
    name = raised(bench)["name"]
    other = f"{BASE}/incidents/other"
    assert (
        bench.send("PUT", f"incidents/{name}/relations/r", {"properties": {"relatedResourceId": other}}).status == 201
    )
    types = [
        r["properties"]["relatedResourceType"] for r in bench.send("GET", f"incidents/{name}/relations").body["value"]
    ]
    assert types == ["Microsoft.SecurityInsights/Entities", "Microsoft.SecurityInsights/incidents"]
    assert bench.send("DELETE", f"incidents/{name}/relations/r").status == 200
    assert bench.send("GET", f"incidents/{name}/relations/r").status == 404


def test_a_deleted_incident_is_gone(bench: Workbench) -> None:
    url = f"incidents/{raised(bench)['name']}"
    assert bench.send("DELETE", url).status == 200
    assert bench.send("DELETE", url).status == 204
    assert bench.send("GET", url).status == 404

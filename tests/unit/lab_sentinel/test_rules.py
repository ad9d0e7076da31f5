"""Alert rules: what is refused, what is answered, and etags."""

from typing import Any

import pytest

from tests.unit.lab_sentinel.workbench import Workbench, grouping, rule_properties

HOST = {"entityType": "Host", "fieldMappings": [{"identifier": "HostName", "columnName": "Name"}]}


def test_a_rule_comes_back_as_it_was_put(bench: Workbench) -> None:
    created = bench.put_rule()
    assert created.status == 201
    assert created.body["kind"] == "Scheduled"
    assert created.body["type"] == "Microsoft.SecurityInsights/alertRules"
    properties = bench.send("GET", "alertRules/RULE").body["properties"]
    assert {key: properties[key] for key in rule_properties()} == rule_properties()
    assert properties["lastModifiedUtc"] == "2026-11-23T12:00:00.0000000Z"


def test_a_stale_etag_is_refused_and_none_is_not(bench: Workbench) -> None:
    first = bench.put_rule().body["etag"]
    assert bench.put_rule(severity="Low").status == 200
    body = {"kind": "Scheduled", "etag": first, "properties": rule_properties()}
    refused = bench.send("PUT", "alertRules/rule", body)
    assert (refused.status, refused.body["error"]["code"]) == (409, "Conflict")
    assert bench.send("GET", "alertRules/rule").body["properties"]["severity"] == "Low"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("displayName", {"displayName": "x" * 257}),
        ("severity", {"severity": "Critical"}),
        ("query", {"query": "x" * 10_001}),
        ("queryFrequency", {"queryFrequency": "PT4M"}),
        ("queryFrequency", {"queryFrequency": "1h"}),
        ("queryPeriod", {"queryPeriod": "P15D"}),
        ("queryPeriod", {"queryPeriod": "PT30M"}),
        ("queryFrequency", {"queryPeriod": "P2D", "queryFrequency": "PT30M"}),
        ("triggerOperator", {"triggerOperator": "gt"}),
        ("triggerThreshold", {"triggerThreshold": 10_001}),
        ("triggerThreshold", {"triggerThreshold": None}),
        ("suppressionDuration", {"suppressionDuration": "P2D"}),
        ("tactics", {"tactics": ["Initial Access"]}),
        ("techniques", {"techniques": ["T1"]}),
        ("entityMappings", {"entityMappings": [HOST] * 11}),
        ("entityMappings", {"entityMappings": [{**HOST, "entityType": "Api"}]}),
        ("entityMappings", {"entityMappings": [{**HOST, "entityType": "AzureResource"}]}),
        ("customDetails", {"customDetails": {f"k{n}": "Name" for n in range(21)}}),
        ("customDetails", {"customDetails": {"k" * 21: "Name"}}),
        ("alertDisplayNameFormat", {"alertDetailsOverride": {"alertDisplayNameFormat": "{{a}}{{b}}{{c}}{{d}}"}}),
        ("createIncident", {"incidentConfiguration": {"groupingConfiguration": None}}),
        ("lookbackDuration", {"incidentConfiguration": grouping("AnyAlert", lookbackDuration="P8D")}),
        ("matchingMethod", {"incidentConfiguration": grouping("All")}),
        ("groupingConfiguration", {"incidentConfiguration": grouping("Selected")}),
    ],
)
def test_a_property_out_of_bounds_is_refused_by_name(bench: Workbench, field: str, changes: dict[str, Any]) -> None:
    reply = bench.put_rule(**changes)
    assert (reply.status, reply.body["error"]["code"]) == (400, "BadRequest")
    assert field in reply.body["error"]["message"]


@pytest.mark.parametrize("query", ["Missing_CL", "Facts_CL | where Nope == 1", "Facts_CL | where ("])
def test_a_rule_whose_query_fails_is_refused(bench: Workbench, query: str) -> None:
    assert bench.put_rule(query=query).status == 400


def test_other_kinds_are_refused_plainly(bench: Workbench) -> None:
    reply = bench.send("PUT", "alertRules/f", {"kind": "Fusion", "properties": {"enabled": True}})
    assert reply.status == 400
    assert "Fusion" in reply.body["error"]["message"]


def test_a_deleted_rule_is_gone_and_no_longer_runs(bench: Workbench) -> None:
    bench.put_rule()
    assert bench.send("DELETE", "alertRules/rule").status == 200
    assert bench.send("DELETE", "alertRules/rule").status == 204
    assert bench.send("GET", "alertRules/rule").status == 404
    bench.pass_hour()
    assert bench.sentinel.runs == []


def test_onboarding_is_there_from_the_start(bench: Workbench) -> None:
    assert bench.send("GET", "onboardingStates/default").body["properties"] == {"customerManagedKey": False}
    assert bench.send("PUT", "onboardingStates/default", {"properties": {}}).status == 200
    assert len(bench.send("GET", "onboardingStates").body["value"]) == 1


def test_without_onboarding_nothing_works_and_nothing_runs(bench: Workbench) -> None:
    bench.put_rule()
    assert bench.send("DELETE", "onboardingStates/default").status == 200
    assert bench.send("GET", "incidents").status == 400
    bench.pass_hour()
    assert bench.sentinel.runs == []
    assert bench.send("PUT", "onboardingStates/default", {"properties": {}}).status == 201
    assert bench.send("GET", "incidents").status == 200

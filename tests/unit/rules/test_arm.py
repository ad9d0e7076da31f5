"""From YAML to the body that Azure Resource Manager takes, and back through Microsoft's own client."""

from typing import Any

from azure.mgmt.securityinsight.models import ScheduledAlertRule

from apiward_core.arm_id import ArmId
from apiward_rules.arm import FUNCTION, RULE, function_properties, rule_properties
from apiward_rules.functions import KqlFunction
from apiward_rules.items import content_items
from apiward_rules.load import parse_rule
from apiward_rules.rules import rule_ids

WORKSPACE = ArmId.parse(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG-Security"
    "/providers/Microsoft.OperationalInsights/workspaces/law"
)

RULE_YAML = """\
id: 0f8fad5b-d9cb-469f-a165-70867728950e
name: Facts seen
description: Identifies facts.
severity: Medium
status: Available
requiredDataConnectors: []
queryFrequency: 1h
queryPeriod: 47h
triggerOperator: gt
triggerThreshold: 2
tactics: [InitialAccess, Persistence]
relevantTechniques: [T1190, T1078.004, T1078]
query: Facts_CL | take 1
entityMappings:
  - entityType: AzureResource
    fieldMappings: [{identifier: ResourceId, columnName: Service}]
customDetails: {Key: KeyColumn}
alertDetailsOverride: {alertDisplayNameFormat: "Seen {{Service}}"}
eventGroupingSettings: {aggregationKind: AlertPerResult}
suppressionEnabled: true
suppressionDuration: 90m
incidentConfiguration:
  createIncident: true
  groupingConfiguration:
    enabled: true
    reopenClosedIncident: false
    lookbackDuration: 7d
    matchingMethod: Selected
    groupByCustomDetails: [Key]
version: 1.2.3
kind: Scheduled
"""

PROPERTIES: dict[str, Any] = {
    "displayName": "Facts seen",
    "description": "Identifies facts.",
    "severity": "Medium",
    "enabled": True,
    "query": "Facts_CL | take 1",
    "queryFrequency": "PT1H",
    "queryPeriod": "P1DT23H",
    "triggerOperator": "GreaterThan",
    "triggerThreshold": 2,
    "suppressionDuration": "PT1H30M",
    "suppressionEnabled": True,
    "tactics": ["InitialAccess", "Persistence"],
    "techniques": ["T1190", "T1078"],
    "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
    "customDetails": {"Key": "KeyColumn"},
    "entityMappings": [
        {"entityType": "AzureResource", "fieldMappings": [{"identifier": "ResourceId", "columnName": "Service"}]}
    ],
    "alertDetailsOverride": {"alertDisplayNameFormat": "Seen {{Service}}"},
    "incidentConfiguration": {
        "createIncident": True,
        "groupingConfiguration": {
            "enabled": True,
            "reopenClosedIncident": False,
            "lookbackDuration": "P7D",
            "matchingMethod": "Selected",
            "groupByEntities": [],
            "groupByAlertDetails": [],
            "groupByCustomDetails": ["Key"],
        },
    },
}


def test_a_rule_becomes_its_resource() -> None:
    assert rule_properties(parse_rule("facts.yaml", RULE_YAML)) == PROPERTIES


def test_a_rule_without_an_override_sends_none() -> None:
    lines = [line for line in RULE_YAML.splitlines() if "alertDetailsOverride" not in line]
    assert "alertDetailsOverride" not in rule_properties(parse_rule("facts.yaml", "\n".join(lines)))


def test_microsofts_client_understands_all_of_it_but_the_techniques() -> None:
    body = {**RULE.envelope, "etag": '"e"', "properties": PROPERTIES}
    client_model: Any = ScheduledAlertRule  # its methods are untyped
    rule = client_model.deserialize(body)
    without_techniques = {name: value for name, value in PROPERTIES.items() if name != "techniques"}
    assert rule.serialize() == {**body, "properties": without_techniques}


def test_the_services_own_spelling_is_no_change() -> None:
    answer = {
        **PROPERTIES,
        "alertRuleTemplateName": None,
        "templateVersion": None,
        "lastModifiedUtc": "2026-11-23T12:00:00Z",
        "queryPeriod": "PT47H",
        "severity": "medium",
        "tactics": ["Persistence", "InitialAccess"],
        "subTechniques": [],
        "alertDetailsOverride": {
            **PROPERTIES["alertDetailsOverride"],
            "alertTacticsColumnName": None,
            "alertDynamicProperties": [],
        },
    }
    assert RULE.digest(answer) == RULE.digest(PROPERTIES)
    assert RULE.digest({**answer, "enabled": False}) != RULE.digest(PROPERTIES)


def test_a_function_becomes_a_saved_search_under_its_alias() -> None:
    function = KqlFunction(alias="Facts", version="1.0.0", description="Facts.", query="Facts_CL")
    properties = {
        "category": "apiward",
        "displayName": "Facts",
        "query": "Facts_CL",
        "functionAlias": "Facts",
        "version": 2,
    }
    assert function_properties(function) == properties
    answer = {name: value for name, value in properties.items() if name != "version"} | {"functionParameters": ""}
    assert FUNCTION.digest(answer) == FUNCTION.digest(properties)


def test_a_function_with_parameters_sends_them() -> None:
    function = KqlFunction(alias="Some", version="1.0.0", description="Some.", query="Facts_CL", parameters="N:long")
    assert function_properties(function)["functionParameters"] == "N:long"


def test_our_rules_are_known_by_their_ids_in_lower_case() -> None:
    names = {item.name for item in content_items() if item.kind is RULE}
    assert rule_ids(WORKSPACE) == {
        f"{WORKSPACE.key}/providers/microsoft.securityinsights/alertrules/{name}" for name in names
    }
    assert names

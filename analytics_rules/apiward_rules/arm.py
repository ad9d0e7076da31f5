"""Rules and functions as the resources that Azure Resource Manager takes.

Rules speak SecurityInsights 2024-03-01, the first GA version with `techniques`: azure-mgmt-securityinsight 1.0.0 speaks
2021-10-01 unless it is told, and its model has no such field (sentinel.py adds it). `alertRuleTemplateName` and
`templateVersion` are left out, as they refer to a template that the workspace would have to have. Functions are saved
searches with an alias (OperationalInsights 2023-09-01).
"""

from typing import Any

from apiward_core.content import Json, Kind
from apiward_rules.durations import iso
from apiward_rules.functions import KqlFunction
from apiward_rules.model import AlertDetailsOverride, AnalyticsRule, EntityMapping, Grouping

RULE = Kind(
    name="analytics rule",
    collection="{workspace}/providers/Microsoft.SecurityInsights/alertRules",
    api_version="2024-03-01",
    envelope={"kind": "Scheduled"},
    service_owned=frozenset({"lastModifiedUtc"}),
    enums=frozenset(
        {
            "severity",
            "triggerOperator",
            "aggregationKind",
            "entityType",
            "matchingMethod",
            "tactics",
            "groupByEntities",
            "groupByAlertDetails",
        }
    ),
    durations=frozenset({"queryFrequency", "queryPeriod", "suppressionDuration", "lookbackDuration"}),
    defaults={"aggregationKind": "singlealert", "suppressionEnabled": False},
)

FUNCTION = Kind(
    name="function",
    collection="{workspace}/savedSearches",
    api_version="2023-09-01",
    defaults={"version": 2},  # of the query language; 2 is the only one today
)

_CATEGORY = "apiward"


def rule_properties(rule: AnalyticsRule) -> Json:
    """The `properties` of the rule's resource."""
    override = rule.alert_details_override
    return {
        "displayName": rule.name,
        "description": rule.description,
        "severity": rule.severity,
        "enabled": True,
        "query": rule.query,
        "queryFrequency": iso(rule.query_frequency),
        "queryPeriod": iso(rule.query_period),
        "triggerOperator": rule.trigger_operator,
        "triggerThreshold": rule.trigger_threshold,
        "suppressionDuration": iso(rule.suppression_duration),
        "suppressionEnabled": rule.suppression_enabled,
        "tactics": list(rule.tactics),
        "techniques": _techniques(rule),
        "eventGroupingSettings": {"aggregationKind": rule.event_grouping_settings.aggregation_kind},
        "customDetails": dict(rule.custom_details),
        "entityMappings": [_entity(mapping) for mapping in rule.entity_mappings],
        **({"alertDetailsOverride": _override(override)} if override else {}),
        "incidentConfiguration": {
            "createIncident": rule.incident_configuration.create_incident,
            "groupingConfiguration": _grouping(rule.incident_configuration.grouping_configuration),
        },
    }


def function_properties(function: KqlFunction) -> Json:
    """The `properties` of the function's saved search."""
    return {
        "category": _CATEGORY,
        "displayName": function.alias,
        "query": function.query,
        "functionAlias": function.alias,
        **({"functionParameters": function.parameters} if function.parameters else {}),
        "version": 2,
    }


def _techniques(rule: AnalyticsRule) -> list[str]:
    # The service refuses T1098.003 here ("The expected format is 'T####'", Azure-Sentinel issue 8960).
    return list(dict.fromkeys(technique.partition(".")[0] for technique in rule.relevant_techniques))


def _entity(mapping: EntityMapping) -> Json:
    return mapping.model_dump(by_alias=True, mode="json")


def _override(override: AlertDetailsOverride) -> Json:
    return override.model_dump(by_alias=True, exclude_none=True)


def _grouping(grouping: Grouping) -> Json:
    body: dict[str, Any] = grouping.model_dump(by_alias=True, mode="json")
    return {**body, "lookbackDuration": iso(grouping.lookback_duration)}

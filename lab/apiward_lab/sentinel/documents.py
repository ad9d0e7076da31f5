"""How Sentinel's things look over HTTP."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.timespans import format_datetime, format_timespan
from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.sentinel.alert_rules import AlertRule
from apiward_lab.sentinel.alerts import Alert
from apiward_lab.sentinel.incidents import Comment, Incident, Relation

PROVIDER = "Microsoft.SecurityInsights"
PRODUCT = "Azure Sentinel"
_PORTAL = "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident"
_OWNER = ("objectId", "email", "userPrincipalName", "assignedTo")


def resource_id(workspace: Workspace, *path: str) -> str:
    """The ARM id of a thing in Sentinel, such as ("incidents", name)."""
    return "/".join((f"{workspace.resource_id}/providers/{PROVIDER}", *path))


def rule_body(workspace: Workspace, rule: AlertRule) -> dict[str, Any]:
    """An alert rule."""
    override = rule.properties.get("alertDetailsOverride")
    keys = ("alertDisplayNameFormat", "alertDescriptionFormat", "alertTacticsColumnName", "alertSeverityColumnName")
    properties = {"alertRuleTemplateName": None, **rule.properties, "lastModifiedUtc": format_datetime(rule.modified)}
    if override:
        properties["alertDetailsOverride"] = {**dict.fromkeys(keys), **override}
    return {
        "id": resource_id(workspace, "alertRules", rule.name),
        "name": rule.name,
        "type": f"{PROVIDER}/alertRules",
        "kind": "Scheduled",
        "etag": rule.etag,
        "properties": properties,
    }


def incident_body(workspace: Workspace, incident: Incident, api_version: str) -> dict[str, Any]:
    """An incident, as that api-version shows it."""
    newer = {"providerName": PRODUCT, "providerIncidentId": str(incident.number)} if api_version >= "2022" else {}
    properties = {
        "title": incident.title,
        "description": incident.description,
        "severity": incident.severity,
        "status": incident.status,
        "classification": incident.classification,
        "classificationComment": incident.classification_comment,
        "classificationReason": incident.classification_reason,
        "owner": {key: incident.owner.get(key) for key in _OWNER},
        "labels": list(incident.labels),
        "firstActivityTimeUtc": _time(incident.first_activity),
        "lastActivityTimeUtc": _time(incident.last_activity),
        "lastModifiedTimeUtc": _time(incident.modified),
        "createdTimeUtc": _time(incident.created),
        "incidentNumber": incident.number,
        "additionalData": additional_data(incident),
        "relatedAnalyticRuleIds": [resource_id(workspace, "alertRules", rule) for rule in incident.rules],
        "incidentUrl": incident_url(workspace, incident),
        **newer,
    }
    return {
        "id": resource_id(workspace, "incidents", incident.name),
        "name": incident.name,
        "type": f"{PROVIDER}/incidents",
        "etag": incident.etag,
        "properties": {key: value for key, value in properties.items() if value is not None},
    }


def additional_data(incident: Incident) -> dict[str, Any]:
    """What an incident counts."""
    return {
        "alertsCount": len(incident.alerts),
        "bookmarksCount": 0,
        "commentsCount": len(incident.comments),
        "alertProductNames": [PRODUCT] if incident.alerts else [],
        "tactics": incident.tactics,
    }


def incident_url(workspace: Workspace, incident: Incident) -> str:
    """The incident in the Azure portal."""
    return _PORTAL + resource_id(workspace, "incidents", incident.name)


def comment_body(workspace: Workspace, incident: Incident, comment: Comment) -> dict[str, Any]:
    """A comment."""
    return {
        "id": resource_id(workspace, "incidents", incident.name, "comments", comment.name),
        "name": comment.name,
        "type": f"{PROVIDER}/incidents/comments",
        "etag": comment.etag,
        "properties": {
            "message": comment.message,
            "createdTimeUtc": _time(comment.created),
            "lastModifiedTimeUtc": _time(comment.modified),
            "author": dict(comment.author),
        },
    }


def relation_body(workspace: Workspace, incident: Incident, relation: Relation) -> dict[str, Any]:
    """A relation."""
    related_type = "/".join(relation.related_id.split("/providers/")[-1].split("/")[:2])
    return {
        "id": resource_id(workspace, "incidents", incident.name, "relations", relation.name),
        "name": relation.name,
        "type": f"{PROVIDER}/incidents/relations",
        "etag": relation.etag,
        "properties": {
            "relatedResourceId": relation.related_id,
            "relatedResourceName": relation.related_id.rsplit("/", 1)[-1],
            "relatedResourceType": related_type,
        },
    }


def alert_relations(workspace: Workspace, incident: Incident) -> list[Relation]:
    """The relations that its alerts are."""
    return [
        Relation(f"{incident.name}_{alert.id}", resource_id(workspace, "Entities", alert.id), incident.etag)
        for alert in incident.alerts
    ]


def alert_body(workspace: Workspace, alert: Alert) -> dict[str, Any]:
    """An alert, as an incident lists it: an entity of kind SecurityAlert."""
    return {
        "id": resource_id(workspace, "Entities", alert.id),
        "name": alert.id,
        "type": f"{PROVIDER}/Entities",
        "kind": "SecurityAlert",
        "properties": {
            "systemAlertId": alert.id,
            "providerAlertId": alert.id,
            "alertDisplayName": alert.name,
            "description": alert.description,
            "severity": alert.severity,
            "confidenceLevel": "Unknown",
            "vendorName": "Microsoft",
            "productName": PRODUCT,
            "productComponentName": "Scheduled Alerts",
            "alertType": f"{workspace.customer_id}_{alert.rule}",
            "status": "New",
            "tactics": list(alert.tactics),
            "startTimeUtc": _time(alert.start),
            "endTimeUtc": _time(alert.end),
            "processingEndTime": _time(alert.raised),
            "timeGenerated": _time(alert.raised),
            "resourceIdentifiers": [_identifier(workspace)],
            "additionalData": extended_properties(workspace, alert),
            "friendlyName": alert.name,
        },
    }


def _identifier(workspace: Workspace) -> dict[str, str]:
    return {
        "type": "LogAnalytics",
        "workspaceId": workspace.customer_id,
        "subscriptionId": workspace.subscription_id,
        "resourceGroup": workspace.group,
    }


def extended_properties(workspace: Workspace, alert: Alert) -> dict[str, str]:
    """What an alert says of the run that raised it; every value is text, some of it JSON."""
    start, end = alert.window.start or alert.raised, alert.window.end or alert.raised
    rule = alert.rule_properties
    properties = {
        "Query": f"set query_now = datetime({format_datetime(end)});\n{rule['query']}",
        "OriginalQuery": rule["query"],
        "Query Period": format_timespan(end - start),
        "Query Start Time UTC": f"{start:%Y-%m-%d %H:%M:%S}Z",
        "Query End Time UTC": f"{end:%Y-%m-%d %H:%M:%S}Z",
        "Trigger Operator": rule["triggerOperator"],
        "Trigger Threshold": str(rule["triggerThreshold"]),
        "Analytic Rule Ids": json.dumps([alert.rule]),
        "Analytic Rule Name": rule["displayName"],
        "Event Grouping": (rule.get("eventGroupingSettings") or {}).get("aggregationKind", "SingleAlert"),
        "Search Query Results Overall Count": str(alert.results),
        "Data Sources": json.dumps([workspace.name]),
        "Correlation Id": alert.id,
        "ProcessedBySentinel": "True",
        "Alert generation status": "Full alert created",
    }
    if alert.custom_details:
        properties["Custom Details"] = json.dumps({k: list(v) for k, v in alert.custom_details.items()})
    return properties


def entities_body(workspace: Workspace, alerts: Iterable[Alert]) -> dict[str, Any]:
    """The distinct entities of some alerts, and how many there are of each kind."""
    distinct = {entity.identity: entity for alert in alerts for entity in alert.entities}
    kinds = [entity.kind for entity in distinct.values()]
    return {
        "entities": [entity.resource(workspace.resource_id) for entity in distinct.values()],
        "metaData": [{"entityKind": kind, "count": kinds.count(kind)} for kind in dict.fromkeys(kinds)],
    }


def author_of(object_id: str, client_id: str) -> Mapping[str, Any]:
    """Who commented, from the token."""
    return {"objectId": object_id, "email": None, "userPrincipalName": None, "name": client_id}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)

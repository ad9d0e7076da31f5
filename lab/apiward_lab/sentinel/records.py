"""The rows that Sentinel writes into SecurityAlert and SecurityIncident (Azure Monitor table reference)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.sentinel.alerts import Alert
from apiward_lab.sentinel.documents import PRODUCT, additional_data, extended_properties, incident_url
from apiward_lab.sentinel.incidents import Incident


def alert_row(workspace: Workspace, alert: Alert) -> dict[str, Any]:
    """One row of SecurityAlert."""
    return {
        "TimeGenerated": _time(alert.raised),
        "StartTime": _time(alert.start),
        "EndTime": _time(alert.end),
        "ProcessingEndTime": _time(alert.raised),
        "DisplayName": alert.name,
        "AlertName": alert.name,
        "AlertSeverity": alert.severity,
        "Description": alert.description,
        "ProviderName": "ASI Scheduled Alerts",
        "VendorName": "Microsoft",
        "VendorOriginalId": alert.id,
        "SystemAlertId": alert.id,
        "AlertType": f"{workspace.customer_id}_{alert.rule}",
        "ExtendedProperties": json.dumps(extended_properties(workspace, alert)),
        "Entities": json.dumps([entity.in_alert(number) for number, entity in enumerate(alert.entities, start=2)]),
        "SourceSystem": "Detection",
        "WorkspaceSubscriptionId": workspace.subscription_id,
        "WorkspaceResourceGroup": workspace.group,
        "ProductName": PRODUCT,
        "ProductComponentName": "Scheduled Alerts",
        "Status": "New",
        "Tactics": ", ".join(alert.tactics),
        "Techniques": json.dumps(list(alert.techniques)) if alert.techniques else "",
        "IsIncident": False,
    }


def incident_row(workspace: Workspace, incident: Incident, modified_by: str) -> dict[str, Any]:
    """One row of SecurityIncident: the incident as it is after a change."""
    return {
        **_times(incident),
        "IncidentName": incident.name,
        "Title": incident.title,
        "Description": incident.description,
        "Severity": incident.severity,
        "Status": incident.status,
        "Classification": incident.classification or "",
        "ClassificationComment": incident.classification_comment or "",
        "ClassificationReason": incident.classification_reason or "",
        "Owner": dict(incident.owner),
        "ProviderName": PRODUCT,
        "ProviderIncidentId": str(incident.number),
        "IncidentNumber": incident.number,
        "RelatedAnalyticRuleIds": list(incident.rules),
        "AlertIds": [alert.id for alert in incident.alerts],
        "BookmarkIds": [],
        "Comments": [_comment(comment.message, comment.author) for comment in incident.comments],
        "Tasks": [],
        "Labels": [dict(label) for label in incident.labels],
        "IncidentUrl": incident_url(workspace, incident),
        "AdditionalData": additional_data(incident),
        "ModifiedBy": modified_by,
        "SourceSystem": "Azure",
    }


def _times(incident: Incident) -> dict[str, str | None]:
    return {
        "TimeGenerated": _time(incident.modified),
        "FirstActivityTime": _time(incident.first_activity),
        "LastActivityTime": _time(incident.last_activity),
        "FirstModifiedTime": _time(incident.created),
        "LastModifiedTime": _time(incident.modified),
        "CreatedTime": _time(incident.created),
        "ClosedTime": _time(incident.closed),
    }


def _comment(message: str, author: Mapping[str, Any]) -> dict[str, Any]:
    return {"message": message, "author": dict(author)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat()

"""Which incident an alert belongs to (AlertRules 2021-10-01, IncidentConfiguration)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.timespans import parse_duration
from apiward_lab.sentinel.alert_rules import AlertRule
from apiward_lab.sentinel.alerts import Alert
from apiward_lab.sentinel.incidents import MAX_ALERTS, Incident


def creates_incidents(rule: AlertRule) -> bool:
    """Whether the rule's alerts become incidents; they do unless it says otherwise."""
    return bool(rule.part("incidentConfiguration").get("createIncident", True))


def incident_for(alert: Alert, rule: AlertRule, incidents: Iterable[Incident], now: datetime) -> Incident | None:
    """The incident that the alert joins, the latest first; None when it opens one of its own."""
    grouping = rule.part("incidentConfiguration").get("groupingConfiguration") or {}
    if not grouping.get("enabled"):
        return None
    earliest = now - parse_duration(grouping["lookbackDuration"])
    candidates = [
        incident
        for incident in incidents
        if incident.alerts
        and incident.rules == (rule.name,)
        and incident.created >= earliest
        and len(incident.alerts) < MAX_ALERTS
        and (incident.status != "Closed" or grouping["reopenClosedIncident"])
        and _matches(alert, incident.alerts[0], grouping)
    ]
    return max(candidates, key=lambda incident: incident.number, default=None)


def _matches(alert: Alert, other: Alert, grouping: Mapping[str, Any]) -> bool:
    if grouping["matchingMethod"] == "AnyAlert":
        return True
    if grouping["matchingMethod"] == "AllEntities":
        return bool(alert.entities) and _entities(alert) == _entities(other)
    return _selected(alert, grouping) == _selected(other, grouping)


def _entities(alert: Alert, kinds: Iterable[str] | None = None) -> frozenset[str]:
    chosen = None if kinds is None else {kind.lower() for kind in kinds}
    return frozenset(e.identity for e in alert.entities if chosen is None or e.type.lower() in chosen)


def _selected(alert: Alert, grouping: Mapping[str, Any]) -> tuple[object, ...]:
    details = {"DisplayName": alert.name, "Severity": alert.severity}
    return (
        _entities(alert, grouping.get("groupByEntities") or ()),
        tuple(details.get(name) for name in grouping.get("groupByAlertDetails") or ()),
        tuple(tuple(alert.custom_details.get(key, ())) for key in grouping.get("groupByCustomDetails") or ()),
    )

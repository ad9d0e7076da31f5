"""Our incidents in Microsoft Sentinel: found by rule id, commented once per id, changed by merging.

Source: Microsoft.SecurityInsights 2021-10-01 (Incidents, IncidentComments): the etag travels in the body, a stale one
is answered with 409, PUT replaces everything that is not read-only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import Incident, IncidentComment, SecurityAlert

from apiward_core.arm_id import ArmId
from apiward_core.clock import parse_timestamp
from apiward_core.errors import ConflictError, azure_errors
from apiward_playbooks.findings import AlertGroup

SIGNATURE = "apiward run"
_MAX_COMMENT = 30_000
_OUR_COMMENTS = 20
_ATTEMPTS = 5
_DETAILS = {"RecommendationKey", "ServiceId", "WindowStart", "WindowEnd"}


@dataclass(frozen=True)
class Classification:
    """How an incident that closes by itself is classified."""

    classification: str = "TruePositive"
    reason: str = "SuspiciousActivity"


@dataclass(frozen=True)
class IncidentSummary:
    """One incident as a list shows it; `name` is its resource name."""

    name: str
    number: int
    title: str
    severity: str
    status: str


class Incidents:
    """The incidents that our analytics rules raised in one workspace. `rule_ids` are our rules' ARM ids."""

    def __init__(self, client: SecurityInsights, *, workspace: ArmId, rule_ids: Iterable[str]) -> None:
        self._client = client
        self._group = workspace.resource_group
        self._workspace = workspace.name
        self._rules = {_last(rule) for rule in rule_ids}

    def open(self) -> list[IncidentSummary]:
        """Our incidents that are not closed, by number."""
        return sorted(self._ours(filter="properties/status ne 'Closed'"), key=lambda incident: incident.number)

    def all(self) -> list[IncidentSummary]:
        """Our incidents by number."""
        return sorted(self._ours(filter=None), key=lambda incident: incident.number)

    def get(self, name: str) -> IncidentSummary:
        """One incident by its resource name. Raises MissingError when there is none."""
        return _summary(self._read(name))

    def groups(self, name: str) -> list[AlertGroup] | None:
        """What the incident's alerts stand for; None when one of them is not ours."""
        with azure_errors(f"reading the alerts of incident {name}"):
            alerts = self._client.incidents.list_alerts(self._group, self._workspace, name).value or []
        groups = [self._group_of(alert) for alert in alerts]
        return None if None in groups else [group for group in groups if group]

    def comment(self, name: str, comment_id: str, message: str) -> bool:
        """Add a comment unless its id is there already or ours have reached 20. Returns whether it is there now."""
        with azure_errors(f"reading the comments of incident {name}"):
            comments: list[Any] = list(self._client.incident_comments.list(self._group, self._workspace, name))
        if any(comment.name == comment_id for comment in comments):
            return True
        if sum(SIGNATURE in (comment.message or "") for comment in comments) >= _OUR_COMMENTS:
            return False
        body = IncidentComment(message=message[:_MAX_COMMENT])
        with azure_errors(f"commenting on incident {name}"):
            self._client.incident_comments.create_or_update(self._group, self._workspace, name, comment_id, body)
        return True

    def close(self, name: str, classification: Classification, why: str) -> None:
        """Close an incident, keeping every other field as it is at that moment."""

        def closed(incident: Incident) -> None:
            incident.status = "Closed"
            incident.classification = classification.classification
            incident.classification_reason = classification.reason
            incident.classification_comment = why

        self._merge(name, closed)

    def _merge(self, name: str, change: Callable[[Incident], None]) -> None:
        for _ in range(_ATTEMPTS):
            incident = self._read(name)
            if incident.status == "Closed":
                return
            change(incident)
            try:
                with azure_errors(f"updating incident {name}"):
                    self._client.incidents.create_or_update(self._group, self._workspace, name, incident)
            except ConflictError:
                continue
            return
        raise ConflictError(f"Incident {name} keeps changing.", remedy="Try again.")

    def _read(self, name: str) -> Incident:
        with azure_errors(f"reading incident {name}"):
            incident: Incident = self._client.incidents.get(self._group, self._workspace, name)
        return incident

    def _ours(self, *, filter: str | None) -> Iterator[IncidentSummary]:  # noqa: A002 - OData's own name for it
        order = "properties/createdTimeUtc asc"
        with azure_errors(f"listing the incidents of {self._workspace}"):
            incidents: Iterable[Any] = self._client.incidents.list(self._group, self._workspace, filter, order)
            for incident in incidents:
                if {_last(rule) for rule in incident.related_analytic_rule_ids or []} & self._rules:
                    yield _summary(incident)

    def _group_of(self, alert: Any) -> AlertGroup | None:
        if not isinstance(alert, SecurityAlert):
            return None
        extended: Any = alert.additional_data
        data: Mapping[str, Any] = extended or {}
        rules = {_last(rule) for rule in _json(data.get("Analytic Rule Ids"), [])}
        details = {key: values[0] for key, values in _json(data.get("Custom Details"), {}).items() if values}
        if not rules or not rules <= self._rules or not details.keys() >= _DETAILS:
            return None
        return AlertGroup(
            recommendation_key=details["RecommendationKey"],
            service_id=details["ServiceId"],
            start=parse_timestamp(details["WindowStart"]),
            end=parse_timestamp(details["WindowEnd"]),
        )


def _summary(incident: Any) -> IncidentSummary:
    return IncidentSummary(
        incident.name, incident.incident_number, incident.title, str(incident.severity), str(incident.status)
    )


def _last(resource_id: str) -> str:
    return resource_id.rpartition("/")[2].lower()


def _json(text: Any, default: Any) -> Any:
    return orjson.loads(text) if text else default

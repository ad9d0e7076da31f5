"""Our incidents in Microsoft Sentinel: found by rule id, commented once per id, changed by merging.

Source: Microsoft.SecurityInsights 2021-10-01 (Incidents, IncidentComments): the etag travels in the body, a stale one
is answered with 409, PUT replaces everything that is not read-only.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import Incident, IncidentComment, SecurityAlert

from apiward_core.arm_id import ArmId
from apiward_core.clock import parse_timestamp
from apiward_core.errors import ConflictError, MissingError, azure_errors
from apiward_playbooks.findings import AlertGroup

SIGNATURE = "apiward run"
_OUR_COMMENTS = 20
_ATTEMPTS = 5


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

    def numbered(self, number: int) -> IncidentSummary:
        """The incident of ours with that number. Raises MissingError when there is none."""
        for incident in self._ours(filter=f"properties/incidentNumber eq {number:d}"):
            return incident
        raise MissingError(f"Our rules raised no incident {number}.", remedy="See apiward incidents list.")

    def comment(self, name: str, comment_id: str, message: str, *, always: bool = False) -> bool:
        """Add a comment unless its id is there already, or ours have reached 20 and it is not one that goes `always`.

        Returns whether it is there now.
        """
        with azure_errors(f"reading the comments of incident {name}"):
            comments: list[Any] = list(self._client.incident_comments.list(self._group, self._workspace, name))
        if any(comment.name == comment_id for comment in comments):
            return True
        ours = sum(SIGNATURE in (comment.message or "") for comment in comments)
        if ours >= _OUR_COMMENTS and not always:
            return False
        body = IncidentComment(message=message)
        with azure_errors(f"commenting on incident {name}"):
            self._client.incident_comments.create_or_update(self._group, self._workspace, name, comment_id, body)
        return True

    def close(
        self, name: str, classification: Classification, why: str, *, may_close: Callable[[], bool] = lambda: True
    ) -> bool:
        """Close an incident, keeping what analysts changed meanwhile. Returns whether it is closed.

        `may_close` is asked after each read: the write is refused when the incident changed after that, for instance
        because another alert joined it, and then it is read and asked again. Raises ConflictError after five times.
        """
        for _ in range(_ATTEMPTS):
            incident = self._read(name)
            if incident.status == "Closed":
                return True
            if not may_close():
                return False
            incident.status = "Closed"
            incident.classification = classification.classification
            incident.classification_reason = classification.reason
            incident.classification_comment = why
            try:
                with azure_errors(f"closing incident {name}"):
                    self._client.incidents.create_or_update(self._group, self._workspace, name, incident)
            except ConflictError:
                continue
            return True
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
        try:
            rules = {_last(rule) for rule in orjson.loads(extended["Analytic Rule Ids"])}
            if not rules or not rules <= self._rules:
                return None
            details = {name: values[0] for name, values in orjson.loads(extended["Custom Details"]).items() if values}
            return AlertGroup(
                recommendation_key=details["RecommendationKey"],
                service_id=details["ServiceId"],
                start=parse_timestamp(details["WindowStart"]),
                end=parse_timestamp(details["WindowEnd"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):  # whatever it is, it is not as our rules make them
            return None


def _summary(incident: Any) -> IncidentSummary:
    return IncidentSummary(
        incident.name, incident.incident_number, incident.title, str(incident.severity), str(incident.status)
    )


def _last(resource_id: str) -> str:
    return resource_id.rpartition("/")[2].lower()

"""Incidents: their state and the changes that callers may make (Incidents 2021-10-01 and 2024-03-01)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.columns import parse_datetime
from apiward_lab.sentinel.alerts import Alert
from apiward_lab.sentinel.vocabulary import REASONS, SEVERITIES, STATUSES
from apiward_lab.web import Problem

MAX_ALERTS = 150
MAX_COMMENTS = 100
MAX_COMMENT_LENGTH = 30_000
MAX_DESCRIPTION_LENGTH = 5_000
"""Microsoft Sentinel service limits, incidents."""


@dataclass(frozen=True)
class Comment:
    """A comment on an incident."""

    name: str
    message: str
    author: Mapping[str, Any]
    created: datetime
    modified: datetime
    etag: str


@dataclass(frozen=True)
class Relation:
    """A link from an incident to another resource."""

    name: str
    related_id: str
    etag: str


@dataclass(frozen=True)
class Incident:
    """One incident."""

    name: str
    number: int
    title: str
    severity: str
    status: str
    created: datetime
    modified: datetime
    etag: str
    description: str = ""
    classification: str | None = None
    classification_comment: str | None = None
    classification_reason: str | None = None
    owner: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[Mapping[str, Any], ...] = ()
    first_activity: datetime | None = None
    last_activity: datetime | None = None
    closed: datetime | None = None
    rules: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()
    comments: tuple[Comment, ...] = ()
    relations: tuple[Relation, ...] = ()

    @property
    def tactics(self) -> list[str]:
        """The tactics of its alerts, each once."""
        return list(dict.fromkeys(tactic for alert in self.alerts for tactic in alert.tactics))

    def changed(self, now: datetime, **changes: Any) -> "Incident":
        """The incident after a change, with a new etag."""
        return replace(self, modified=now, etag=new_etag(), **changes)

    def with_alert(self, alert: Alert, now: datetime) -> "Incident":
        """The incident with one more alert; a closed one is open again."""
        reopened = {"status": "New", "closed": None, "classification": None, "classification_reason": None,
                    "classification_comment": None}  # fmt: skip
        return self.changed(
            now,
            alerts=(*self.alerts, alert),
            rules=tuple(dict.fromkeys((*self.rules, alert.rule))),
            first_activity=min(filter(None, (self.first_activity, alert.start))),
            last_activity=max(filter(None, (self.last_activity, alert.end))),
            **(reopened if self.status == "Closed" else {}),
        )


def from_alert(alert: Alert, number: int, now: datetime) -> Incident:
    """The incident that an alert opens."""
    incident = Incident(str(uuid.uuid4()), number, alert.name, alert.severity, "New", now, now, new_etag())
    return replace(incident, description=alert.description).with_alert(alert, now)


def new_etag() -> str:
    """An etag as the service quotes it."""
    return f'"{uuid.uuid4()}"'


def put_incident(
    name: str, body: Any, existing: Incident | None, *, number: int, now: datetime, resource_id: str
) -> Incident:
    """The incident after a PUT, which replaces everything that a caller may set.

    Raises Problem 409 when the body's etag is not the current one, 400 when a property is absent or wrong.
    """
    check_etag(body, existing.etag if existing else None, resource_id)
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise _bad("'properties' is required")
    _check(properties)
    base = existing or Incident(name, number, "", "", "", now, now, "")
    is_closed = properties["status"] == "Closed"
    return base.changed(
        now,
        title=properties["title"],
        severity=properties["severity"],
        status=properties["status"],
        description=properties.get("description") or "",
        classification=properties.get("classification") if is_closed else None,
        classification_comment=properties.get("classificationComment") if is_closed else None,
        classification_reason=properties.get("classificationReason") if is_closed else None,
        owner=dict(properties.get("owner") or {}),
        labels=tuple({"labelType": "User", **label} for label in properties.get("labels") or ()),
        first_activity=_moment(properties.get("firstActivityTimeUtc")) or base.first_activity,
        last_activity=_moment(properties.get("lastActivityTimeUtc")) or base.last_activity,
        closed=(base.closed or now) if is_closed else None,
    )


def check_etag(body: Any, current: str | None, resource_id: str) -> None:
    """Raise Problem 409 when the body names an etag that is not the current one; none at all is accepted."""
    given = body.get("etag") if isinstance(body, dict) else None
    if current is not None and given and given.strip('"') not in {current.strip('"'), "*"}:
        raise Problem(409, "Conflict", f"Newer version of resource '{resource_id}' exists. Data was not saved.")


def _check(properties: Mapping[str, Any]) -> None:
    for key in ("title", "severity", "status"):
        if not properties.get(key):
            raise _bad(f"'{key}' is required")
    for key, allowed in (("severity", SEVERITIES), ("status", STATUSES)):
        if properties[key] not in allowed:
            raise _bad(f"'{key}' must be one of {', '.join(allowed)}, not '{properties[key]}'")
    if len(properties.get("description") or "") > MAX_DESCRIPTION_LENGTH:
        raise _bad(f"'description' must have at most {MAX_DESCRIPTION_LENGTH} characters")
    if any(not label.get("labelName") for label in properties.get("labels") or ()):
        raise _bad("'labels' holds one without labelName")
    if properties["status"] == "Closed":
        _check_classification(properties)


def _check_classification(properties: Mapping[str, Any]) -> None:
    classification, reason = properties.get("classification"), properties.get("classificationReason")
    if classification not in REASONS:
        raise _bad(f"'classification' is required to close an incident and must be one of {', '.join(REASONS)}")
    if reason and reason not in REASONS[classification]:
        raise _bad(f"'classificationReason' '{reason}' does not go with classification '{classification}'")


def _moment(value: Any) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None


def _bad(fault: str) -> Problem:
    return Problem(400, "BadRequest", f"Invalid incident: {fault}.")


def put_comment(
    incident: Incident, name: str, body: Any, author: Mapping[str, Any], now: datetime, resource_id: str
) -> tuple[Incident, bool]:
    """The incident with the comment, and whether the comment is new. The same message again changes nothing.

    Raises Problem 400 for an empty or too long message and for a comment too many, 409 for a stale etag.
    """
    message = (body.get("properties") or {}).get("message") if isinstance(body, dict) else None
    if not isinstance(message, str) or not message or len(message) > MAX_COMMENT_LENGTH:
        raise Problem(400, "BadRequest", f"A comment needs a 'message' of 1 to {MAX_COMMENT_LENGTH} characters.")
    existing = next((comment for comment in incident.comments if comment.name == name), None)
    if existing:
        check_etag(body, existing.etag, resource_id)
        if existing.message == message:
            return incident, False
        edited = replace(existing, message=message, modified=now, etag=new_etag())
        kept = tuple(edited if comment.name == name else comment for comment in incident.comments)
        return incident.changed(now, comments=kept), False
    if len(incident.comments) >= MAX_COMMENTS:
        raise Problem(400, "BadRequest", f"Incident '{incident.name}' has {MAX_COMMENTS} comments, which is the limit.")
    comment = Comment(name, message, author, now, now, new_etag())
    return incident.changed(now, comments=(*incident.comments, comment)), True

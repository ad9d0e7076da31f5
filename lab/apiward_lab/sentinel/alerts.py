"""Alerts: what a run of a rule makes of the rows that its query returned."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.columns import parse_datetime
from apiward_lab.loganalytics.timespans import Window
from apiward_lab.sentinel.alert_rules import AlertRule, fill
from apiward_lab.sentinel.entities import Entity, entities_of
from apiward_lab.sentinel.vocabulary import SEVERITIES, TACTICS

MAX_ALERTS = 150
"""Of one run; the last one stands for all rows that are left (Microsoft Sentinel service limits)."""

MAX_DETAILS_BYTES = 2_048
_MAX_NAME_BYTES = 256
_MAX_DESCRIPTION_BYTES = 5_000

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Alert:
    """One alert of a scheduled rule."""

    id: str
    rule: str
    name: str
    description: str
    severity: str
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    entities: tuple[Entity, ...]
    custom_details: Mapping[str, Sequence[str]]
    start: datetime
    end: datetime
    raised: datetime
    rule_properties: Mapping[str, Any]
    window: Window
    results: int


def make_alerts(rule: AlertRule, rows: Sequence[Row], window: Window, now: datetime) -> list[Alert]:
    """The alerts of one run, in the order of the rows."""
    if not rule.per_result:
        return [_alert(rule, rows, window, now)]
    groups: list[Sequence[Row]] = [[row] for row in rows]
    if len(groups) > MAX_ALERTS:
        groups = [*groups[: MAX_ALERTS - 1], rows[MAX_ALERTS - 1 :]]
    return [_alert(rule, group, window, now) for group in groups]


def _alert(rule: AlertRule, rows: Sequence[Row], window: Window, now: datetime) -> Alert:
    first = rows[0] if rows else {}
    override, properties = rule.part("alertDetailsOverride"), rule.properties
    times = [moment for row in rows if (moment := parse_datetime(str(row.get("TimeGenerated") or "")))]
    return Alert(
        id=str(uuid.uuid4()),
        rule=rule.name,
        name=_cut(fill(override.get("alertDisplayNameFormat") or properties["displayName"], first), _MAX_NAME_BYTES),
        description=_cut(
            fill(override.get("alertDescriptionFormat") or properties.get("description") or "", first),
            _MAX_DESCRIPTION_BYTES,
        ),
        severity=_one_of(first.get(override.get("alertSeverityColumnName") or ""), SEVERITIES, properties["severity"]),
        tactics=_tactics(first.get(override.get("alertTacticsColumnName") or ""), properties.get("tactics") or ()),
        techniques=tuple(properties.get("techniques") or ()),
        entities=entities_of(properties.get("entityMappings") or (), rows),
        custom_details=custom_details(properties.get("customDetails") or {}, rows),
        start=min(times, default=window.start or now),
        end=max(times, default=window.end or now),
        raised=now,
        rule_properties=properties,
        window=window,
        results=len(rows),
    )


def custom_details(mapping: Mapping[str, str], rows: Sequence[Row]) -> dict[str, list[str]]:
    """The distinct values of each mapped column, as far as they fit into MAX_DETAILS_BYTES together."""
    details: dict[str, list[str]] = {}
    for key, column in mapping.items():
        values = dict.fromkeys(str(row[column]) for row in rows if row.get(column) not in {None, ""})
        for value in values:
            grown = {**details, key: [*details.get(key, ()), value]}
            if len(json.dumps(grown, ensure_ascii=False).encode()) > MAX_DETAILS_BYTES:
                break
            details = grown
    return details


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")


def _one_of(value: Any, allowed: Sequence[str], default: str) -> str:
    return next((word for word in allowed if str(value).lower() == word.lower()), default)


def _tactics(value: Any, default: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(word.strip() for word in str(value or "").strip("[]").replace('"', "").split(","))
    return tuple(word for word in chosen if word in TACTICS) or tuple(default)

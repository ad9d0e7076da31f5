"""Scheduled analytics rules: what one holds and what the service refuses.

AlertRules 2021-10-01 and 2024-03-01; limits of "Service limits for Microsoft Sentinel".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiward_lab.loganalytics.timespans import parse_duration
from apiward_lab.sentinel.entities import REQUIRED
from apiward_lab.sentinel.vocabulary import SEVERITIES, TACTICS
from apiward_lab.web import Problem

MAX_ENABLED = 512
MAX_RULES = 1_024

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_REQUIRED = (
    "displayName", "enabled", "severity", "query", "queryFrequency", "queryPeriod", "triggerOperator",
    "triggerThreshold", "suppressionEnabled", "suppressionDuration",
)  # fmt: skip
_OPERATORS = ("GreaterThan", "LessThan", "Equal", "NotEqual")
_PLACEHOLDER = re.compile(r"{{\s*(\w+)\s*}}")
_CUSTOM_KEY = re.compile(r"[A-Za-z]\w{0,19}")
_TECHNIQUE = re.compile(r"T\d{4}")


@dataclass(frozen=True)
class AlertRule:
    """A stored rule. `properties` is what was put, checked."""

    name: str
    properties: Mapping[str, Any]
    etag: str
    modified: datetime

    @property
    def enabled(self) -> bool:
        """Whether it runs."""
        return bool(self.properties["enabled"])

    @property
    def query(self) -> str:
        """The KQL."""
        return str(self.properties["query"])

    def duration(self, key: str) -> timedelta:
        """One of queryFrequency, queryPeriod, suppressionDuration."""
        return parse_duration(self.properties[key])

    def part(self, key: str) -> Mapping[str, Any]:
        """A nested object of the properties, empty when absent."""
        return self.properties.get(key) or {}

    @property
    def per_result(self) -> bool:
        """Whether every row becomes an alert of its own."""
        return self.part("eventGroupingSettings").get("aggregationKind") == "AlertPerResult"

    def triggers(self, rows: int) -> bool:
        """Whether that many rows raise an alert."""
        threshold = int(self.properties["triggerThreshold"])
        outcomes = {
            "GreaterThan": rows > threshold,
            "LessThan": rows < threshold,
            "Equal": rows == threshold,
            "NotEqual": rows != threshold,
        }
        return outcomes[self.properties["triggerOperator"]]


def check_properties(properties: Any) -> dict[str, Any]:
    """The properties of a Scheduled rule, checked. Raises Problem 400 that names the field."""
    if not isinstance(properties, dict):
        raise _bad("properties", "is required")
    for key in _REQUIRED:
        if properties.get(key) is None:
            raise _bad(key, "is required")
    for key, fault in _faults(properties):
        raise _bad(key, fault)
    return properties


def placeholders(text: str) -> list[str]:
    """The columns that an override format names, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def fill(text: str, row: Mapping[str, Any]) -> str:
    """An override format with the row's values in place of its columns."""
    return _PLACEHOLDER.sub(lambda match: "" if row.get(match[1]) is None else str(row[match[1]]), text)


def _bad(field: str, fault: str) -> Problem:
    return Problem(400, "BadRequest", f"Invalid Properties for alert rule: '{field}' {fault}.")


def _faults(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _scalar_faults(p)
    yield from _schedule_faults(p)
    yield from _mitre_faults(p)
    yield from _entity_faults(p.get("entityMappings") or [])
    yield from _detail_faults(p.get("customDetails") or {}, p.get("alertDetailsOverride") or {})
    yield from _incident_faults(p.get("incidentConfiguration") or {})


def _scalar_faults(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, longest in (("displayName", 256), ("description", 5_000), ("query", 10_000)):
        text = p.get(key)
        if text is not None and not (isinstance(text, str) and len(text) <= longest and (text or key == "description")):
            yield key, f"must be a text of at most {longest} characters"
    for key, allowed in (("severity", SEVERITIES), ("triggerOperator", _OPERATORS)):
        if p[key] not in allowed:
            yield key, f"must be one of {', '.join(allowed)}"
    for key in ("enabled", "suppressionEnabled"):
        if not isinstance(p[key], bool):
            yield key, "must be true or false"
    threshold = p["triggerThreshold"]
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not 0 <= threshold <= 10_000:  # noqa: PLR2004 - the documented range
        yield "triggerThreshold", "must be a whole number from 0 to 10000"
    kind = (p.get("eventGroupingSettings") or {}).get("aggregationKind", "SingleAlert")
    if kind not in {"SingleAlert", "AlertPerResult"}:
        yield "eventGroupingSettings.aggregationKind", "must be SingleAlert or AlertPerResult"


def _schedule_faults(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    spans = {}
    for key in ("queryFrequency", "queryPeriod", "suppressionDuration"):
        try:
            spans[key] = parse_duration(str(p[key]))
        except ValueError as error:
            yield key, f"is invalid: {error}"
            return
    frequency, period, suppression = spans.values()
    for key, span in (("queryFrequency", frequency), ("queryPeriod", period)):
        if not 5 * _MINUTE <= span <= 14 * _DAY:
            yield key, "must be between 5 minutes and 14 days"
    if period < frequency:
        yield "queryPeriod", "must not be shorter than queryFrequency"
    if period >= 2 * _DAY and frequency < 60 * _MINUTE:
        yield "queryFrequency", "must be at least 1 hour when queryPeriod is 2 days or more"
    if not 5 * _MINUTE <= suppression <= _DAY:
        yield "suppressionDuration", "must be between 5 minutes and 24 hours"


def _mitre_faults(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for tactic in p.get("tactics") or []:
        if tactic not in TACTICS:
            yield "tactics", f"holds '{tactic}', which is not a tactic"
    for technique in p.get("techniques") or []:
        if not _TECHNIQUE.fullmatch(technique):
            yield "techniques", f"holds '{technique}'; a technique is T and four digits"
        elif not p.get("tactics"):
            yield "techniques", f"holds '{technique}' but no tactic is given"


def _entity_faults(mappings: Any) -> Iterator[tuple[str, str]]:
    if len(mappings) > 10:  # noqa: PLR2004 - the documented limit
        yield "entityMappings", "holds more than 10 mappings"
    for mapping in mappings:
        kind, fields = mapping.get("entityType"), mapping.get("fieldMappings") or []
        names = [field.get("identifier") for field in fields]
        if kind not in REQUIRED:
            yield "entityMappings", f"names the unknown entity type '{kind}'"
        elif not 1 <= len(fields) <= 3 or len(set(names)) < len(names):  # noqa: PLR2004 - the documented limit
            yield "entityMappings", f"needs 1 to 3 different identifiers for {kind}"
        elif not set(names) & set(REQUIRED[kind]):
            yield "entityMappings", f"needs one of {', '.join(REQUIRED[kind])} for {kind}"
        elif not all(field.get("columnName") for field in fields):
            yield "entityMappings", f"has an identifier without columnName for {kind}"


def _detail_faults(details: Mapping[str, Any], override: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if len(details) > 20:  # noqa: PLR2004 - the documented limit
        yield "customDetails", "holds more than 20 pairs"
    for key, column in details.items():
        if not _CUSTOM_KEY.fullmatch(key) or not column:
            yield "customDetails", f"has the pair '{key}'; a key is a letter and up to 19 letters, digits, underscores"
    for key, longest in (("alertDisplayNameFormat", 256), ("alertDescriptionFormat", 5_000)):
        text = override.get(key) or ""
        if len(text) > longest:
            yield f"alertDetailsOverride.{key}", f"must have at most {longest} characters"
        if len(placeholders(text)) > 3:  # noqa: PLR2004 - the documented limit
            yield f"alertDetailsOverride.{key}", "must name at most 3 columns"


def _incident_faults(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if configuration and not isinstance(configuration.get("createIncident"), bool):
        yield "incidentConfiguration.createIncident", "is required"
    grouping = configuration.get("groupingConfiguration")
    if not grouping:
        return
    for key in ("enabled", "reopenClosedIncident", "lookbackDuration", "matchingMethod"):
        if grouping.get(key) is None:
            yield f"groupingConfiguration.{key}", "is required"
            return
    if grouping["matchingMethod"] not in {"AllEntities", "AnyAlert", "Selected"}:
        yield "groupingConfiguration.matchingMethod", "must be AllEntities, AnyAlert or Selected"
    try:
        lookback = parse_duration(str(grouping["lookbackDuration"]))
    except ValueError as error:
        yield "groupingConfiguration.lookbackDuration", f"is invalid: {error}"
        return
    if not 5 * _MINUTE <= lookback <= 7 * _DAY:
        yield "groupingConfiguration.lookbackDuration", "must be between 5 minutes and 7 days"
    chosen = [grouping.get(key) for key in ("groupByEntities", "groupByAlertDetails", "groupByCustomDetails")]
    if grouping["matchingMethod"] == "Selected" and not any(chosen):
        yield "groupingConfiguration", "needs something to group by when matchingMethod is Selected"

"""What the fields of an analytics rule must agree on.

Sources: the validation attributes of Azure/Azure-Sentinel's detection template models, its EntityMappingIdentifiers and
KillChainTechniquesHelper; SecurityInsights 2024-03-01 (GroupingConfiguration).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from apiward_rules.durations import iso
from apiward_rules.mitre import TACTICS_OF
from apiward_rules.model import AnalyticsRule, EntityMapping

LONG_PERIOD, ITS_FREQUENCY = timedelta(days=2), timedelta(hours=1)
MOST_PLACEHOLDERS = 3
_FIVE_MINUTES = timedelta(minutes=5)
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")

IDENTIFIERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Account": (
        ("FullName", "Sid", "Name", "AadUserId", "PUID", "ObjectGuid"),
        ("NTDomain", "DnsDomain", "UPNSuffix", "AadTenantId", "IsDomainJoined", "DisplayName"),
    ),
    "AzureResource": (("ResourceId",), ()),
    "CloudApplication": (("AppId", "Name"), ("InstanceName",)),
    "DNS": (("DomainName",), ()),
    "Host": (
        ("FullName", "HostName", "NetBiosName", "AzureID", "OMSAgentID"),
        ("DnsDomain", "NTDomain", "OSFamily", "OSVersion", "IsDomainJoined"),
    ),
    "IP": (("Address",), ()),
    "URL": (("Url",), ()),
}
"""Per entity type: the identifiers of which one is needed, and those that may be added."""


def rule_faults(rule: AnalyticsRule) -> Iterator[str]:
    """Each disagreement as "field: what is wrong and what is allowed"."""
    yield from _timing(rule)
    yield from _techniques(rule)
    for index, mapping in enumerate(rule.entity_mappings):
        yield from _entity(f"entityMappings.{index}", mapping)
    yield from _placeholders(rule)
    yield from _grouping(rule)


def _timing(rule: AnalyticsRule) -> Iterator[str]:
    grouping = rule.incident_configuration.grouping_configuration
    for field, value, longest in (
        ("queryFrequency", rule.query_frequency, timedelta(days=14)),
        ("queryPeriod", rule.query_period, timedelta(days=14)),
        ("suppressionDuration", rule.suppression_duration, timedelta(days=1)),
        ("incidentConfiguration.groupingConfiguration.lookbackDuration", grouping.lookback_duration, timedelta(days=7)),
    ):
        if not _FIVE_MINUTES <= value <= longest:
            yield f"{field}: {iso(value)} is outside PT5M to {iso(longest)}"
    if rule.query_period < rule.query_frequency:
        yield f"queryPeriod: {iso(rule.query_period)} is shorter than queryFrequency, so that rows are never looked at"
    if rule.query_period >= LONG_PERIOD and rule.query_frequency < ITS_FREQUENCY:
        yield "queryFrequency: a queryPeriod of 2 days or more needs a frequency of 1 hour or more"


def _techniques(rule: AnalyticsRule) -> Iterator[str]:
    for technique in rule.relevant_techniques:
        tactics = TACTICS_OF.get(technique.partition(".")[0])
        if tactics is None:
            yield f"relevantTechniques: {technique} is not in apiward_rules.mitre; add it there with its tactics"
        elif not set(tactics) & set(rule.tactics):
            yield f"relevantTechniques: {technique} needs one of the tactics {', '.join(tactics)}"


def _entity(place: str, mapping: EntityMapping) -> Iterator[str]:
    if mapping.entity_type not in IDENTIFIERS:
        yield f"{place}.entityType: {mapping.entity_type!r} is none of {', '.join(IDENTIFIERS)}"
        return
    strong, weak = IDENTIFIERS[mapping.entity_type]
    given = [field.identifier for field in mapping.field_mappings]
    if unknown := set(given) - {*strong, *weak}:
        yield f"{place}.fieldMappings: {mapping.entity_type} has no identifier {', '.join(sorted(unknown))}"
    if not set(given) & set(strong):
        yield f"{place}.fieldMappings: {mapping.entity_type} needs one of {', '.join(strong)}"
    if len(set(given)) < len(given):
        yield f"{place}.fieldMappings: each identifier at most once"


def _placeholders(rule: AnalyticsRule) -> Iterator[str]:
    if (override := rule.alert_details_override) is None:
        return
    formats = {
        "alertDisplayNameFormat": override.alert_display_name_format,
        "alertDescriptionFormat": override.alert_description_format,
    }
    for field, text in formats.items():
        count = len(_PLACEHOLDER.findall(text or ""))
        if count > MOST_PLACEHOLDERS:
            yield f"alertDetailsOverride.{field}: {count} placeholders, at most {MOST_PLACEHOLDERS} are filled"


def _grouping(rule: AnalyticsRule) -> Iterator[str]:
    grouping = rule.incident_configuration.grouping_configuration
    place = "incidentConfiguration.groupingConfiguration"
    chosen = (*grouping.group_by_entities, *grouping.group_by_alert_details, *grouping.group_by_custom_details)
    if grouping.matching_method == "Selected" and not chosen:
        yield f"{place}: matchingMethod Selected needs groupByEntities, groupByAlertDetails or groupByCustomDetails"
    entities = {mapping.entity_type for mapping in rule.entity_mappings}
    for field, names, known in (
        ("groupByEntities", grouping.group_by_entities, entities),
        ("groupByCustomDetails", grouping.group_by_custom_details, set(rule.custom_details)),
    ):
        if unknown := set(names) - known:
            yield f"{place}.{field}: {', '.join(sorted(unknown))} is not mapped by this rule"


def set_faults(rules: Mapping[str, AnalyticsRule]) -> Iterator[tuple[str, str]]:
    """(stem of the file, fault) for each id or name that an earlier rule has already."""
    for field in ("id", "name"):
        owners: dict[str, str] = {}
        for stem, rule in rules.items():
            owner = owners.setdefault(getattr(rule, field), stem)
            if owner != stem:
                yield stem, f"{field}: {getattr(rule, field)!r} is also that of {owner}.yaml"


def columns_of(rule: AnalyticsRule) -> set[str]:
    """The columns that the query has to return: mapped, detailed, or named in an alert's texts."""
    named = {field.column_name for mapping in rule.entity_mappings for field in mapping.field_mappings}
    named |= set(rule.custom_details.values())
    if override := rule.alert_details_override:
        texts = f"{override.alert_display_name_format or ''}{override.alert_description_format or ''}"
        columns = (override.alert_tactics_column_name, override.alert_severity_column_name)
        named |= {*_PLACEHOLDER.findall(texts), *(column for column in columns if column)}
    return named

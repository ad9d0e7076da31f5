"""Analytics rules as Azure-Sentinel writes them in YAML: their fields, and the limit of each field by itself.

Sources of the limits: the detection template models of Azure/Azure-Sentinel
(`.script/tests/detectionTemplateSchemaValidation`) and SecurityInsights 2024-03-01. What several fields must agree on
is in `validate`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StringConstraints
from pydantic.alias_generators import to_camel

from apiward_rules.durations import Duration
from apiward_rules.mitre import Tactic
from apiward_rules.samples import Samples

_LONG_OPERATORS = {"gt": "GreaterThan", "lt": "LessThan", "eq": "Equal", "ne": "NotEqual"}

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Column = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_]+\w*$", max_length=500)]
DetailKey = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]+\w*$", max_length=20)]
Technique = Annotated[str, StringConstraints(pattern=r"^T\d{4}(\.\d{3})?$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$", max_length=20)]
Operator = Annotated[
    Literal["GreaterThan", "LessThan", "Equal", "NotEqual"],
    BeforeValidator(lambda text: _LONG_OPERATORS.get(text, text) if isinstance(text, str) else text),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Connector(_Strict):
    """A data connector that fills a table of the query."""

    connector_id: str
    data_types: tuple[str, ...]


class FieldMapping(_Strict):
    """One identifier of an entity, out of one column."""

    identifier: str
    column_name: Column


class EntityMapping(_Strict):
    """One entity of an alert."""

    entity_type: str
    field_mappings: tuple[FieldMapping, ...] = Field(min_length=1, max_length=3)


class AlertDetailsOverride(_Strict):
    """Alert texts with `{{Column}}` in them, and columns that give tactics and severity."""

    alert_display_name_format: str | None = Field(None, max_length=256)
    alert_description_format: str | None = Field(None, max_length=5000)
    alert_tactics_column_name: Column | None = None
    alert_severity_column_name: Column | None = None


class EventGrouping(_Strict):
    """Whether a run raises one alert, or one for each row."""

    aggregation_kind: Literal["SingleAlert", "AlertPerResult"]


class Grouping(_Strict):
    """Which alerts share an incident."""

    enabled: StrictBool
    reopen_closed_incident: StrictBool
    lookback_duration: Duration
    matching_method: Literal["AllEntities", "AnyAlert", "Selected"]
    group_by_entities: tuple[str, ...] = ()
    group_by_alert_details: tuple[Literal["DisplayName", "Severity"], ...] = ()
    group_by_custom_details: tuple[str, ...] = ()


class IncidentConfiguration(_Strict):
    """Whether alerts open incidents."""

    create_incident: StrictBool
    grouping_configuration: Grouping


class AnalyticsRule(_Strict):
    """One scheduled rule. `id` is also the name of its resource in every workspace; `tests` are for us alone."""

    id: Guid
    name: str = Field(min_length=1, max_length=256)
    description: str = Field(min_length=1, max_length=5000)
    severity: Literal["Informational", "Low", "Medium", "High"]
    status: Literal["Available"]
    required_data_connectors: tuple[Connector, ...]
    query_frequency: Duration
    query_period: Duration
    trigger_operator: Operator
    trigger_threshold: StrictInt = Field(ge=0, le=10_000)
    tactics: tuple[Tactic, ...] = ()
    relevant_techniques: tuple[Technique, ...] = ()
    query: str = Field(min_length=1, max_length=10_000)
    entity_mappings: tuple[EntityMapping, ...] = Field((), max_length=10)
    custom_details: dict[DetailKey, Column] = Field(default_factory=dict, max_length=20)
    alert_details_override: AlertDetailsOverride | None = None
    event_grouping_settings: EventGrouping
    suppression_enabled: StrictBool = False
    suppression_duration: Duration = Field("1h", validate_default=True)
    incident_configuration: IncidentConfiguration
    version: Version
    kind: Literal["Scheduled"]
    tests: Samples | None = None

"""Table schemas: the ones every workspace has, and the rules for custom ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apiward_lab.loganalytics.columns import TABLE_TYPES, Column
from apiward_lab.web import Problem

MAX_COLUMNS = 500
MAX_COLUMN_NAME = 45
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,58}_CL")
_RESERVED = {"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"}


@dataclass(frozen=True)
class Table:
    """A table of a workspace."""

    name: str
    columns: tuple[Column, ...]
    description: str = ""
    plan: str = "Analytics"
    retention_days: int | None = None
    total_retention_days: int | None = None
    custom: bool = True

    def column(self, name: str) -> Column | None:
        """The column of that name (exact case), or None."""
        return next((column for column in self.columns if column.name == name), None)


def columns_of(names: str, kind: str) -> tuple[Column, ...]:
    """Columns of one type, their names separated by spaces."""
    return tuple(Column(name, kind) for name in names.split())


SECURITY_ALERT = Table(
    "SecurityAlert",
    (
        *columns_of("TimeGenerated StartTime EndTime ProcessingEndTime", "datetime"),
        *columns_of(
            "DisplayName AlertName AlertSeverity Description ProviderName VendorName VendorOriginalId SystemAlertId "
            "ResourceId SourceComputerId AlertType ConfidenceLevel RemediationSteps ExtendedProperties Entities "
            "SourceSystem WorkspaceSubscriptionId WorkspaceResourceGroup ExtendedLinks ProductName "
            "ProductComponentName AlertLink Status CompromisedEntity Tactics Techniques SubTechniques",
            "string",
        ),
        *columns_of("ConfidenceScore", "real"),
        *columns_of("IsIncident", "boolean"),
    ),
    custom=False,
)
"""Azure Monitor table reference, SecurityAlert."""

SECURITY_INCIDENT = Table(
    "SecurityIncident",
    (
        *columns_of("TimeGenerated CreatedTime LastModifiedTime FirstActivityTime LastActivityTime", "datetime"),
        *columns_of("FirstModifiedTime ClosedTime", "datetime"),
        *columns_of(
            "IncidentName Title Description Severity Status Classification ClassificationComment ClassificationReason "
            "IncidentUrl ProviderName ProviderIncidentId ModifiedBy SourceSystem",
            "string",
        ),
        *columns_of("IncidentNumber", "int"),
        *columns_of(
            "Owner RelatedAnalyticRuleIds AlertIds BookmarkIds Comments Labels AdditionalData Tasks", "dynamic"
        ),
    ),
    custom=False,
)
"""Azure Monitor table reference, SecurityIncident."""


def parse_table(name: str, properties: Any, existing: Table | None) -> Table:
    """The table that a PUT or PATCH of `properties` makes, merged onto `existing`.

    Raises Problem 400 for what the service refuses (Tables 2023-09-01; column rules of "Add or delete tables and
    columns in Azure Monitor Logs").
    """
    schema = properties.get("schema") or {}
    if existing is None and not _TABLE_NAME.fullmatch(name):
        raise _invalid(
            f"Table name '{name}' is invalid: a custom table's name starts with a letter, holds letters, "
            "digits and underscores, is at most 62 characters long and ends with '_CL'."
        )
    if schema and schema.get("name") != name:
        raise _invalid(f"Schema name '{schema.get('name')}' must match the table's name '{name}'.")
    if existing is None and not schema.get("columns"):
        raise _invalid(f"Table '{name}' needs properties.schema.columns.")
    columns = _merge(name, existing, [_column(name, raw) for raw in schema.get("columns") or []])
    return Table(
        name,
        columns,
        description=schema.get("description", existing.description if existing else ""),
        plan=_plan(properties, existing),
        retention_days=properties.get("retentionInDays", existing.retention_days if existing else None),
        total_retention_days=properties.get(
            "totalRetentionInDays", existing.total_retention_days if existing else None
        ),
        custom=existing.custom if existing else True,
    )


def _invalid(message: str) -> Problem:
    return Problem(400, "InvalidParameter", message)


def _plan(properties: Any, existing: Table | None) -> str:
    plan = properties.get("plan") or (existing.plan if existing else "Analytics")
    if plan not in {"Analytics", "Basic", "Auxiliary"}:
        raise _invalid(f"Plan '{plan}' is not one of Analytics, Basic, Auxiliary.")
    return str(plan)


def _column(table: str, raw: Any) -> Column:
    name, kind = str(raw.get("name", "")), str(raw.get("type", "")).lower()
    if not _COLUMN_NAME.fullmatch(name) or len(name) > MAX_COLUMN_NAME:
        raise _invalid(
            f"Column '{name}' of table '{table}': a name starts with a letter, holds letters, digits and "
            f"underscores and is at most {MAX_COLUMN_NAME} characters long."
        )
    if name.lower() in _RESERVED:
        raise _invalid(f"Column '{name}' of table '{table}': the name is reserved.")
    kind = "boolean" if kind == "bool" else kind
    if kind not in TABLE_TYPES:
        raise _invalid(f"Column '{name}' of table '{table}': type '{raw.get('type')}' is not one of {TABLE_TYPES}.")
    return Column(name, kind, raw.get("description") or "")


def _merge(table: str, existing: Table | None, given: Sequence[Column]) -> tuple[Column, ...]:
    merged = {column.name: column for column in existing.columns} if existing else {}
    for column in given:
        before = merged.get(column.name)
        if before and before.type != column.type:
            raise _invalid(
                f"Column '{column.name}' of table '{table}' is {before.type} and cannot become "
                f"{column.type}: a column's type cannot be changed."
            )
        merged[column.name] = column
    names = [name.lower() for name in merged]
    if len(set(names)) < len(names) or len({column.name for column in given}) < len(given):
        raise _invalid(f"Table '{table}' names a column twice.")
    if len(merged) > MAX_COLUMNS:
        raise _invalid(f"Table '{table}' has {len(merged)} columns; {MAX_COLUMNS} are allowed.")
    if merged and merged.get("TimeGenerated", Column("", "")).type != "datetime":
        raise _invalid(f"Table '{table}' must have a column TimeGenerated of type datetime.")
    return tuple(merged.values())

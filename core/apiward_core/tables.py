"""The custom tables as data. Everything that must agree with them is derived from here.

Sources: Log Analytics Tables 2023-09-01, data collection rules 2023-03-11 (kind Direct), Logs Ingestion 2023-01-01.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import yaml

from apiward_core.errors import ConfigurationError

SCHEMA_VERSION = 1
TABLES_API_VERSION = "2023-09-01"
DCR_API_VERSION = "2023-03-11"

_TYPES = {"string", "int", "long", "real", "boolean", "dynamic", "datetime"}
_TABLE_API_TYPES = {"datetime": "dateTime"}  # the Tables API spells this one type differently from DCR streams
_KUSTO_TYPES = {"boolean": "bool"}
_RESERVED = {"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"}
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,44}")


@dataclass(frozen=True)
class Column:
    """One column: its name, its DCR type, and what it holds."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Table:
    """One custom table."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The table that a YAML document describes. Raises ConfigurationError for what the service would refuse."""
        columns = tuple(Column(**column) for column in document["columns"])
        table = cls(document["name"], document["description"], columns)
        if fault := next(iter(table._faults()), None):
            raise ConfigurationError(f"Table {table.name}: {fault}.", remedy="Correct its YAML.")
        return table

    def _faults(self) -> Iterable[str]:
        if not self.name.endswith("_CL"):
            yield "a custom table's name ends in _CL"
        if ("TimeGenerated", "datetime") not in {(column.name, column.type) for column in self.columns}:
            yield "TimeGenerated (datetime) is mandatory"
        names = [column.name.lower() for column in self.columns]
        yield from (f"column {name} occurs twice" for name in {n for n in names if names.count(n) > 1})
        for column in self.columns:
            if not _COLUMN_NAME.fullmatch(column.name) or column.name.lower() in _RESERVED:
                yield f"{column.name!r} is no column name that Log Analytics accepts"
            if column.type not in _TYPES:
                yield f"column {column.name} has type {column.type!r}, not one of {', '.join(sorted(_TYPES))}"

    @property
    def stream(self) -> str:
        """The DCR stream that feeds the table."""
        return f"Custom-{self.name}"

    def resource(self) -> dict[str, Any]:
        """The body of the table's PUT."""
        columns = [
            {
                "name": column.name,
                "type": _TABLE_API_TYPES.get(column.type, column.type),
                "description": column.description,
            }
            for column in self.columns
        ]
        return {"properties": {"schema": {"name": self.name, "description": self.description, "columns": columns}}}

    def kusto_schema(self) -> list[tuple[str, str]]:
        """(column, KQL type) pairs."""
        return [(column.name, _KUSTO_TYPES.get(column.type, column.type)) for column in self.columns]


@cache
def all_tables() -> Mapping[str, Table]:
    """Every table of the package by name."""
    folder = files("apiward_core") / "tables"
    documents = (yaml.safe_load(file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {table.name: table for table in sorted(map(Table.parse, documents), key=lambda table: table.name)}


RECOMMENDATIONS = "DefenderApiRecommendations_CL"
REMEDIATION = "DefenderApiRemediation_CL"
HEALTH = "DefenderApiHealth_CL"
TYPES = "DefenderApiRecommendationTypes_CL"
INVENTORY = "DefenderApiInventory_CL"


def data_collection_rule(*, workspace_id: str, location: str) -> dict[str, Any]:
    """The body of the PUT of one Direct DCR that feeds every table of the workspace, which must be in `location`."""
    tables = all_tables().values()
    destination = "workspace"
    return {
        "location": location,
        "kind": "Direct",
        "properties": {
            "description": "Receives the rows of apiward's connector and playbooks.",
            "streamDeclarations": {
                table.stream: {"columns": [{"name": c.name, "type": c.type} for c in table.columns]} for table in tables
            },
            "destinations": {"logAnalytics": [{"workspaceResourceId": workspace_id, "name": destination}]},
            "dataFlows": [
                {
                    "streams": [table.stream],
                    "destinations": [destination],
                    "transformKql": "source",
                    "outputStream": table.stream,
                }
                for table in tables
            ],
        },
    }

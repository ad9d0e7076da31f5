"""The rows of one workspace, in an in-memory DuckDB.

Each table has a hidden column with the time its row arrived, which `ingestion_time()` reads. Every caller gets a cursor
of its own, so that queries run side by side with each other and with ingestion.
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from apiward_lab.loganalytics.columns import DUCKDB_TYPES, Column
from apiward_lab.loganalytics.schema import Table

ARRIVED = "$IngestionTime"
"""The hidden column; no KQL identifier can collide with it."""

_ROW_TYPES = {**DUCKDB_TYPES, "datetime": "VARCHAR", "guid": "VARCHAR"}


class Store:
    """Typed tables with bulk insert."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("CREATE SCHEMA store")
        self._lock = threading.Lock()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection for the calling thread, on the same data."""
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor

    def define(self, table: Table, before: Table | None) -> None:
        """Create the table, or add the columns that it did not have before."""
        with self._lock, self._connection.cursor() as cursor:
            if before is None:
                columns = ", ".join(f"{quote(c.name)} {DUCKDB_TYPES[c.type]}" for c in table.columns)
                cursor.execute(f"CREATE TABLE {physical(table.name)} ({columns}, {quote(ARRIVED)} TIMESTAMP)")
                return
            for column in table.columns:
                if before.column(column.name) is None:
                    kind = DUCKDB_TYPES[column.type]
                    default = "DEFAULT ''" if column.type == "string" else ""
                    cursor.execute(
                        f"ALTER TABLE {physical(table.name)} ADD COLUMN {quote(column.name)} {kind} {default}"
                    )

    def drop(self, name: str) -> None:
        """Forget the table and its rows."""
        with self._lock, self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {physical(name)}")

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]], arrived: datetime) -> None:
        """Append rows of converted values; columns that a row does not name are empty."""
        if not rows:
            return
        targets = ", ".join(quote(column.name) for column in table.columns)
        values = ", ".join(_value(column) for column in table.columns)
        statement = (
            f"INSERT INTO {physical(table.name)} ({targets}, {quote(ARRIVED)}) "  # noqa: S608 - names are validated and quoted
            f"SELECT {values}, $arrived FROM (SELECT unnest(from_json($rows::JSON, $shape)) AS r)"
        )
        parameters = {
            "rows": json.dumps(list(rows), ensure_ascii=False),
            "shape": _row_shape(table.columns),
            "arrived": naive(arrived),
        }
        with self._lock, self._connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.execute(statement, parameters)


def stage(
    cursor: duckdb.DuckDBPyConnection, name: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Make a temporary table of rows of JSON values; columns that a row does not name are empty."""
    select = ", ".join(f"CAST(r.{quote(c.name)} AS {DUCKDB_TYPES[c.type]}) AS {quote(c.name)}" for c in columns)
    cursor.execute(
        f"CREATE TEMP TABLE {quote(name)} AS SELECT {select} "  # noqa: S608 - quoted names
        "FROM (SELECT unnest(from_json($rows::JSON, $shape)) AS r)",
        {"rows": json.dumps(list(rows), ensure_ascii=False), "shape": _row_shape(columns)},
    )


def _row_shape(columns: Iterable[Column]) -> str:
    """DuckDB's description of a JSON array of such rows."""
    return json.dumps([{column.name: _ROW_TYPES[column.type] for column in columns}])


def _value(column: Column) -> str:
    field = f"r.{quote(column.name)}"
    if column.type == "string":
        return f"coalesce({field}, '')"
    return f"CAST({field} AS {DUCKDB_TYPES[column.type]})" if column.type in {"datetime", "guid"} else field


def physical(name: str) -> str:
    """Where a table's rows are."""
    return f"store.{quote(name)}"


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def naive(moment: datetime) -> datetime:
    """A moment as DuckDB's TIMESTAMP has it: UTC without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)

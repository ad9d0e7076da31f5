"""Runs KQL over a store.

A query sees its tables through temporary views that apply the time window to every one of them, inside functions too,
as the service does. Nothing here takes a lock: each query has a cursor of its own.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import duckdb_kql
from duckdb_kql.types import kusto_type

from apiward_lab.loganalytics import kql_extensions
from apiward_lab.loganalytics.columns import DUCKDB_TYPES, Column
from apiward_lab.loganalytics.functions import Function, reachable
from apiward_lab.loganalytics.kql_errors import QueryError, explain
from apiward_lab.loganalytics.kql_names import check_case
from apiward_lab.loganalytics.schema import Table
from apiward_lab.loganalytics.store import ARRIVED, Store, naive, physical, quote, row_shape
from apiward_lab.loganalytics.timespans import Window, format_datetime, format_timespan
from apiward_lab.loganalytics.workspace import Workspace

_HIDDEN = re.compile(re.escape(ARRIVED) + r"\d*")
_STANDARD_COLUMNS = ("TenantId", "Type", "_ResourceId")
_FETCH = 10_000
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True)
class Result:
    """A query's answer: columns of KQL types, rows of JSON values; `complete` is false when a limit cut it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    complete: bool = True

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class Engine:
    """KQL over the tables and functions of one workspace."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        kql_extensions.register()
        self._workspace = workspace
        self._store = store

    def query(
        self,
        kql: str,
        *,
        now: datetime,
        tables: Iterable[Table],
        functions: Mapping[str, Function],
        window: Window | None = None,
        max_rows: int | None = None,
    ) -> Result:
        """Run `kql` with `now()` fixed and `window` applied to every table's TimeGenerated. Raises QueryError."""
        called = reachable(kql, functions)
        timed = any("ingestion_time" in text for text in (kql, *(function.body for function in called.values())))
        with self._store.cursor() as cursor:
            schema = {table.name: self._view(cursor, table, window or Window(), timed=timed) for table in tables}
            definitions = [function.definition for function in called.values()]
            return _run(cursor, kql, now=now, schema=schema, functions=definitions, max_rows=max_rows)

    def transform(
        self, kql: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], now: datetime
    ) -> Result:
        """Run a DCR's transformation over rows of a stream (the table `source`). Raises QueryError."""
        names = [column.name for column in columns]
        select = ", ".join(f"CAST(r.{quote(c.name)} AS {DUCKDB_TYPES[c.type]}) AS {quote(c.name)}" for c in columns)
        with self._store.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMP TABLE source AS SELECT {select} "  # noqa: S608 - quoted names
                "FROM (SELECT unnest(from_json($rows::JSON, $shape)) AS r)",
                {"rows": json.dumps(list(rows), ensure_ascii=False), "shape": row_shape(columns)},
            )
            try:
                return _run(cursor, kql, now=now, schema={"source": names}, functions=[], max_rows=None)
            finally:
                cursor.execute("DROP TABLE source")

    def _view(self, cursor: duckdb.DuckDBPyConnection, table: Table, window: Window, *, timed: bool) -> list[str]:
        names = [column.name for column in table.columns] + ([ARRIVED] if timed else [])
        standard = zip(_STANDARD_COLUMNS, (self._workspace.customer_id, table.name, ""), strict=True)
        constants = "".join(f", {_literal(value)} AS {quote(name)}" for name, value in standard)
        bounds = [(">=", window.start), ("<=", window.end)]
        where = [f'"TimeGenerated" {sign} TIMESTAMP {_literal(str(naive(at)))}' for sign, at in bounds if at]
        try:
            cursor.execute(
                f"CREATE TEMP VIEW {quote(table.name)} AS SELECT {', '.join(map(quote, names))}{constants} "  # noqa: S608 - quoted names
                f"FROM {physical(table.name)} WHERE {' AND '.join(where) or 'true'}"
            )
        except duckdb.CatalogException as deleted_meanwhile:
            raise explain(deleted_meanwhile) from deleted_meanwhile
        return [*names, *_STANDARD_COLUMNS]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _run(
    cursor: duckdb.DuckDBPyConnection,
    kql: str,
    *,
    now: datetime,
    schema: dict[str, list[str]],
    functions: list[str],
    max_rows: int | None,
) -> Result:
    if not kql.strip() or kql.lstrip().startswith("."):
        raise QueryError("SyntaxError", "SYN0001", "Expected a query, not an empty text or a control command.")
    try:
        check_case(kql, schema, functions)
        sql = duckdb_kql.to_sql(kql, schema=schema, functions=functions, query_now=naive(now), allow_write=False)
        cursor.execute(str(sql), sql.parameters or None)
        return _fetch(cursor, max_rows)
    except (duckdb_kql.KqlError, duckdb.Error, RecursionError) as error:
        raise explain(error) from error


def _fetch(cursor: duckdb.DuckDBPyConnection, max_rows: int | None) -> Result:
    described = [(name, kusto_type(str(kind))) for name, kind, *_ in cursor.description or ()]
    kept = [index for index, (name, _) in enumerate(described) if not _HIDDEN.fullmatch(name)]
    rows: list[tuple[Any, ...]] = []
    while batch := cursor.fetchmany(_FETCH):
        rows += [tuple(_json_value(row[index]) for index in kept) for row in batch]
        if max_rows is not None and len(rows) > max_rows:
            break
    complete = max_rows is None or len(rows) <= max_rows
    columns = tuple(Column(described[index][0], described[index][1]) for index in kept)
    return Result(columns, tuple(rows if complete else rows[:max_rows]), complete)


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, timedelta):
        return format_timespan(value)
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"), default=str)
    return str(value)

"""Runs KQL over a store.

A query sees its tables through temporary views that apply the time window to every one of them, inside functions too,
as the service does. Nothing here takes a lock: each query has a cursor of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from apiward_lab.loganalytics import kql_extensions
from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.functions import Function, reachable
from apiward_lab.loganalytics.kql_errors import explain
from apiward_lab.loganalytics.kql_run import Result, run
from apiward_lab.loganalytics.named_arguments import by_position
from apiward_lab.loganalytics.schema import Table
from apiward_lab.loganalytics.store import ARRIVED, Store, naive, physical, quote, stage
from apiward_lab.loganalytics.timespans import Window
from apiward_lab.loganalytics.workspace import Workspace

_STANDARD_COLUMNS = ("TenantId", "Type", "_ResourceId")


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
        kql = by_position(kql, called)
        timed = any("ingestion_time" in text for text in (kql, *(function.body for function in called.values())))
        with self._store.cursor() as cursor:
            schema = {table.name: self._view(cursor, table, window or Window(), timed=timed) for table in tables}
            definitions = [
                replace(function, body=by_position(function.body, called)).definition for function in called.values()
            ]
            return run(cursor, kql, now=now, schema=schema, functions=definitions, max_rows=max_rows)

    def transform(
        self, kql: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], now: datetime
    ) -> Result:
        """Run a DCR's transformation over rows of a stream (the table `source`). Raises QueryError."""
        with self._store.cursor() as cursor:
            stage(cursor, "source", columns, rows)
            try:
                return run(cursor, kql, now=now, schema={"source": [column.name for column in columns]})
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

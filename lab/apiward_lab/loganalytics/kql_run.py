"""Runs one KQL query on a DuckDB connection: translation, execution and the values as JSON has them."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import duckdb
import duckdb_kql
from duckdb_kql.types import kusto_type

from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.functions import parsed
from apiward_lab.loganalytics.kql_errors import QueryError, explain
from apiward_lab.loganalytics.kql_names import Names, check_case
from apiward_lab.loganalytics.store import ARRIVED, naive
from apiward_lab.loganalytics.timespans import format_datetime, format_timespan

_HIDDEN = re.compile(re.escape(ARRIVED) + r"\d*")
_FETCH = 10_000
_TIME_OF_QUERY = naive(datetime(1, 1, 1, tzinfo=UTC))  # stands for it in a translation that is kept
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


def run(
    cursor: duckdb.DuckDBPyConnection,
    kql: str,
    *,
    now: datetime,
    schema: Mapping[str, list[str]],
    functions: Sequence[str] = (),
    max_rows: int | None = None,
) -> Result:
    """Run `kql` over the cursor's tables, whose columns `schema` names, with `now()` fixed. Raises QueryError.

    `functions` are definitions in Kusto's notation; of more than `max_rows` rows the first are kept.
    """
    if not kql.strip() or kql.lstrip().startswith("."):
        raise QueryError("SyntaxError", "SYN0001", "Expected a query, not an empty text or a control command.")
    try:
        sql = _translated(kql, tuple(functions), tuple((name, tuple(columns)) for name, columns in schema.items()))
        given = {name: naive(now) if value == _TIME_OF_QUERY else value for name, value in sql.parameters.items()}
        cursor.execute(str(sql), given or None)
        return _fetch(cursor, max_rows)
    except (duckdb_kql.KqlError, duckdb.Error, RecursionError) as error:
        raise explain(error) from error


@lru_cache(maxsize=512)
def _translated(kql: str, functions: tuple[str, ...], schema: tuple[tuple[str, tuple[str, ...]], ...]) -> Any:
    """Translating takes most of a query's time, and rules ask the same every hour."""
    known, tables = parsed(functions), {name: list(columns) for name, columns in schema}
    check_case(Names.of(kql, known), tables)
    return duckdb_kql.to_sql(kql, schema=tables, functions=known, query_now=_TIME_OF_QUERY, allow_write=False)


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

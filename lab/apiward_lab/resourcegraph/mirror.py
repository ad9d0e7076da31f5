"""The inventory's rows in an in-memory DuckDB, and views of those that one caller may see."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import duckdb
import numpy as np
import orjson

from apiward_lab.loganalytics.columns import DUCKDB_TYPES
from apiward_lab.loganalytics.store import quote
from apiward_lab.resourcegraph.filters import Types
from apiward_lab.resourcegraph.inventory import COLUMNS, DYNAMICS, Inventory, Source
from apiward_lab.resourcegraph.visibility import Readable

_BATCH = 10_000
_NOTHING = "nothing"


class Mirror:
    """Copies a source's rows when they are asked for and it has another version than at the last time."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._versions: dict[str, object] = {}
        self._connection = duckdb.connect(":memory:")
        self._define(_NOTHING)

    def show(
        self, tables: Mapping[str, Types | None], readable: Callable[[str], Readable]
    ) -> duckdb.DuckDBPyConnection:
        """A cursor that sees the readable rows of these types (None: of all) as the tables. Close it after use."""
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        for table, types in tables.items():
            parts = [_select(_NOTHING, Readable((), ()))]
            for source in self._sources(table, types):
                self._refresh(source)
                parts.append(_select(source.type, readable(source.type)))
            cursor.execute(f"CREATE TEMP VIEW {quote(table)} AS {' UNION ALL '.join(parts)}")
        return cursor

    def versions(self, tables: Mapping[str, Types | None]) -> Sequence[object]:
        """What tells whether `show` would show the same, as far as the sources tell."""
        sources = chain.from_iterable(self._sources(table, types) for table, types in tables.items())
        return [source.version() for source in sources if source.version]

    def _sources(self, table: str, types: Types | None) -> Iterator[Source]:
        for source in self._inventory.sources:
            if source.table == table and (types is None or source.type in types):
                yield source

    def _refresh(self, source: Source) -> None:
        version = source.version() if source.version else object()
        if self._versions.get(source.type) is version:
            return
        self._define(source.type)
        rows = (self._inventory.row(document) for document in source.documents())
        while batch := list(islice(rows, _BATCH)):
            self._insert(source.type, batch)
        self._versions[source.type] = version

    def _define(self, name: str) -> None:
        columns = ", ".join(f"{quote(column.name)} {DUCKDB_TYPES[column.type]}" for column in COLUMNS)
        self._connection.execute(f"CREATE OR REPLACE TABLE {quote(name)} ({columns})")

    def _insert(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Through arrays, which DuckDB takes over ten times as fast as parameters."""
        batch = dict(zip((column.name for column in COLUMNS), map(_array, zip(*rows, strict=True)), strict=True))
        for column in DYNAMICS:
            batch[column] = _array([None if value is None else orjson.dumps(value).decode() for value in batch[column]])
        self._connection.register("batch", batch)
        self._connection.execute(f"INSERT INTO {quote(name)} SELECT * FROM batch")  # noqa: S608 - quoted name
        self._connection.unregister("batch")


def _array(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _select(name: str, readable: Readable) -> str:
    whole = ", ".join(map(_text, readable.subscriptions))
    conditions = [f'"subscriptionId" IN ({whole})'] if whole else []
    conditions += [f"starts_with(lower(id) || '/', {_text(scope.lower() + '/')})" for scope in readable.scopes]
    return f"SELECT * FROM {quote(name)} WHERE {' OR '.join(conditions) or 'false'}"  # noqa: S608 - quoted name and texts


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

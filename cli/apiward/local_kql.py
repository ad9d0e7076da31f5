"""The lab's KQL engine as rules and tests use it. Importing this needs the `lab` extra."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from apiward_core.errors import RejectedDataError
from apiward_core.kql_check import FunctionSchema
from apiward_core.kql_engine import Arrival, Row
from apiward_core.tables import Table
from apiward_lab.loganalytics import Workspace
from apiward_lab.loganalytics.columns import Column, parse_datetime
from apiward_lab.loganalytics.engine import Engine
from apiward_lab.loganalytics.functions import Function
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.schema import Table as LabTable
from apiward_lab.loganalytics.store import Store
from apiward_lab.loganalytics.timespans import Window

_NOWHERE = Workspace("/subscriptions/none/resourceGroups/none/providers/none/none/none", "", "")
_FITS: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,  # not a bool, which is one in Python
    "long": lambda value: type(value) is int,
    "real": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "datetime": lambda value: isinstance(value, str) and parse_datetime(value) is not None,
    "dynamic": lambda _: True,
}


class LocalKql:
    """A `KqlEngine` over tables and functions of ours."""

    def __init__(self, tables: Mapping[str, Table], functions: Mapping[str, FunctionSchema]) -> None:
        self._tables = {name: _lab_table(table) for name, table in tables.items()}
        self._functions = {name: Function(name, schema.parameters, schema.body) for name, schema in functions.items()}

    def query(
        self, kql: str, arrivals: Iterable[Arrival], *, now: datetime, period: timedelta | None = None
    ) -> list[Row]:
        """The rows that `kql` returns when `arrivals` are all there is; see KqlEngine."""
        store = Store()
        for table in self._tables.values():
            store.define(table, None)
        for arrival in arrivals:
            store.insert(self._table(arrival), arrival.rows, arrival.at)
        window = Window(now - period, now) if period else None
        engine = Engine(_NOWHERE, store)
        try:
            result = engine.query(kql, now=now, tables=self._tables.values(), functions=self._functions, window=window)
        except QueryError as error:
            raise RejectedDataError(f"The query cannot be run: {error.message}", remedy="Correct it.") from error
        return [*result.records()]

    def _table(self, arrival: Arrival) -> LabTable:
        table = self._tables.get(arrival.table)
        if table is None:
            raise RejectedDataError(
                f"A row is for the table {arrival.table}, which is none of {', '.join(self._tables)}.",
                remedy="Name one of these.",
            )
        for row in arrival.rows:
            for name, value in row.items():
                _check(table, name, value)
        return table


def _lab_table(table: Table) -> LabTable:
    return LabTable(table.name, tuple(Column(column.name, column.type) for column in table.columns))


def _check(table: LabTable, name: str, value: object) -> None:
    column = table.column(name)
    if column is None:
        raise RejectedDataError(f"A row has the column {name}, which {table.name} lacks.", remedy="Correct the row.")
    if value is not None and not _FITS[column.type](value):
        raise RejectedDataError(
            f"A row has {value!r} in the column {name} of {table.name}, which is of type {column.type}.",
            remedy="Correct the row.",
        )

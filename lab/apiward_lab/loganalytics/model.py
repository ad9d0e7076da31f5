"""One workspace: its tables, functions and rows."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.engine import Engine
from apiward_lab.loganalytics.functions import Function
from apiward_lab.loganalytics.kql_run import Result
from apiward_lab.loganalytics.saved_searches import SavedSearch
from apiward_lab.loganalytics.schema import SECURITY_ALERT, SECURITY_INCIDENT, Table
from apiward_lab.loganalytics.store import Store
from apiward_lab.loganalytics.timespans import Window
from apiward_lab.loganalytics.workspace import Workspace


class WorkspaceModel:
    """The state of one workspace. Safe to use from several threads; queries never wait for each other."""

    def __init__(self, seed: Workspace) -> None:
        self.seed = seed
        self._store = Store()
        self._engine = Engine(seed, self._store)
        self._lock = threading.RLock()
        self._tables: dict[str, Table] = {}
        self._searches: dict[str, SavedSearch] = {}
        for table in (SECURITY_ALERT, SECURITY_INCIDENT):
            self.put_table(table)

    def tables(self) -> list[Table]:
        """All tables, by name."""
        with self._lock:
            return sorted(self._tables.values(), key=lambda table: table.name)

    def table(self, name: str) -> Table | None:
        """The table of that name, without regard to case, or None."""
        with self._lock:
            return self._tables.get(name.lower())

    def put_table(self, table: Table) -> None:
        """Create the table, or replace its definition by one that only adds columns."""
        with self._lock:
            self._store.define(table, self._tables.get(table.name.lower()))
            self._tables[table.name.lower()] = table

    def drop_table(self, name: str) -> bool:
        """Forget a table and its rows; False when there is none."""
        with self._lock:
            table = self._tables.pop(name.lower(), None)
            if table:
                self._store.drop(table.name)
            return table is not None

    def saved_searches(self) -> dict[str, SavedSearch]:
        """Saved searches by id, in lower case."""
        with self._lock:
            return dict(self._searches)

    def put_search(self, search: SavedSearch) -> None:
        """Create or replace a saved search."""
        with self._lock:
            self._searches[search.name.lower()] = search

    def drop_search(self, name: str) -> bool:
        """Forget a saved search; False when there is none."""
        with self._lock:
            return self._searches.pop(name.lower(), None) is not None

    def functions(self) -> dict[str, Function]:
        """The functions that saved searches define, by alias."""
        found = (search.function for search in self.saved_searches().values())
        return {function.alias: function for function in found if function}

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]], arrived: datetime) -> None:
        """Append rows of values that fit the table's types."""
        self._store.insert(table, rows, arrived)

    def query(self, kql: str, *, now: datetime, window: Window | None = None, max_rows: int | None = None) -> Result:
        """Run KQL with `now()` fixed and `window` over every table. Raises QueryError."""
        return self._engine.query(
            kql, now=now, tables=self.tables(), functions=self.functions(), window=window, max_rows=max_rows
        )

    @property
    def engine(self) -> Engine:
        """For running a DCR's transformation."""
        return self._engine

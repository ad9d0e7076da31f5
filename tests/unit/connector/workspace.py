"""A workspace that takes the connector's rows and answers queries about them. The lab's KQL engine stands for it."""

from datetime import timedelta
from functools import cache
from typing import Any

from apiward.local_kql import LocalKql
from apiward_core.clock import parse_timestamp
from apiward_core.kql_engine import Arrival
from apiward_core.logs import Row, TimeSpan
from apiward_core.tables import all_tables
from apiward_rules.functions import function_schemas
from tests.unit.connector.samples import MemorySink, SetClock

_TIMES = {"TimeGenerated", "FirstSeen", "FirstEvaluated", "StateChanged", "Watermark", "LastWhole"}


class Workspace(MemorySink):
    """A sink whose rows can be queried as the Log Analytics query API gives them; each is there `copies` times."""

    def __init__(self, clock: SetClock, *, copies: int = 1) -> None:
        super().__init__()
        self._clock = clock
        self._copies = copies

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        """The answer a minute from now."""
        assert isinstance(timespan, timedelta)
        tables = sorted({table for table, _ in self.sent})
        arrivals = [Arrival(table, self.rows(table), self._clock.moment) for table in tables] * self._copies
        rows = _engine().query(kql, arrivals, now=self._clock.moment + timedelta(minutes=1), period=timespan)
        return [{name: _value(name, value) for name, value in row.items()} for row in rows]


@cache
def _engine() -> LocalKql:
    return LocalKql(all_tables(), function_schemas())


def _value(name: str, value: Any) -> Any:
    return parse_timestamp(value) if name in _TIMES and isinstance(value, str) and value else value

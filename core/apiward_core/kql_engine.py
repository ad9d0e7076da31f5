"""KQL without a workspace: what runs a query over given rows, for those that must not know who does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Arrival:
    """Rows that a table received at one moment, which `ingestion_time()` answers for each of them."""

    table: str
    rows: Sequence[Row]
    at: datetime


class KqlEngine(Protocol):
    """Tables and functions like those of a workspace, empty until a query brings its rows."""

    def query(self, kql: str, arrivals: Iterable[Arrival], *, now: datetime, period: timedelta | None) -> list[Row]:
        """The rows that `kql` returns when `arrivals` are all there is.

        `now()` is `now`, and with a `period` every table holds only what its TimeGenerated puts into that long before
        `now`. Values are those of the Log Analytics query API: a datetime is text with seven digits of a second, a
        dynamic value is JSON text. Raises RejectedDataError when the query cannot be run, or a row does not fit.
        """
        ...

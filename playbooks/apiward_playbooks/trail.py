"""Checks a run's audit trail, as the workspace has it, against what the run store remembers of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from apiward_core.clock import Clock, parse_timestamp, timestamp
from apiward_core.kql import bind
from apiward_core.logs import LogReader, Row
from apiward_core.tables import REMEDIATION, all_tables
from apiward_playbooks.audit import chained
from apiward_playbooks.runs import Run

_ROWS = """
DefenderApiRemediation_CL
| where RunId == run_id
| summarize arg_min(TimeGenerated, *) by RecordId
| order by Sequence asc, RecordId asc
"""
_AROUND = timedelta(days=2)  # the service may move TimeGenerated of a late row
_NOT_HASHED = ("RecordId", "PreviousHash", "TimeGenerated")


@dataclass(frozen=True)
class Trail:
    """The rows of a run's trail in order, and what is wrong with them; nothing is when it is whole."""

    rows: tuple[Row, ...]
    faults: tuple[str, ...]


class Auditor:
    """Reads trails."""

    def __init__(self, logs: LogReader, *, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock

    def trail(self, run: Run) -> Trail:
        """The trail of a run whose outbox is empty: altered, missing, added and cut rows are named."""
        period = parse_timestamp(run.created_at) - _AROUND, self._clock.now() + _AROUND
        rows = self._logs.query(bind(_ROWS, run_id=run.id), timespan=period)
        return Trail(tuple(rows), tuple(_faults(run, rows)))


def _faults(run: Run, rows: list[Row]) -> Iterator[str]:
    previous = ""
    for expected, row in enumerate(rows, 1):
        number = row["Sequence"]
        if number != expected:
            yield f"row {number} stands where row {expected} should be"
            return
        if row["PreviousHash"] != previous:
            yield f"row {number} does not follow the one before it"
        if chained(str(row["PreviousHash"]), _columns(row)).record_id != row["RecordId"]:
            yield f"row {number} is not what was written"
        previous = str(row["RecordId"])
    if previous != run.audit_head:
        yield f"it ends with row {len(rows)}, and the run store knows of {run.sequence}"


def _columns(row: Row) -> dict[str, Any]:
    columns = {name: row[name] for name in _hashed()}
    columns["OccurredAt"] = _moment(row["OccurredAt"])
    return columns | {name: _dynamic(row[name]) for name in ("Before", "After")}


def _hashed() -> list[str]:
    return [column.name for column in all_tables()[REMEDIATION].columns if column.name not in _NOT_HASHED]


def _moment(value: Any) -> str:
    return timestamp(value) if isinstance(value, datetime) else str(value)


def _dynamic(value: Any) -> Any:
    """A dynamic value: the query API gives it as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value) if value else None
    except orjson.JSONDecodeError:
        return value

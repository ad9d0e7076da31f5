"""Rows into the workspace: packed exactly, sent as gzip, bisected when too large, and never lost.

Limits from "Azure Monitor service limits, Logs Ingestion": 1 MB a call, compressed and uncompressed; 64 KB a field,
longer ones are cut by the service without a word, so they are cut here with a marker and counted.
"""

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient

from apiward_core.errors import AccessError, ApiwardError, RejectedDataError, azure_errors
from apiward_core.tables import Table

MAX_BODY = 1_048_576
MAX_FIELD = 65_536
CUT_MARKER = "...[cut by apiward]"
_FORBIDDEN = 403
_TOO_LARGE = 413
_NO_ROLE = (  # the service's own words name neither role nor scope
    "Grant the identity Monitoring Metrics Publisher on the data collection rule: apiward infra deploy --publisher "
    "OBJECT_ID. A new role may take half an hour to be felt."
)
_REFUSED = (
    "Check dcr_immutable_id and ingestion_endpoint. If both are right, the rule does not fit the table: "
    "run apiward infra deploy again."
)

Row = Mapping[str, Any]


class DeadLetters(Protocol):
    """Keeps what could not be sent, with the reason."""

    def add(self, stream: str, row: bytes, reason: str) -> None:
        """Keep one row, as the JSON that would have been sent."""
        ...


@dataclass
class SendReport:
    """What became of the rows: `sent` were acknowledged, `dead` are kept, `cut` counts shortened fields."""

    sent: int = 0
    dead: int = 0
    cut: int = 0


class LogSink(Protocol):
    """Where the connector and the playbooks send rows."""

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        """Send the rows; returns when each of them is acknowledged or kept as a dead letter."""
        ...


class WorkspaceSink:
    """Sends rows through one data collection rule (Logs Ingestion 2023-01-01)."""

    def __init__(self, client: LogsIngestionClient, *, dcr_immutable_id: str, dead_letters: DeadLetters) -> None:
        self._client = client
        self._rule = dcr_immutable_id
        self._dead_letters = dead_letters

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        """Send the rows in as few calls as the limit allows.

        A row that is too large for a call of its own, by our count or by the service's (413), becomes a dead letter.
        Raises AccessError, ThrottledError, TransientError and MissingError, and RejectedDataError when the service
        refuses the content of a call for any other reason; rows of the failed call and after it were not sent then.
        """
        report = SendReport()
        for batch in pack(self._serialise(table, rows, report)):
            self._send(table, batch, report)
        return report

    def _serialise(self, table: Table, rows: Iterable[Row], report: SendReport) -> Iterator[bytes]:
        for row in rows:
            data, cut = serialise(row)
            report.cut += cut
            if len(data) + 2 > MAX_BODY:
                self._bury(table, data, f"the row alone has {len(data)} bytes", report)
            else:
                yield data

    def _send(self, table: Table, batch: list[bytes], report: SendReport) -> None:
        body = io.BytesIO(gzip.compress(frame(batch), compresslevel=6, mtime=0))
        try:
            with azure_errors(f"sending {len(batch)} rows to {table.name}"):
                self._client.upload(self._rule, table.stream, body)
        except AccessError as error:
            if _status(error) != _FORBIDDEN:
                raise
            raise AccessError(error.message, remedy=_NO_ROLE) from error.__cause__
        except RejectedDataError as error:
            if _status(error) != _TOO_LARGE:
                raise type(error)(error.message, remedy=_REFUSED) from error.__cause__
            self._bisect(table, batch, report, error)
        else:
            report.sent += len(batch)

    def _bisect(self, table: Table, batch: list[bytes], report: SendReport, error: ApiwardError) -> None:
        if len(batch) == 1:
            self._bury(table, batch[0], str(error), report)
            return
        middle = len(batch) // 2
        self._send(table, batch[:middle], report)
        self._send(table, batch[middle:], report)

    def _bury(self, table: Table, row: bytes, reason: str, report: SendReport) -> None:
        self._dead_letters.add(table.stream, row, reason)
        report.dead += 1


def serialise(row: Row) -> tuple[bytes, int]:
    """The row as JSON, and how many of its fields had to be cut to 64 KB."""
    data = orjson.dumps(row, option=orjson.OPT_UTC_Z)
    if len(data) <= MAX_FIELD:
        return data, 0
    cut = {name: short for name, value in row.items() if (short := _cut(value)) is not None}
    return orjson.dumps({**row, **cut}, option=orjson.OPT_UTC_Z), len(cut)


def _cut(value: Any) -> str | None:
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if isinstance(value, dict | list) else ""
    encoded = text.encode()
    if len(encoded) <= MAX_FIELD:
        return None
    return encoded[: MAX_FIELD - len(CUT_MARKER)].decode(errors="ignore") + CUT_MARKER


def frame(rows: list[bytes]) -> bytes:
    """The rows as one JSON array."""
    return b"[" + b",".join(rows) + b"]"


def pack(rows: Iterable[bytes], *, limit: int = MAX_BODY) -> Iterator[list[bytes]]:
    """The rows in order, in lists whose JSON array takes at most `limit` bytes. No row may exceed `limit` - 2 bytes."""
    batch: list[bytes] = []
    size = 1  # the opening bracket; each row then costs itself and one comma or the closing bracket
    for row in rows:
        if batch and size + len(row) + 1 > limit:
            yield batch
            batch, size = [], 1
        batch.append(row)
        size += len(row) + 1
    if batch:
        yield batch


def _status(error: ApiwardError) -> int | None:
    cause = error.__cause__
    return cause.status_code if isinstance(cause, HttpResponseError) else None

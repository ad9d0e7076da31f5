"""Rows into the workspace: sent as gzip, bisected when too large, sifted when refused, and never lost."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient

from apiward_core.errors import AccessError, ApiwardError, RejectedDataError, azure_errors
from apiward_core.packing import MAX_BODY, Batch, Packer, batch_rows, cut_fields, frame, framed, unpacked
from apiward_core.sift import sift
from apiward_core.tables import Table, all_tables

_MALFORMED = 400
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
    """What became of the rows: `sent` were acknowledged, `dead` are kept, `cut` counts shortened fields.

    `unsent` are the rows, each as JSON, that are kept or were left out.
    """

    sent: int = 0
    dead: int = 0
    cut: int = 0
    unsent: list[bytes] = field(default_factory=list)

    def add(self, other: "SendReport") -> None:
        """Count what became of further rows."""
        self.sent += other.sent
        self.dead += other.dead
        self.cut += other.cut
        self.unsent += other.unsent


class LogSink(Protocol):
    """Where the connector and the playbooks send rows."""

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        """Send the rows; returns when each of them is acknowledged or kept as a dead letter."""
        ...


class BatchSink(LogSink, Protocol):
    """A sink that also takes rows that are packed already."""

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        """Send a batch, but for the rows whose RecordId is in `without`; returns as `send` does."""
        ...


class WorkspaceSink:
    """Sends rows through one data collection rule (Logs Ingestion 2023-01-01). May be used from several threads."""

    def __init__(self, client: LogsIngestionClient, *, dcr_immutable_id: str, dead_letters: DeadLetters) -> None:
        self._client = client
        self._rule = dcr_immutable_id
        self._dead_letters = dead_letters
        self._taken: set[str] = set()  # tables of which the service has taken rows, so that the rule fits them

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        """Send the rows in as few calls as the limit allows.

        A row that is too large for a call of its own, by our count or by the service's (413), becomes a dead letter,
        and so does one that it refuses (400) while it takes others of its table. Raises AccessError, ThrottledError,
        TransientError and MissingError, and RejectedDataError when the service refuses whatever it is sent; rows of the
        failed call and after it were not sent then.
        """
        packer, report = Packer(table), SendReport()
        for row in rows:
            for batch in packer.add([orjson.dumps(row, option=orjson.OPT_UTC_Z)]):
                report.add(self.deliver(batch))
        for batch in packer.flush():
            report.add(self.deliver(batch))
        return report

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        """Send a batch in one call, but for the rows whose RecordId is in `without`.

        What the service finds too large (413), or refuses though it takes other rows (400), is sent in smaller parts,
        down to the row that becomes a dead letter. Raises as `send` does.
        """
        table, left_out = all_tables()[batch.table], list[bytes]()
        if without:
            rows = batch_rows(batch)
            left_out = [row for row in rows if _record_id(row) in without]
            if left_out:
                cut = batch.cut - sum(map(cut_fields, left_out))
                batch = framed(table, [row for row in rows if _record_id(row) not in without], cut=cut)
        report = SendReport(cut=batch.cut, unsent=left_out)
        if batch.rows:
            self._send(table, batch, report)
        return report

    def _send(self, table: Table, batch: Batch, report: SendReport) -> None:
        if batch.rows == 1 and (size := len(unpacked(batch))) > MAX_BODY:
            self._bury(table, batch, f"The row alone has {size - len(frame([]))} bytes.", report)
            return
        try:
            self._call(table, batch)
        except RejectedDataError as error:
            if _status(error) == _TOO_LARGE:
                self._bisect(table, batch, report, error)
            elif _status(error) == _MALFORMED:
                self._sift(table, batch, report, error)
            else:
                raise
        else:
            report.sent += batch.rows

    def _call(self, table: Table, batch: Batch) -> None:
        try:
            with azure_errors(f"sending {batch.rows} rows to {table.name}"):
                self._client.upload(self._rule, table.stream, io.BytesIO(batch.body))
        except AccessError as error:
            if _status(error) != _FORBIDDEN:
                raise
            raise AccessError(error.message, remedy=_NO_ROLE) from error.__cause__
        except RejectedDataError as error:
            if _status(error) == _TOO_LARGE:
                raise
            raise type(error)(error.message, remedy=_REFUSED) from error.__cause__
        self._taken.add(table.name)

    def _sift(self, table: Table, batch: Batch, report: SendReport, error: ApiwardError) -> None:
        """Keep a row that nobody will ever take from holding up all that come after it."""
        rows = batch_rows(batch)
        if len(rows) > 1:
            refused = sift(rows, partial(self._refusal, table))
        else:
            refused = [(rows[0], str(error))] if table.name in self._taken else None
        if refused is None:
            raise error
        for row, why in refused:
            self._keep(table, row, why, report)
        report.sent += len(rows) - len(refused)

    def _refusal(self, table: Table, rows: Sequence[bytes]) -> str:
        try:
            self._call(table, framed(table, list(rows)))
        except RejectedDataError as error:
            if _status(error) not in (_MALFORMED, _TOO_LARGE):
                raise
            return str(error)
        return ""

    def _bisect(self, table: Table, batch: Batch, report: SendReport, error: ApiwardError) -> None:
        if batch.rows == 1:
            self._bury(table, batch, str(error), report)
            return
        rows, middle = batch_rows(batch), batch.rows // 2
        self._send(table, framed(table, rows[:middle]), report)
        self._send(table, framed(table, rows[middle:]), report)

    def _bury(self, table: Table, batch: Batch, reason: str, report: SendReport) -> None:
        [row] = batch_rows(batch)
        self._keep(table, row, reason, report)

    def _keep(self, table: Table, row: bytes, reason: str, report: SendReport) -> None:
        self._dead_letters.add(table.stream, row, reason)
        report.dead += 1
        report.unsent.append(row)


def _record_id(row: bytes) -> str:
    return str(orjson.loads(row).get("RecordId", ""))


def _status(error: ApiwardError) -> int | None:
    cause = error.__cause__
    return cause.status_code if isinstance(cause, HttpResponseError) else None

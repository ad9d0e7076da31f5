"""Rows into the workspace: packed exactly, sent as gzip, bisected when too large, and never lost.

Limits from "Azure Monitor service limits, Logs Ingestion": 1 MB a call, compressed and uncompressed; 64 KB a field,
longer ones are cut by the service without a word, so they are cut here with a marker and counted.
"""

import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, Protocol

import orjson
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient
from isal import igzip

from apiward_core.errors import AccessError, ApiwardError, RejectedDataError, azure_errors
from apiward_core.sift import sift
from apiward_core.tables import Table, all_tables

MAX_BODY = 1_048_576
MAX_FIELD = 65_536
CUT_MARKER = "...[cut by apiward]"
_LONGEST_CHARACTER = 4  # bytes in UTF-8
_LEVEL = 1  # a higher one saves a quarter of the bytes, which cost nothing, for twice the time
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table as one call sends them: `body` is the gzip of a JSON array of `rows` rows.

    `labels` counts the rows by the label that each was given; `cut` counts shortened fields.
    """

    table: str
    rows: int
    body: bytes
    labels: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0


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
                cut = batch.cut - sum(map(_cut_fields, left_out))
                batch = _framed(table, [row for row in rows if _record_id(row) not in without], cut=cut)
        report = SendReport(cut=batch.cut, unsent=left_out)
        if batch.rows:
            self._send(table, batch, report)
        return report

    def _send(self, table: Table, batch: Batch, report: SendReport) -> None:
        if batch.rows == 1 and (size := len(_unpacked(batch))) > MAX_BODY:
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
            self._call(table, _framed(table, list(rows)))
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
        self._send(table, _framed(table, rows[:middle]), report)
        self._send(table, _framed(table, rows[middle:]), report)

    def _bury(self, table: Table, batch: Batch, reason: str, report: SendReport) -> None:
        [row] = batch_rows(batch)
        self._keep(table, row, reason, report)

    def _keep(self, table: Table, row: bytes, reason: str, report: SendReport) -> None:
        self._dead_letters.add(table.stream, row, reason)
        report.dead += 1
        report.unsent.append(row)


class Packer:
    """Packs rows of a table, each as JSON, into as few batches as the limit of a call allows.

    Each call gives the batches that are full. Fields over 64 KB are cut, and counted in the batch that they are in.
    A row that exceeds the limit by itself is alone in a batch.
    """

    def __init__(self, table: Table, *, limit: int = MAX_BODY) -> None:
        self._table = table
        self._limit = limit
        self._clear()

    def add(self, rows: Sequence[bytes], labels: Sequence[str] = ()) -> Iterator[Batch]:
        """Add rows; `labels`, one for each row or none at all, are counted in the batch that a row is in."""
        cuts: Sequence[int] = ()
        if max(map(len, rows), default=0) > MAX_FIELD:
            short = [shortened(row) for row in rows]
            rows, cuts = [row for row, _ in short], [count for _, count in short]
        ends = list(accumulate(len(row) + 1 for row in rows))
        start = taken = 0
        while start < len(rows):
            stop = bisect_right(ends, self._limit - self._size + taken, lo=start)
            if stop == start and self._rows:
                yield from self.flush()
                continue
            stop = max(stop, start + 1)  # a row that exceeds the limit is alone
            self._rows += rows[start:stop]
            self._labels.update(labels[start:stop])
            self._cut += sum(cuts[start:stop])
            self._size += ends[stop - 1] - taken
            start, taken = stop, ends[stop - 1]

    def flush(self) -> Iterator[Batch]:
        """The batch of what is left, if anything is."""
        if self._rows:
            yield _framed(self._table, self._rows, labels=self._labels, cut=self._cut)
            self._clear()

    def _clear(self) -> None:
        self._rows: list[bytes] = []
        self._size = 1  # the opening bracket; each row then costs itself and one comma or the closing bracket
        self._labels: Counter[str] = Counter()
        self._cut = 0


def _framed(table: Table, rows: list[bytes], *, labels: Mapping[str, int] | None = None, cut: int = 0) -> Batch:
    body = igzip.compress(frame(rows), compresslevel=_LEVEL, mtime=0)
    return Batch(table.name, len(rows), body, dict(labels or {}), cut)


def batch_rows(batch: Batch) -> list[bytes]:
    """The rows of a batch, each as JSON."""
    return [orjson.dumps(row) for row in orjson.loads(_unpacked(batch))]


def _unpacked(batch: Batch) -> bytes:
    body: bytes = igzip.decompress(batch.body)  # type: ignore[no-untyped-call]  # isal 1.9.1 leaves this one without
    return body


def _record_id(row: bytes) -> str:
    return str(orjson.loads(row).get("RecordId", ""))


def shortened(row: bytes) -> tuple[bytes, int]:
    """A row of JSON with every field cut to 64 KB, and how many of its fields that were."""
    if len(row) <= MAX_FIELD:
        return row, 0
    document = orjson.loads(row)
    cut = {name: short for name, value in document.items() if (short := _cut(value)) is not None}
    return (orjson.dumps({**document, **cut}), len(cut)) if cut else (row, 0)


def _cut(value: Any) -> str | None:
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if isinstance(value, dict | list) else ""
    encoded = text.encode()
    if len(encoded) <= MAX_FIELD:
        return None
    return encoded[: MAX_FIELD - len(CUT_MARKER)].decode(errors="ignore") + CUT_MARKER


def _cut_fields(row: bytes) -> int:
    """How many fields of a row `shortened` has cut: they are as long as a field can be, and say so."""
    texts = (value for value in orjson.loads(row).values() if isinstance(value, str) and value.endswith(CUT_MARKER))
    return sum(len(text.encode()) > MAX_FIELD - _LONGEST_CHARACTER for text in texts)


def frame(rows: list[bytes]) -> bytes:
    """The rows as one JSON array."""
    if not rows:
        return b"[]"
    framed = [*rows]
    framed[0] = b"[" + framed[0]
    framed[-1] += b"]"
    return b",".join(framed)  # a megabyte, copied once


def _status(error: ApiwardError) -> int | None:
    cause = error.__cause__
    return cause.status_code if isinstance(cause, HttpResponseError) else None

"""Rows into the bodies of as few calls as the limits allow.

Limits from "Azure Monitor service limits, Logs Ingestion": 1 MB a call, compressed and uncompressed; 64 KB a field,
longer ones are cut by the service without a word, so they are cut here with a marker and counted.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import orjson
from isal import igzip

from apiward_core.tables import Table

MAX_BODY = 1_048_576
MAX_FIELD = 65_536
CUT_MARKER = "...[cut by apiward]"
_LONGEST_CHARACTER = 4  # bytes in UTF-8
_LEVEL = 1  # a higher one saves a quarter of the bytes, which cost nothing, for twice the time


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
            yield framed(self._table, self._rows, labels=self._labels, cut=self._cut)
            self._clear()

    def _clear(self) -> None:
        self._rows: list[bytes] = []
        self._size = 1  # the opening bracket; each row then costs itself and one comma or the closing bracket
        self._labels: Counter[str] = Counter()
        self._cut = 0


def framed(table: Table, rows: list[bytes], *, labels: Mapping[str, int] | None = None, cut: int = 0) -> Batch:
    """A batch of these rows, however large."""
    body = igzip.compress(frame(rows), compresslevel=_LEVEL, mtime=0)
    return Batch(table.name, len(rows), body, dict(labels or {}), cut)


def batch_rows(batch: Batch) -> list[bytes]:
    """The rows of a batch, each as JSON."""
    return [orjson.dumps(row) for row in orjson.loads(unpacked(batch))]


def unpacked(batch: Batch) -> bytes:
    """The body of a batch, uncompressed."""
    body: bytes = igzip.decompress(batch.body)  # type: ignore[no-untyped-call]  # isal 1.9.1 leaves this one without
    return body


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


def cut_fields(row: bytes) -> int:
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

"""Rows between the moment when a pass has fixed them and the one when the workspace has them.

They are written down before the state that accounts for them is saved, and sent after it. So a crash neither loses a
row nor makes it anew from a source that may have changed: the next run sends the very same bytes again, under the same
RecordIds.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from apiward_core.errors import ConfigurationError
from apiward_core.ingest import BatchSink, SendReport
from apiward_core.objects import ObjectStore
from apiward_core.packing import Batch, Packer
from apiward_core.tables import all_tables

_SEGMENT = 4 * 1024 * 1024  # bytes kept in memory and written at a time
_LENGTH = struct.Struct("<I")


class Outbox:
    """The rows of one scope, as objects under `folder`, a folder for each pass."""

    def __init__(self, objects: ObjectStore, folder: str) -> None:
        self._objects = objects
        self._folder = folder

    def writer(self, name: str) -> "OutboxWriter":
        """Writes the rows of the pass with this name."""
        return OutboxWriter(self._objects, f"{self._folder}/{name}")

    def strays(self, name: str) -> list[str]:
        """The objects of passes that ended before they were accounted for; `name` is the one that was."""
        own = f"{self._folder}/{name}/"
        return [segment for segment in self._objects.names(f"{self._folder}/") if not segment.startswith(own)]

    def discard_all_but(self, name: str) -> None:
        """Delete what passes left that ended before they were accounted for; `name` is the one that was."""
        for segment in self.strays(name):
            self._objects.delete(segment)

    def owed(self, name: str) -> int:
        """How many rows of a pass are not known to have arrived."""
        return sum(batch.rows for segment in self._segments(name) for batch in self._batches(segment))

    def deliver(
        self, name: str, sink: BatchSink, *, without: frozenset[str], on_batch: Callable[[Batch, SendReport], None]
    ) -> None:
        """Send what is left of a pass, but for the rows whose RecordId is in `without`.

        A segment is deleted when all of it was acknowledged or kept as dead letters. Raises what the sink raises.
        """
        for segment in self._segments(name):
            for batch in self._batches(segment):
                on_batch(batch, sink.deliver(batch, without=without))
            self._objects.delete(segment)

    def _segments(self, name: str) -> list[str]:
        return self._objects.names(f"{self._folder}/{name}/") if name else []

    def _batches(self, segment: str) -> Iterator[Batch]:
        stored = self._objects.read(segment)
        return _decode(segment, stored.data) if stored else iter(())


class OutboxWriter:
    """Packs rows and writes them down. Nothing is certain to be kept before `close`."""

    def __init__(self, objects: ObjectStore, folder: str) -> None:
        self._objects = objects
        self._folder = folder
        self._packers: dict[str, Packer] = {}
        self._written = 0
        self._batches: list[bytes] = []
        self.rows: Counter[str] = Counter()
        """How many rows of each table were added."""

    def add(self, table: str, rows: Sequence[bytes], labels: Sequence[str] = ()) -> None:
        """Add rows, as JSON, of a table; labels are to count them by when they have arrived."""
        packer = self._packers.get(table) or self._packers.setdefault(table, Packer(all_tables()[table]))
        self.rows[table] += len(rows)
        for batch in packer.add(rows, labels):
            self._keep(batch)

    def close(self) -> None:
        """Write down what is left."""
        for packer in self._packers.values():
            for batch in packer.flush():
                self._keep(batch)
        self._write()

    def _keep(self, batch: Batch) -> None:
        self._batches.append(_encode(batch))
        if sum(map(len, self._batches)) >= _SEGMENT:
            self._write()

    def _write(self) -> None:
        if self._batches:
            self._written += 1
            self._objects.put(f"{self._folder}/{self._written:06}", b"".join(self._batches))
            self._batches = []


def _encode(batch: Batch) -> bytes:
    header = {"table": batch.table, "rows": batch.rows, "labels": batch.labels, "cut": batch.cut}
    said = orjson.dumps(header)
    return b"".join((_LENGTH.pack(len(said)), said, _LENGTH.pack(len(batch.body)), batch.body))


def _decode(segment: str, data: bytes) -> Iterator[Batch]:
    at = 0
    try:
        while at < len(data):
            header, at = _part(data, at)
            body, at = _part(data, at)
            said: Mapping[str, Any] = orjson.loads(header)
            yield Batch(said["table"], said["rows"], body, said["labels"], said["cut"])
    except (struct.error, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(
            f"{segment}, which holds rows that are to be sent, is damaged ({error}).",
            remedy="Restore it from a copy, or delete it: the rows in it are lost then.",
        ) from error


def _part(data: bytes, at: int) -> tuple[bytes, int]:
    [length] = _LENGTH.unpack_from(data, at)
    start = at + _LENGTH.size
    end = start + length
    if end > len(data):
        raise ValueError("it is not whole")
    return data[start:end], end

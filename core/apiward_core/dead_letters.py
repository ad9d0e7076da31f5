"""Rows that could not be sent, kept until somebody sends them again."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import orjson

from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ConfigurationError, RejectedDataError
from apiward_core.files import private_file
from apiward_core.objects import ObjectStore
from apiward_core.tables import all_tables

_PREFIX = "dead-letters/"
_NAME = re.compile(rf"{_PREFIX}([^/]+)/([0-9tz.]+)-([0-9]+)-([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Letter:
    """A row that could not be sent, as JSON: since when, why, and how often it was tried again."""

    at: str
    reason: str
    row: bytes
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """The name of an object that holds dead letters: `rows` of them, of one stream, `time` when it was made."""

    stream: str
    time: str
    rows: int
    id: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The bundle of that name, None for any other name."""
        found = _NAME.fullmatch(name)
        return cls(_stream(found[1]), found[2], int(found[3]), found[4]) if found else None

    @property
    def name(self) -> str:
        """The name of the object."""
        return f"{_PREFIX}{self.stream.lower()}/{self.time}-{self.rows}-{self.id}"


class ObjectDeadLetters:
    """Dead letters in an object store: JSON lines, one object for all that were given at once.

    The name of an object says its stream, its age and how many rows it holds, so that counting reads none of them.
    """

    def __init__(self, objects: ObjectStore, *, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock

    def add(self, stream: str, row: bytes, reason: str) -> None:
        """Keep one row, given as JSON; it is durable when this returns."""
        self.add_all(stream, [row], reason)

    def add_all(self, stream: str, rows: Iterable[bytes], reason: str) -> None:
        """Keep rows that could not be sent for one reason; they are durable when this returns."""
        at = timestamp(self._clock.now())
        self.keep(stream, [Letter(at, reason, row) for row in rows])

    def keep(self, stream: str, letters: Sequence[Letter]) -> None:
        """Keep letters of one stream; they are durable when this returns."""
        time = re.sub("[-:]", "", timestamp(self._clock.now()).lower())
        if letters:
            self._put(Bundle(stream, time, len(letters), uuid4().hex[:12]), letters)

    def bundles(self) -> list[Bundle]:
        """What is kept, by stream and the oldest first."""
        return [bundle for name in self._objects.names(_PREFIX) if (bundle := Bundle.parse(name))]

    def counts(self) -> dict[str, int]:
        """How many rows are kept of each stream."""
        counts: Counter[str] = Counter()
        for bundle in self.bundles():
            counts[bundle.stream] += bundle.rows
        return dict(counts)

    def read(self, bundle: Bundle) -> tuple[Letter, ...]:
        """The letters of a bundle; none when it is gone. Raises RejectedDataError when the object is damaged."""
        stored = self._objects.read(bundle.name)
        return _decode(bundle.name, stored.data) if stored else ()

    def settle(self, bundle: Bundle, remaining: Sequence[Letter]) -> None:
        """Replace the letters of a bundle by those that remain. A crash meanwhile keeps a letter twice, never none."""
        shrunk = replace(bundle, rows=len(remaining))
        if remaining:
            self._put(shrunk, remaining)
        if not remaining or shrunk != bundle:
            self._objects.delete(bundle.name)

    def _put(self, bundle: Bundle, letters: Iterable[Letter]) -> None:
        self._objects.put(bundle.name, b"".join(map(_encode, letters)))


def _stream(segment: str) -> str:
    """The stream that a lower-case name stands for; the name itself when no table has that stream any more."""
    return next((table.stream for table in all_tables().values() if table.stream.lower() == segment), segment)


def _encode(letter: Letter) -> bytes:
    line = {"at": letter.at, "reason": letter.reason, "tried": letter.tried, "row": orjson.Fragment(letter.row)}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _decode(name: str, data: bytes) -> tuple[Letter, ...]:
    try:
        return tuple(_letter(orjson.loads(line)) for line in data.splitlines())
    except (ValueError, KeyError, TypeError) as error:
        raise RejectedDataError(
            f"{name} is damaged: it holds a line that is no dead letter.",
            remedy="Restore it from a copy, or save what it holds and delete it.",
        ) from error


def _letter(said: Any) -> Letter:
    return Letter(str(said["at"]), str(said["reason"]), orjson.dumps(said["row"]), int(said["tried"]))


class FolderDeadLetters:
    """One JSON-lines file per stream; each line holds the time, the reason and the row."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def add(self, stream: str, row: bytes, reason: str) -> None:
        """Append one row and force it to disk. Raises ConfigurationError when the folder cannot be written."""
        entry = {"at": timestamp(self._clock.now()), "reason": reason, "row": orjson.Fragment(row)}
        try:
            with private_file(self._folder / f"{stream}.jsonl").open("ab") as file:
                file.write(orjson.dumps(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigurationError(
                f"Dead letters cannot be kept in {self._folder}: {error.strerror}.", remedy="Make state_dir writable."
            ) from error

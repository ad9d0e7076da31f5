"""Sends dead letters again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import orjson

from apiward_core.dead_letters import Bundle, Letter, ObjectDeadLetters
from apiward_core.errors import IncompleteError, MissingError, RejectedDataError
from apiward_core.ingest import DeadLetters, LogSink
from apiward_core.tables import Table, all_tables

_NO_TABLE = "no table has this stream any more"


@dataclass(frozen=True, slots=True)
class StreamReplay:
    """What became of the dead letters of one stream: rows sent, rows still kept, and every reason why."""

    stream: str
    sent: int
    kept: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of all dead letters that there were."""

    streams: tuple[StreamReplay, ...]

    @property
    def exit_code(self) -> int:
        """0 when none remains, else 4."""
        return IncompleteError.exit_code if any(stream.kept for stream in self.streams) else 0


class Replay:
    """Sends every dead letter once more. `sink` makes a sink that hands over what it cannot send.

    A row keeps its RecordId, so one that arrives twice, after a crash between send and delete, counts once. A row of
    more than two days gets another TimeGenerated from the service; its ObservedAt stays.
    """

    def __init__(self, dead_letters: ObjectDeadLetters, sink: Callable[[DeadLetters], LogSink]) -> None:
        self._dead_letters = dead_letters
        self._sink = sink
        self._tables = {table.stream: table for table in all_tables().values()}

    def run(self) -> ReplayReport:
        """Send what is kept now; what fails again stays, with the new reason, and waits for the next replay.

        Raises AccessError, ThrottledError, TransientError and MissingError: the rest would fail as well. All that was
        not acknowledged by then is still kept.
        """
        tallies: dict[str, _Tally] = {}
        for bundle in self._dead_letters.bundles():
            tally = tallies.setdefault(bundle.stream, _Tally())
            try:
                letters = self._dead_letters.read(bundle)
            except RejectedDataError as error:
                tally.keep(bundle.rows, [str(error)])
                continue
            remaining = self._replay(bundle, letters)
            tally.sent += len(letters) - len(remaining)
            tally.keep(len(remaining), [letter.reason for letter in remaining])
        return ReplayReport(tuple(tally.report(stream) for stream, tally in tallies.items()))

    def _replay(self, bundle: Bundle, letters: Sequence[Letter]) -> Sequence[Letter]:
        """Send what can be sent and keep the rest; gives the rest."""
        table = self._tables.get(bundle.stream)
        if table is None:
            return [replace(letter, reason=_NO_TABLE) for letter in letters]
        whole = [letter for letter in letters if _is_row(letter)]
        remaining = [letter for letter in letters if not _is_row(letter)] + self._send(table, whole)
        if remaining != list(letters):
            self._dead_letters.settle(bundle, remaining)
        return remaining

    def _send(self, table: Table, letters: Sequence[Letter]) -> list[Letter]:
        """Send the rows of the letters; gives letters of those that failed again."""
        if not letters:
            return []
        returned = _Returned(letters)
        try:
            self._sink(returned).send(table, (orjson.loads(letter.row) for letter in letters))
        except MissingError:
            raise
        except RejectedDataError as error:
            return [_tried_again(letter, str(error)) for letter in letters]
        return returned.letters


class _Returned:
    """Takes the rows that a sink cannot send, as dead letters; `sent` are the letters of all that it was given."""

    def __init__(self, sent: Iterable[Letter]) -> None:
        self._sent = {letter.row: letter for letter in sent}
        self.letters: list[Letter] = []

    def add(self, stream: str, row: bytes, reason: str) -> None:
        del stream
        any_of_them = next(iter(self._sent.values()))  # for a row that the sink had to write otherwise
        self.letters.append(_tried_again(replace(self._sent.get(row, any_of_them), row=row), reason))


def _is_row(letter: Letter) -> bool:
    return letter.row.startswith(b"{")


def _tried_again(letter: Letter, reason: str) -> Letter:
    return replace(letter, reason=reason, tried=letter.tried + 1)


@dataclass
class _Tally:
    sent: int = 0
    kept: int = 0
    reasons: dict[str, None] = field(default_factory=dict)  # in the order in which they were met

    def keep(self, rows: int, reasons: Iterable[str]) -> None:
        self.kept += rows
        self.reasons.update(dict.fromkeys(reasons))

    def report(self, stream: str) -> StreamReplay:
        return StreamReplay(stream, self.sent, self.kept, tuple(self.reasons))

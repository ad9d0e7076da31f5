"""Where runs are kept: one record per run, changed only by compare-and-set."""

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from apiward_core.errors import ConfigurationError, ConflictError, MissingError
from apiward_playbooks.runs import ENDED, Run
from apiward_playbooks.sqlite_file import connection_to

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY,
  etag INTEGER NOT NULL,
  finding_id TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at TEXT NOT NULL,
  record BLOB NOT NULL
) STRICT;
"""
_ENDED = ", ".join(f"'{state}'" for state in sorted(ENDED))
_ONE_OPEN_RUN = f"CREATE UNIQUE INDEX IF NOT EXISTS one_open_run ON runs (finding_id) WHERE state NOT IN ({_ENDED});"
_RUN = TypeAdapter(Run)


class RunStore(Protocol):
    """Keeps runs. An etag is the version of a record; a write against an old one is refused."""

    def add(self, run: Run) -> None:
        """Keep a new run. Raises ConflictError when its finding has an open run already."""
        ...

    def load(self, run_id: str) -> tuple[Run, int]:
        """A run and its etag. Raises MissingError when there is none."""
        ...

    def save(self, run: Run, etag: int) -> int:
        """Replace a run if its etag is still `etag`; returns the new one. Raises ConflictError otherwise."""
        ...

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        ...


class SqliteRunStore:
    """Runs in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, run: Run) -> None:
        """Keep a new run. Raises ConflictError when its finding has an open run already."""
        row = (run.id, run.target.finding_id, run.state, run.created_at, _encode(run))
        with self._connection() as connection:
            try:
                connection.execute("INSERT INTO runs VALUES (?, 1, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise _has_open_run(run) from error

    def load(self, run_id: str) -> tuple[Run, int]:
        """A run and its etag. Raises MissingError when there is none."""
        with self._connection() as connection:
            found = connection.execute("SELECT record, etag FROM runs WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            raise MissingError(f"There is no run {run_id!r} in {self._path}.", remedy="See apiward remediate list.")
        return _decode(found[0]), found[1]

    def save(self, run: Run, etag: int) -> int:
        """Replace a run if its etag is still `etag`; returns the new one. Raises ConflictError otherwise."""
        with self._connection() as connection:
            try:
                done = connection.execute(
                    "UPDATE runs SET etag = etag + 1, state = ?, record = ? WHERE id = ? AND etag = ?",
                    (run.state, _encode(run), run.id, etag),
                )
            except sqlite3.IntegrityError as error:
                raise _has_open_run(run) from error
            if done.rowcount == 0:
                raise ConflictError(f"Run {run.id} was changed by somebody else.", remedy="Load it again.")
        return etag + 1

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        with self._connection() as connection:
            rows = connection.execute("SELECT record FROM runs ORDER BY created_at, id").fetchall()
        return [_decode(row[0]) for row in rows]

    def _connection(self) -> AbstractContextManager[sqlite3.Connection]:
        return connection_to(self._path, _SCHEMA + _ONE_OPEN_RUN)


def _has_open_run(run: Run) -> ConflictError:
    return ConflictError(
        f"Finding {run.target.finding_id} has an open run already.",
        remedy="Finish, reject, roll back or abandon that run first (apiward remediate list).",
    )


def _encode(run: Run) -> bytes:
    return orjson.dumps(_RUN.dump_python(run, mode="json"))


def _decode(record: bytes) -> Run:
    try:
        return _RUN.validate_json(record)
    except ValidationError as error:
        raise ConfigurationError(
            f"The run store holds a record that cannot be read: {error.error_count()} faults.",
            remedy="It was damaged or written by another version; restore the file, or move it away to start anew.",
        ) from None  # the fault itself would print the record

"""Connector state in a folder: one file per scope, and a small database of leases."""

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from apiward_connector.state import Lease, ScopeState
from apiward_connector.state_file import decode, encode
from apiward_core.clock import Clock, parse_timestamp, timestamp
from apiward_core.errors import ConfigurationError, ConflictError, TransientError
from apiward_core.files import private_file

_LEASE_TIME = timedelta(minutes=15)
_BUSY_SECONDS = 30.0
_UNSAFE = re.compile(r"[^a-z0-9.]+")


class FolderStateStore:
    """A StateStore for one machine. `lease_time` is how long a holder that died keeps others out.

    Leases are in SQLite, because its locks work between processes on every platform and end with the process. Its write
    lock also makes compare-and-set of a state file one step.
    """

    def __init__(self, folder: Path, *, clock: Clock, lease_time: timedelta = _LEASE_TIME) -> None:
        self._folder = folder
        self._clock = clock
        self._lease_time = lease_time

    def load(self, scope: str) -> tuple[ScopeState, str | None]:
        """The state and its etag; an empty state and None for a scope that has none.

        Raises ConfigurationError when the file cannot be read or is not the state of this scope.
        """
        path = self._path(scope)
        data = self._read(path)
        return (ScopeState(), None) if data is None else (decode(scope, data, place=str(path)), _etag(data))

    def save(self, scope: str, state: ScopeState, etag: str | None) -> str:
        """Replace the state that has `etag` and return the new etag. Raises ConflictError when it has another one."""
        path, data = self._path(scope), encode(scope, state)
        with self._transaction():
            known = self._read(path)
            if (_etag(known) if known is not None else None) != etag:
                raise ConflictError(f"The state of {scope} changed since it was read.", remedy="Run again.")
            self._replace(path, data)
        return _etag(data)

    @contextmanager
    def lease(self, scope: str) -> Iterator[Lease]:
        """Hold the scope. Raises ConflictError while another holder does; one that died holds it until it expires."""
        holder = uuid4().hex
        self._take(scope, holder)
        try:
            yield _FolderLease(partial(self._extend, scope, holder), clock=self._clock, pause=self._lease_time / 3)
        finally:
            with self._transaction() as leases:
                leases.execute("DELETE FROM lease WHERE scope = ? AND holder = ?", (scope, holder))

    def _take(self, scope: str, holder: str) -> None:
        now = self._clock.now()
        with self._transaction() as leases:
            row = leases.execute("SELECT expires FROM lease WHERE scope = ?", (scope,)).fetchone()
            if row is not None and parse_timestamp(row[0]) > now:
                raise ConflictError(
                    f"Another run works on {scope}; unless it renews, its lease ends {row[0]}.",
                    remedy="Wait until that run has ended.",
                )
            expires = timestamp(now + self._lease_time)
            leases.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (scope, holder, expires))

    def _extend(self, scope: str, holder: str) -> None:
        expires = timestamp(self._clock.now() + self._lease_time)
        with self._transaction() as leases:
            change = "UPDATE lease SET expires = ? WHERE scope = ? AND holder = ?"
            if leases.execute(change, (expires, scope, holder)).rowcount != 1:
                raise ConflictError(f"Another run took over {scope}.", remedy="Run again; nothing was lost.")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        path = private_file(self._folder / "leases.sqlite")
        try:
            database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closing(database), database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("CREATE TABLE IF NOT EXISTS lease (scope TEXT PRIMARY KEY, holder TEXT, expires TEXT)")
                yield database
        except sqlite3.Error as error:
            raise TransientError(
                f"The leases in {self._folder} cannot be used: {error}.", remedy="Check state_dir and its disk."
            ) from error

    def _replace(self, path: Path, data: bytes) -> None:
        new = path.with_suffix(".new")
        with self._writable():
            with private_file(new).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            _sync_folder(self._folder)

    def _read(self, path: Path) -> bytes | None:
        with self._writable():
            return path.read_bytes() if path.exists() else None

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"Connector state cannot be kept in {self._folder}: {error.strerror}.",
                remedy="Make state_dir readable and writable.",
            ) from error

    def _path(self, scope: str) -> Path:
        name = _UNSAFE.sub("-", scope.lower()).strip("-.")
        return self._folder / f"{name}-{hashlib.sha256(scope.encode()).hexdigest()[:8]}.state"


class _FolderLease:
    def __init__(self, extend: Callable[[], None], *, clock: Clock, pause: timedelta) -> None:
        self._extend = extend
        self._clock = clock
        self._pause = pause
        self._extended = clock.now()

    def renew(self) -> None:
        """Keep the scope; writes only when a third of the lease time has passed."""
        if self._clock.now() - self._extended >= self._pause:
            self._extend()
            self._extended = self._clock.now()


def _sync_folder(folder: Path) -> None:
    with suppress(PermissionError):  # Windows opens no folders; there the rename is durable without
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

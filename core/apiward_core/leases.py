"""Who may work on what: leases kept as objects, taken and renewed by compare-and-set."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

import orjson

from apiward_core.clock import Clock, parse_timestamp, timestamp
from apiward_core.errors import ApiwardError, ConflictError
from apiward_core.objects import ObjectStore, Stored

LEASE_TIME = timedelta(minutes=15)


class HeldError(ConflictError):
    """Somebody else holds the name."""


class Lease(Protocol):
    """A name that one holds."""

    def renew(self) -> None:
        """Keep it; cheap, so call it often. Raises ConflictError when somebody else has it now."""
        ...


class Leases:
    """Leases in an object store. A holder that died keeps others out for at most `lease_time`.

    Machines whose clocks differ may take a lease that its holder still counts on. That holder learns of it at its next
    renewal that writes, at the latest when it saves: compare-and-set lets only one of the two through.
    """

    def __init__(self, objects: ObjectStore, *, clock: Clock, lease_time: timedelta = LEASE_TIME) -> None:
        self._objects = objects
        self._clock = clock
        self._time = lease_time

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease]:
        """Hold `name`, the name of an object, until the block ends. Raises HeldError while somebody else does."""
        lease = _Held(self._objects, name, clock=self._clock, lease_time=self._time)
        lease.take()
        try:
            yield lease
        finally:
            with suppress(ApiwardError):  # what was done under it is done; a lease that is not given back expires
                lease.release()


@dataclass(frozen=True, slots=True)
class _Record:
    """What the object says; nobody holds it when `holder` is empty or `expires` has passed."""

    holder: str
    expires: datetime

    def encode(self) -> bytes:
        return orjson.dumps({"holder": self.holder, "expires": timestamp(self.expires)})


def _decode(data: bytes) -> _Record | None:
    """None for what is no lease: whoever wrote over it or damaged it holds nothing."""
    try:
        said = orjson.loads(data)
        return _Record(str(said["holder"]), parse_timestamp(said["expires"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


class _Held:
    def __init__(self, objects: ObjectStore, name: str, *, clock: Clock, lease_time: timedelta) -> None:
        self._objects = objects
        self._name = name
        self._clock = clock
        self._time = lease_time
        self._holder = uuid4().hex
        self._etag: str | None = None
        self._extended = clock.now()
        self._one_at_a_time = threading.Lock()

    def take(self) -> None:
        stored = self._require_free()
        self._etag = stored.etag if stored else None
        try:
            self._extend()
        except ConflictError:
            self._require_free()  # somebody took it at the same moment; any other conflict is told as what it is
            raise

    def _require_free(self) -> Stored | None:
        stored = self._objects.read(self._name)
        record = _decode(stored.data) if stored else None
        if record and record.holder and record.expires > self._clock.now():
            raise HeldError(
                f"Another run holds {self._name} until {timestamp(record.expires)}, longer if it goes on.",
                remedy="Wait until it has ended. If it ended long ago under a wrong clock, delete that object.",
            )
        return stored

    def renew(self) -> None:
        """Writes only when a third of the lease time has passed, or the clock was set back."""
        with self._one_at_a_time:
            if not timedelta(0) <= self._clock.now() - self._extended < self._time / 3:
                self._extend()

    def release(self) -> None:
        with self._one_at_a_time:
            self._write(_Record("", self._clock.now()))

    def _extend(self) -> None:
        now = self._clock.now()
        self._write(_Record(self._holder, now + self._time))
        self._extended = now

    def _write(self, record: _Record) -> None:
        try:
            self._etag = self._objects.write(self._name, record.encode(), etag=self._etag)
        except ConflictError as error:
            raise ConflictError(
                f"Another run took over {self._name}.", remedy="Run again when it has ended; nothing was lost."
            ) from error

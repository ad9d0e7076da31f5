"""Where things persist: named bytes, each changed by compare-and-set.

What a store keeps is connector state, rows on their way, caches of reference data, dead letters and leases.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from apiward_core.errors import ConflictError

MAX_NAME = 200  # with a suffix it is still the name of one file on every platform
_SEGMENT = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_PREFIX = re.compile(r"[a-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read. `etag` is for the next write of it."""

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Named bytes. Names are segments of [a-z0-9._-] joined by "/"; listing is by prefix.

    Every method raises the errors of `apiward_core.errors`, and ValueError for what is no name. May be used from
    several threads.
    """

    def read(self, name: str) -> Stored | None:
        """The object, or None when there is none."""
        ...

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        """Compare-and-set: `etag` is the one that was read, None when there must be no such object yet.

        Returns the new etag once the bytes are durable. Raises ConflictError when somebody else wrote it meanwhile.
        A write of the very bytes that are there is done already, whatever `etag` says: a request whose answer was lost
        is sent again. So whoever competes for an object writes bytes of his own.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write durably whatever was there, for objects that only the holder of a lease writes."""
        ...

    def delete(self, name: str) -> None:
        """Remove the object; no error when there is none."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names that start with `prefix`, ascending."""
        ...


def checked_name(name: str) -> str:
    """`name`, if it is one. Raises ValueError otherwise."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise ValueError(f"{name!r} is no name of an object")
    return name


def checked_prefix(prefix: str) -> str:
    """`prefix`, if names can start with it. Raises ValueError otherwise."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"no name of an object starts with {prefix!r}")
    return prefix


def changed_meanwhile(name: str, place: str) -> ConflictError:
    """The error for an object in `place` that is not what was read any more."""
    return ConflictError(
        f"{name} in {place} changed since it was read.", remedy="Another run works on it. Run again when it has ended."
    )

"""Reference data that is read once a UTC day and kept in between.

An object is zstd-compressed JSON lines: a head that says what it is, one line for each item, and an end that counts
them, so that neither reading nor writing needs more memory than one item, and a part is never taken for the whole. The
end also says what could not be read: each run that uses the object tells it.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
import zstandard

from apiward_connector.finding import Unreadable, digest
from apiward_connector.report import Gap
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError
from apiward_core.objects import ObjectStore

_VERSION = 1
_DAY = slice(10)
_RENEW_EVERY = 1000
_NAMED = 20
_WHAT_LENGTH = 300

Value = TypeVar("Value")
Tell = Callable[[Gap], None]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Value]):
    """A kind of reference data.

    `name` names its object, `what` completes "... of /subscriptions/{id}". `read` gives its items, of a subscription by
    its id, as the service has them: values that JSON can hold. `build` makes of such items what is looked up.
    """

    name: str
    what: str
    read: Callable[[str], Iterable[Any]]
    build: Callable[[Iterator[Any]], Value]


@dataclass(frozen=True, slots=True)
class Kept(Generic[Value]):
    """Reference data, when it was read, as an ISO 8601 time, and which items were unreadable then.

    `digest` stands for all of it.
    """

    value: Value
    read_at: str
    unreadable: tuple[str, ...]
    digest: str

    @property
    def day(self) -> str:
        """The UTC day on which it was read."""
        return self.read_at[_DAY]


class DailyCache:
    """Keeps reference data as objects; used by the holder of the subscription's lease, for one read of all kinds.

    `tell` hears of what could not be read, `renew` is called now and then while something is read.
    """

    def __init__(
        self, objects: ObjectStore, clock: Clock, subscription_id: str, *, tell: Tell, renew: Callable[[], None]
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._subscription_id = subscription_id
        self._tell = tell
        self._renew = renew

    def get(self, kind: Kind[Value]) -> Kept[Value]:
        """What was read today, else what can be read now, else what was read last.

        Raises the errors of `apiward_core.errors` when it cannot be read and nothing was kept, and when nobody can tell
        whether anything was.
        """
        return self._told(kind, self._latest(kind, self._kept(kind)))

    def find(self, kind: Kind[Value]) -> Kept[Value] | None:
        """As `get`, but None when it cannot be read and nothing was kept, which is told.

        Raises what the store raises: if what was kept counted as unknown, every finding that it is joined onto would
        seem to have changed.
        """
        kept = self._kept(kind)
        try:
            return self._told(kind, self._latest(kind, kept))
        except ApiwardError as error:
            self._tell(Gap(self._what(kind), f"{error} Nothing is known of it."))
            return None

    def _latest(self, kind: Kind[Value], kept: Kept[Value] | None) -> Kept[Value]:
        if kept is not None and kept.day == timestamp(self._clock.now())[_DAY]:
            return kept
        try:
            return self._refresh(kind)
        except ApiwardError as error:
            if kept is None:
                raise
            self._tell(Gap(self._what(kind), f"{error} What was read on {kept.day} is used."))
            return kept

    def renewed(self, kind: Kind[Value]) -> Value | None:
        """What can be read now, whatever was kept; None when it cannot be read, which is told."""
        try:
            return self._told(kind, self._refresh(kind)).value
        except ApiwardError as error:
            self._tell(Gap(self._what(kind), f"{error} What was read before is used."))
            return None

    def _told(self, kind: Kind[Value], kept: Kept[Value]) -> Kept[Value]:
        for item in kept.unreadable:
            self._tell(Gap(self._what(kind), item))
        return kept

    def _refresh(self, kind: Kind[Value]) -> Kept[Value]:
        self._renew()  # the kind before may have taken minutes to fail
        read_at = timestamp(self._clock.now())
        data = _encode(kind.name, read_at, self._items(kind))
        try:
            self._objects.put(self._name(kind), data)
        except ApiwardError as error:  # it is read all the same, and will be read again in the next run
            self._tell(Gap(self._what(kind), f"It could not be kept: {error}"))
        return _decode(kind, data)

    def _kept(self, kind: Kind[Value]) -> Kept[Value] | None:
        stored = self._objects.read(self._name(kind))
        if stored is None:
            return None
        try:
            return _decode(kind, stored.data)
        except _DamagedError as error:
            self._tell(Gap(self._what(kind), f"{self._name(kind)}, in which it was kept, {error}."))
            return None

    def _items(self, kind: Kind[Any]) -> Iterator[Any]:
        for number, item in enumerate(kind.read(self._subscription_id)):
            if number % _RENEW_EVERY == 0:
                self._renew()
            yield item

    def _name(self, kind: Kind[Any]) -> str:
        return f"subscriptions/{self._subscription_id}/reference/{kind.name}"

    def _what(self, kind: Kind[Any]) -> str:
        return f"{kind.what} of /subscriptions/{self._subscription_id}"


class _DamagedError(Exception):
    """Says of an object why it cannot be used."""


class _Refused:
    """The items that could not be read; the first twenty are named."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self._others = 0

    def add(self, item: Unreadable) -> None:
        if len(self._named) < _NAMED:
            self._named.append(f"{item.what[:_WHAT_LENGTH]}: {item.why}")
        else:
            self._others += 1

    @property
    def texts(self) -> list[str]:
        return [*self._named, f"{self._others} more items could not be read either."] if self._others else self._named


def _encode(name: str, read_at: str, items: Iterable[Any]) -> bytes:
    data, count, refused = io.BytesIO(), 0, _Refused()
    with zstandard.ZstdCompressor(write_checksum=True).stream_writer(data, closefd=False) as stream:
        stream.write(_line({"kind": name, "version": _VERSION, "read_at": read_at}))
        for item in items:
            if isinstance(item, Unreadable):
                refused.add(item)
            else:
                stream.write(_line(item))
                count += 1
        stream.write(_line({"items": count, "unreadable": refused.texts}))
    return data.getvalue()


def _line(value: Any) -> bytes:
    return orjson.dumps(value, default=tuple, option=orjson.OPT_APPEND_NEWLINE)


def _decode(kind: Kind[Value], data: bytes) -> Kept[Value]:
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as stream:
            lines = map(orjson.loads, io.BufferedReader(stream))
            head = next(lines, None)
            if not isinstance(head, dict) or (head.get("kind"), head.get("version")) != (kind.name, _VERSION):
                raise _DamagedError("is something else, or of another version")
            end: dict[str, Any] = {}
            value = kind.build(_items(lines, end))
            return Kept(value, str(head["read_at"]), tuple(end.get("unreadable", ())), digest(data))
    except (zstandard.ZstdError, ValueError, TypeError, LookupError) as error:
        raise _DamagedError(f"is damaged ({error})") from error


def _items(lines: Iterator[Any], end: dict[str, Any]) -> Iterator[Any]:
    """The items; what the last line says is in `end` once all of them were taken."""
    for count, line in enumerate(lines):
        if isinstance(line, dict):
            if line.get("items") == count and next(lines, None) is None:
                end.update(line)
                return
            break
        yield line
    raise _DamagedError("is not whole")

"""Members of REST documents, found in any case: Resource Graph writes "Id" where the REST API writes "id"."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from apiward_connector.memo import Memo, length_of_all
from apiward_connector.moments import Moments, to_moments
from apiward_core.clock import parse_timestamp, timestamp

_SHAPES = 256
_SEVENTH_DIGIT = frozenset(f"{digit}Z" for digit in range(10))
_EXAMPLE = np.frombuffer(b"2026-11-20T08:00:00.0000000Z", np.uint8)
_LENGTH, _MICROSECONDS = len(_EXAMPLE), 26
_ZERO, _NINE = np.uint8(ord("0")), 9
_DIGITS = (_EXAMPLE - _ZERO <= _NINE).nonzero()[0]
_FIXED = (_EXAMPLE - _ZERO > _NINE).nonzero()[0]
_FIRST_YEAR = np.datetime64("0001", "Y")


class Members:
    """The members of given names, read from one document after another.

    Documents of one source spell their members alike, so how each name is spelled among the keys of a document is
    looked for once and remembered by these keys.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._spellings = Memo(self._spell, size=_SHAPES, weigh=length_of_all)

    def of(self, document: Any) -> Iterable[Any]:
        """The values in the order of the names, None for each that the document lacks or when it is no object."""
        if not isinstance(document, dict):
            return (None,) * len(self._names)
        return map(document.get, self._spellings[tuple(document)])

    def _spell(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name if name in keys else _in_any_case(keys, name) or name for name in self._names)


def member(document: Any, *path: str) -> Any:
    """The value at `path` without regard to case; None where the path leaves the objects of the document."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document[name] if name in document else document.get(_in_any_case(document, name))
    return document


def _in_any_case(keys: Iterable[Any], name: str) -> str | None:
    """The key that spells `name`; of several the first in the alphabet, so that their order makes no difference."""
    wanted = name.lower()
    return min((key for key in keys if isinstance(key, str) and key.lower() == wanted), default=None)


def text(document: Any, *path: str) -> str:
    """The text at `path`; numbers are spelled out, everything that is no scalar is ""."""
    return as_text(member(document, *path))


def as_text(value: Any) -> str:
    """`value` as a text without the space around it; numbers are spelled out, everything that is no scalar is ""."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or isinstance(value, dict | list) else str(value)


def moment(document: Any, *path: str) -> str:
    """The time at `path`, as `as_moment` writes it."""
    return as_moment(member(document, *path))


def texts(document: Any, *path: str) -> tuple[str, ...]:
    """The non-empty texts of the list at `path`; () when there is no list."""
    value = member(document, *path)
    return (
        tuple(item.strip() for item in value if isinstance(item, str) and item.strip())
        if isinstance(value, list)
        else ()
    )


def as_moments(values: Sequence[str | None]) -> Moments:
    """The times in `values`, those that `as_moment` writes; where all are spelled as Azure does, all at once."""
    moments = _documented([value for value in values if value and len(value) == _LENGTH])
    if moments is not None and len(moments) == len(values):
        return moments
    return to_moments([as_moment(value) for value in values])


def _documented(texts: Sequence[str]) -> Moments | None:
    """The times in texts of the length of the example, None when one is not in its spelling or no time."""
    joined = "".join(texts)
    if not joined.isascii():
        return None
    characters = np.frombuffer(joined.encode(), np.uint8).reshape(-1, _LENGTH)
    if (characters[:, _FIXED] != _EXAMPLE[_FIXED]).any() or (characters[:, _DIGITS] - _ZERO > _NINE).any():
        return None
    try:
        moments = characters[:, :_MICROSECONDS].copy().view("S26").reshape(-1).astype("datetime64[us]")
    except ValueError:
        return None
    return moments.astype(np.int64) if not len(moments) or moments.min() >= _FIRST_YEAR else None


def as_moment(value: Any) -> str:
    """The time in `value` as apiward writes times, "" when there is none that can be read."""
    written = as_text(value)
    try:
        if written[26:] in _SEVENTH_DIGIT and written[4:20:3] == "--T::." and written[20:26].isdigit():
            datetime.fromisoformat(written[:26])
            return f"{written[:26]}Z"
        if written[19:] == "Z" and written[4:19:3] == "--T::" and written[17:19].isdigit():
            datetime.fromisoformat(written[:19])
            return f"{written[:19]}.000000Z"
        return timestamp(parse_timestamp(written)) if written else ""
    except ValueError:
        return ""

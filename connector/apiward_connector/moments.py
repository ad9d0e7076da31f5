"""Times as numbers: microseconds since 1970 in UTC, as NumPy counts them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_JSON = np.dtype([("open", "S1"), ("time", "S26"), ("close", "S2")])
JSON_LENGTH = _JSON.itemsize

NONE = int(np.datetime64("NaT", "us").astype(np.int64))
"""The number of no time, which apiward writes as ""."""


def to_moments(texts: Sequence[str]) -> Moments:
    """The numbers of times as `core.clock.timestamp` writes them; "" is none."""
    return np.array([text[:-1] for text in texts], dtype="datetime64[us]").astype(np.int64)


def to_json(moments: Moments) -> NDArray[np.bytes_]:
    """Each time as JSON of JSON_LENGTH bytes: what `to_text` gives, null and blanks for none."""
    written = np.empty(len(moments), _JSON)
    written["open"], written["close"] = b'"', b'Z"'
    written["time"] = moments.view("datetime64[us]").astype("S26")
    texts = written.view(f"S{JSON_LENGTH}")
    texts[moments == NONE] = b"null".ljust(JSON_LENGTH)
    return texts


@lru_cache(maxsize=4096)
def to_text(moment: int) -> str:
    """The time as `core.clock.timestamp` writes it, "" for none."""
    return "" if moment == NONE else f"{np.datetime64(moment, 'us')}Z"


def moment_of(time: datetime) -> int:
    """The number of a time."""
    return (time - _EPOCH) // _MICROSECOND


def day_of(time: datetime) -> int:
    """The UTC day of a time, counted from 1970."""
    return (time - _EPOCH).days

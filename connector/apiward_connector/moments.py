"""Times as numbers: microseconds since 1970 in UTC, as NumPy counts them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NONE = int(np.datetime64("NaT", "us").astype(np.int64))
"""The number of no time, which apiward writes as ""."""


def to_moments(texts: Sequence[str]) -> Moments:
    """The numbers of times as `core.clock.timestamp` writes them; "" is none."""
    return np.array([text[:-1] for text in texts], dtype="datetime64[us]").astype(np.int64)


def to_json(moments: Sequence[int]) -> list[bytes]:
    """Each time as JSON: what `to_text` gives, null for none."""
    texts: list[bytes] = np.array(moments, "datetime64[us]").astype("S26").tolist()
    return [b"null" if text == b"NaT" else b'"%bZ"' % text for text in texts]


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

"""Where each of many ids stands, without an object per id."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
Positions = NDArray[np.int64]

ABSENT = -1


@dataclass(frozen=True, slots=True)
class _Run:
    high: U64
    positions: NDArray[np.int32]


class IdIndex:
    """Finds 128-bit ids, given as two halves, in positions that count from 0 in the order in which they are added.

    It holds sorted runs of high halves, each at least twice as long as the next: there are never more of them than the
    binary logarithm of the number of ids, and one.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._count = 0

    def add(self, high: U64) -> None:
        """Give the next positions to ids with these high halves."""
        if not len(high):
            return
        positions = np.arange(self._count, self._count + len(high), dtype=np.int32)
        self._count += len(high)
        new = _sorted(high, positions)
        while self._runs and len(self._runs[-1].high) < 2 * len(new.high):
            last = self._runs.pop()
            new = _sorted(np.concatenate((last.high, new.high)), np.concatenate((last.positions, new.positions)))
        self._runs.append(new)

    def find(self, high: U64, low: U64, *, lows: U64) -> Positions:
        """The position of each id, ABSENT for one that was not added. `lows` has the low half at each position."""
        found = np.full(len(high), ABSENT, dtype=np.int64)
        for run in self._runs:
            sought = np.flatnonzero(found == ABSENT)
            at = np.searchsorted(run.high, high[sought])
            while len(sought):  # more than once only where high halves are equal
                there = at < len(run.high)
                there[there] = run.high[at[there]] == high[sought[there]]
                sought, at = sought[there], at[there]
                positions = run.positions[at]
                same = lows[positions] == low[sought]
                found[sought[same]] = positions[same]
                sought, at = sought[~same], at[~same] + 1
        return found


def _sorted(high: U64, positions: NDArray[np.int32]) -> _Run:
    order = np.argsort(high, kind="stable")
    return _Run(high[order], positions[order])

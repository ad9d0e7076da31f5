"""Results whose skip tokens may still be followed."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiward_lab.loganalytics.kql_run import Result

_MOST = 16
_TIME = timedelta(minutes=1)

Key = tuple[str, tuple[str, ...]]
"""What is asked, and in which scopes. Who asks matters as far as his roles do, which the basis has."""


@dataclass(frozen=True)
class Basis:
    """What a result rests on: the versions of what was read, compared by identity, and the caller's roles."""

    versions: Sequence[object]
    roles: Sequence[object]

    def is_same(self, other: "Basis") -> bool:
        """Whether a query would find the same rows on the other basis."""
        pairs = zip(self.versions, other.versions, strict=True)
        return self.roles == other.roles and all(mine is its for mine, its in pairs)


class KeptResults:
    """A few results, each for a minute of virtual time and only on the basis on which it was made.

    For the service every page is a fresh look: rows that come or go between two pages shift the others. Here a page is
    cut from the result of the page before it as long as a fresh look would find the same, because the largest estate
    has so many pages that a look for each would take minutes. Only what has no version (plans, collections and
    resources) may lag behind by that minute, as the service's own index does.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[Result, Basis, datetime]] = OrderedDict()

    def keep(self, key: Key, result: Result, basis: Basis, now: datetime) -> None:
        """Remember a result of which more pages may be asked for, and forget those that are too old."""
        for old in [key for key, (_, _, until) in self._kept.items() if now >= until]:
            del self._kept[old]
        self._kept[key] = (result, basis, now + _TIME)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def find(self, key: Key, basis: Basis, now: datetime) -> Result | None:
        """The result, if a fresh look would give the same."""
        result, rests_on, until = self._kept.get(key, (None, basis, now))
        if result is None or now >= until or not rests_on.is_same(basis):
            self._kept.pop(key, None)
            return None
        return result

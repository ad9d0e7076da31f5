"""The scopes of a run take turns."""

import zlib
from collections.abc import Iterator
from pathlib import Path

from apiward_connector.sources.paging import Page
from apiward_core.turns import Turns
from tests.unit.connector.samples import Estate, MemorySink, SetClock, connector

SUBSCRIPTIONS = [f"{number:08}-0000-4000-8000-000000000000" for number in range(4)]


class Watched(Estate):
    """Empty subscriptions; `most` is how many were computed on at once."""

    def __init__(self) -> None:
        super().__init__({subscription: [] for subscription in SUBSCRIPTIONS})
        self._computing: set[str] = set()
        self.most = 0

    def pages(self, subscription_id: str) -> Iterator[Page]:
        for _ in range(50):
            self._computing.add(subscription_id)
            zlib.compress(bytes(100_000))  # lets go of the interpreter
            self.most = max(self.most, len(self._computing))
            self._computing.remove(subscription_id)
        return super().pages(subscription_id)


def test_one_scope_computes_at_a_time(tmp_path: Path) -> None:
    estate, turns = Watched(), Turns(patience=60)
    report = connector(tmp_path, estate, MemorySink(), SetClock(), concurrency=4, turns=turns).run(SUBSCRIPTIONS)
    assert len(report.scopes) == len(SUBSCRIPTIONS)
    assert estate.most == 1

"""Time that passes only when somebody waits, and what happens meanwhile."""

import heapq
from collections.abc import Callable
from itertools import count


class FakeTimer:
    """A timer for one thread. `at` lets something happen at a moment that is waited for."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._pass(self.time + seconds)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time + seconds, next(self._numbers), happens))

    def until_next(self) -> None:
        """Let time pass until the next thing happens."""
        self._pass(self._events[0][0])

    def _pass(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.time, _, happens = heapq.heappop(self._events)
            happens()
        self.time = until

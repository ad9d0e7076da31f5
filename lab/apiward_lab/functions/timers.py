"""Timer triggers on the lab's clock, with their retry policy."""

from collections.abc import Callable
from datetime import datetime

from apiward_lab.functions.declared import Retry
from apiward_lab.functions.schedule import Schedule


class Timer:
    """Runs a function when its schedule falls due; a failed run is repeated as the retry policy says.

    A move of the clock over several due times runs it once for each, because the clock stops at each of them.
    """

    def __init__(self, schedule: Schedule, retry: Retry, *, run: Callable[[], bool], now: datetime) -> None:
        self._schedule = schedule
        self._retry = retry
        self._run = run
        self._due = schedule.after(now)
        self._again: tuple[datetime, int] | None = None

    def next_due(self) -> datetime:
        """When it runs next."""
        return min(self._due, self._again[0]) if self._again else self._due

    def tick(self, now: datetime) -> None:
        """Run it if it is due."""
        if self._again and self._again[0] <= now:
            self._attempt(now, self._again[1])
        if self._due <= now:
            self._due = self._schedule.after(now)
            self._attempt(now, 0)

    def trigger(self, now: datetime) -> None:
        """Run it now, whatever the schedule says."""
        self._attempt(now, 0)

    def _attempt(self, now: datetime, repeats: int) -> None:
        done = self._run()
        self._again = None if done or repeats >= self._retry.count else (now + self._retry.delay, repeats + 1)

from datetime import UTC, datetime, timedelta

import pytest

from apiward_lab.clock import VirtualClock

HOUR = timedelta(hours=1)


class Interval:
    """Falls due every so often and notes when, by the clock, it was called."""

    def __init__(self, clock: VirtualClock, every: timedelta, name: str, log: list[str]) -> None:
        self.due = clock.now() + every
        self._clock, self._every, self._name, self._log = clock, every, name, log
        clock.on_advance(self.run, lambda: self.due)

    def run(self, now: datetime) -> None:
        while self.due <= now:
            self._log.append(f"{self._name}@{round((self._clock.now() - datetime.now(UTC)) / timedelta(minutes=1))}")
            self.due += self._every


def test_what_is_due_happens_in_order_and_at_its_own_time() -> None:
    clock, log = VirtualClock(), list[str]()
    Interval(clock, timedelta(minutes=50), "slow", log)
    Interval(clock, timedelta(minutes=20), "quick", log)
    clock.advance(HOUR + timedelta(seconds=30))
    assert log == ["quick@20", "quick@40", "slow@50", "quick@60"]


def test_the_whole_step_is_made_when_nothing_is_due() -> None:
    clock = VirtualClock()
    clock.advance(HOUR)
    assert clock.offset == HOUR
    assert clock.now() - datetime.now(UTC) > timedelta(minutes=59)


def test_due_stops_do_not_lengthen_the_step() -> None:
    clock, log = VirtualClock(), list[str]()
    Interval(clock, timedelta(minutes=7), "seven", log)
    clock.advance(HOUR)
    assert clock.offset == HOUR


def test_the_clock_never_goes_back() -> None:
    with pytest.raises(ValueError, match="only moves forward"):
        VirtualClock().advance(-HOUR)

"""The pace of queries to Azure Resource Graph, whose quota belongs to the identity and is told in each answer.

Azure Resource Graph, "Guidance for throttled requests": a user has a number of queries in a window of time, such as 15
in 5 seconds; each answer tells how many are left (x-ms-user-quota-remaining) and when all of them are there again
(x-ms-user-quota-resets-after, hh:mm:ss). Both numbers may change, and other tools of the same identity count as well.

What is left is spread evenly over the time until the reset. So nothing is refused for coming in a burst, hardly
anything is left unused, and it does not matter whether the windows begin with a query or with the clock.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic, sleep
from typing import Protocol

from apiward_core.errors import ThrottledError

REMAINING = "x-ms-user-quota-remaining"
RESETS_AFTER = "x-ms-user-quota-resets-after"
_QUERIES = 15  # as the document has it, until the first answer tells
_WINDOW = 5.0
_STEP = 0.5  # seconds; the reset is told in whole ones, and no document says whether they are rounded up
_MOST = 1.0
_MARGIN = 0.02  # seconds after the expected reset: one query may be faster on its way than another
_AT_THE_RESET = 0.5  # seconds after the expected reset in which an answer still says something about when it was


class Timer(Protocol):
    """Seconds that pass, and waiting for them."""

    def now(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemTimer:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds since some moment."""
        return monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep."""
        sleep(seconds)


@dataclass(slots=True)
class _Window:
    """One span in which the service counts, as far as we know it; `resets` is when, by what was told soonest."""

    quota: int
    resets: float
    before: int  # what the last window had left
    on_time: bool  # whether it was opened right when the last one was expected to end
    last: float = 0.0
    sent: int = 0
    flying: int = 0
    others: int = 0
    told: bool = False

    @property
    def left(self) -> int:
        return self.quota - self.sent - self.others


@dataclass(frozen=True, slots=True)
class Query:
    """One query that may be sent now, until its answer is given to `QuotaPacer.learn`."""

    window: _Window
    position: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an answer tells: queries that are left, and seconds until the reset."""

    remaining: int
    resets_after: float

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Allowance | None":
        """What the headers say; None when they do not."""
        try:
            hours, minutes, seconds = headers[RESETS_AFTER].split(":")
            resets_after = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            return cls(int(headers[REMAINING]), resets_after)
        except (KeyError, ValueError):
            return None


class QuotaPacer:
    """Lets each query of one identity through when it may be sent. Thread-safe; waiting threads go one by one.

    `patience` is the most seconds that a query waits for its turn at the head of them.

    How the service rounds the time until the reset is found out by a query that is kept in reserve for the moment at
    which the reset is expected: when it still counts on the old window, the reset comes later than told.
    """

    def __init__(self, timer: Timer, *, patience: float) -> None:
        self._timer = timer
        self._patience = patience
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._quota = _QUERIES
        self._length = _WINDOW
        self._rounding = 0.0
        self._reserve = 1
        self._longest = _STEP
        self._fastest = inf
        self._window = _Window(0, -inf, before=0, on_time=False)

    def take(self) -> Query:
        """Wait until a query may be sent, and count it. Raises ThrottledError when that is beyond the patience."""
        with self._turn:
            while (delay := self._delay()) > 0:
                if delay > self._patience:
                    raise ThrottledError(
                        f"The identity's quota of Resource Graph queries is used up for another {delay:.0f} s.",
                        remedy="Wait, then try again; other tools that query as the same identity count as well.",
                    )
                self._timer.wait(delay)
            return self._count()

    def learn(self, query: Query, told: Allowance | None, *, refused: bool = False) -> None:
        """Take in what the answer to `query` told; None when it told nothing. `refused` when it was throttled."""
        with self._lock:
            window, now = query.window, self._timer.now()
            self._learn_time(now - query.sent_at)
            window.flying -= 1
            if refused:
                told, window = told or Allowance(0, self._length), self._window
            if told is None or window is not self._window:
                return
            resets = now - self._fastest + told.resets_after
            expected = window.quota - query.position - window.others
            if refused or (not window.told and window.on_time and told.remaining < window.before):
                self._learn_too_soon(window, resets)
            elif not window.told:
                self._learn_first(query, told, resets)
            elif told.remaining > expected + window.flying:
                self._learn_reset(query, told, resets)
            else:
                window.others += max(0, expected - told.remaining)
                window.resets = min(window.resets, resets)

    def _delay(self) -> float:
        with self._lock:
            window = self._window
            left = max(0, window.left - self._reserve)
            return window.last + (self._ends - window.last) / (left + 1) - self._timer.now()

    @property
    def _ends(self) -> float:
        return self._window.resets + self._rounding + _MARGIN

    def _count(self) -> Query:
        with self._lock:
            window, now = self._window, self._timer.now()
            late = now - self._ends
            if late >= 0:
                on_time = late < _AT_THE_RESET and window.sent > 0
                window = _Window(self._quota, now + self._length, before=max(0, window.left), on_time=on_time)
                self._window = window
            window.last = now
            window.sent += 1
            window.flying += 1
            return Query(window, window.sent, now)

    def _learn_time(self, took: float) -> None:
        """What is told is taken to have been said as long ago as the fastest answer took. The first one may be slow."""
        if took < self._fastest:
            if self._window.told:
                self._window.resets += self._fastest - took
            self._fastest = took

    def _learn_too_soon(self, window: _Window, resets: float) -> None:
        """The window before is not over yet."""
        self._rounding = min(_MOST, self._rounding + _STEP)
        self._reserve = 1
        window.told = True
        window.others += max(0, window.left)
        window.resets = resets

    def _learn_first(self, query: Query, told: Allowance, resets: float) -> None:
        window = query.window
        window.told = True
        window.resets = resets
        window.quota = self._quota = told.remaining + query.position
        self._longest = max(self._longest, told.resets_after)  # of a running window, only the rest is told
        self._length = self._longest
        if window.on_time:
            self._reserve = 0

    def _learn_reset(self, query: Query, told: Allowance, resets: float) -> None:
        """The service has begun to count anew sooner than expected."""
        old = query.window
        if self._timer.now() < self._ends:
            self._rounding = max(0.0, self._rounding - _STEP)
        self._quota = max(self._quota, told.remaining + 1)
        self._window = _Window(told.remaining + 1, resets, before=0, on_time=False, told=True)
        self._window.last = old.last
        self._window.sent = 1 + old.sent - query.position

"""The lab's virtual clock: real time plus an offset that only ever grows."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

Listener = Callable[[datetime], None]
NextDue = Callable[[], datetime | None]


class VirtualClock:
    """Real time plus an offset.

    Whoever schedules something by this clock (rule runs, Defender's refreshes, propagation delays) registers a
    listener; moving the clock calls each of them with the new time, so that a day passes in one call. `lock`, which
    must be reentrant, is held while listeners run: with the lab's lock nothing falls due in the middle of a request.
    """

    def __init__(self, offset: timedelta = timedelta(0), lock: AbstractContextManager[object] | None = None) -> None:
        self._offset = offset
        self._lock = lock or threading.RLock()
        self._listeners: list[Listener] = []
        self._next_dues: list[NextDue] = []

    @property
    def offset(self) -> timedelta:
        """How far virtual time is ahead of real time."""
        return self._offset

    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return datetime.now(UTC) + self._offset

    def on_advance(self, listener: Listener, next_due: NextDue | None = None) -> None:
        """Call `listener(now)` after each move of the clock and at each tick of the server.

        With `next_due`, which tells when something falls due next, a move over that time stops there: the clock shows
        the due time while every listener is called, in the order of the due times.
        """
        self._listeners.append(listener)
        if next_due is not None:
            self._next_dues.append(next_due)

    def advance(self, by: timedelta) -> datetime:
        """Move forward and let everything that fell due happen. Raises ValueError on a negative step."""
        if by < timedelta(0):
            raise ValueError(f"the virtual clock only moves forward, not by {by}")
        with self._lock:
            target = self._offset + by
            while (due := self._due_within(target)) is not None:
                self._offset = max(self._offset, due - datetime.now(UTC))
                self.tick()
            self._offset = target
            return self.tick()

    def tick(self) -> datetime:
        """Let everything that is due by now happen."""
        with self._lock:
            now = self.now()
            for listener in self._listeners:
                listener(now)
            return now

    def _due_within(self, target: timedelta) -> datetime | None:
        """The earliest due time that lies between now and the clock's time once its offset is `target`."""
        end = datetime.now(UTC) + target
        dues = [due for next_due in self._next_dues if (due := next_due()) is not None and self.now() < due < end]
        return min(dues, default=None)

"""Threads that compute one after the other, and let another one in where they wait.

Only one thread of the interpreter computes at a time, but each call that leaves it for a moment, such as for a TLS
record of 16 KB or a compression, may hand it to another thread, and each such switch costs more than the call. A thread
that has its turn keeps it over these calls, and steps aside where it waits for the network, a clock or another thread.

A turn is a courtesy and no lock: whoever has waited for it long enough goes ahead without. So it cannot deadlock,
whatever else a thread holds meanwhile, and nothing may rely on being alone.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 0.25  # seconds; most turns take a tenth of that


class Turns:
    """What threads take turns by: one for all that compute at the same time.

    `patience` is how many seconds a thread waits for its turn before it goes ahead without.
    """

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Compute when it is this thread's turn. For a thread that takes turns already it does nothing."""
        if _this_thread.turn is not None:
            yield
            return
        turn = _Turn(self._lock, self._patience)
        turn.take()
        _this_thread.turn = turn
        try:
            yield
        finally:
            _this_thread.turn = None
            turn.give_up()


class _Turn:
    """The turn of one thread, which it has or not."""

    def __init__(self, lock: threading.Lock, patience: float) -> None:
        self._lock = lock
        self._patience = patience
        self._has = False

    def take(self) -> None:
        self._has = self._lock.acquire(timeout=self._patience)

    def give_up(self) -> None:
        if self._has:
            self._has = False
            self._lock.release()


class _Thread(threading.local):
    turn: _Turn | None = None


_this_thread = _Thread()


@contextmanager
def aside() -> Iterator[None]:
    """Wait for something while others take their turns, then wait for the turn again.

    Whoever waits need not know who takes turns: for a thread that does not, this does nothing.
    """
    turn = _this_thread.turn
    if turn is None:
        yield
        return
    _this_thread.turn = None
    turn.give_up()
    try:
        yield
    finally:
        turn.take()
        _this_thread.turn = turn


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock that others may hold for long, such as over a call; wait for it aside."""
    if not lock.acquire(blocking=False):
        with aside():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()

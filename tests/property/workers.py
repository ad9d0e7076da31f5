"""Several workers on one run, of which one moves at a time, in an order that the test chooses."""

import threading
from collections.abc import Callable

from apiward_core.errors import ConflictError, ThrottledError
from tests.property.world import Killed


class Worker:
    """A worker in a thread of its own, which waits at every tick until it is its turn.

    It starts again after each kill, and after each failure that may pass, as a supervisor would start it.
    """

    def __init__(self, act: Callable[["Worker"], object]) -> None:
        self._act = act
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._kill = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._paused.acquire()
        self.done = False

    def tick(self) -> None:
        """Let the others move; die if told so."""
        self._paused.release()
        self._go.acquire()
        if self._kill:
            self._kill = False
            raise Killed

    def step(self, *, kill: bool = False) -> None:
        """Let it move to its next tick, or die where it is."""
        if not self.done:
            self._kill = kill
            self._go.release()
            self._paused.acquire()

    def finish(self) -> None:
        """Let it move until it rests."""
        while not self.done:
            self.step()

    def _run(self) -> None:
        while True:
            try:
                self.tick()
                self._act(self)
                break
            except (Killed, ThrottledError, ConflictError):
                continue
        self.done = True
        self._paused.release()

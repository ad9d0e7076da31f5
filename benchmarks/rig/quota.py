"""The quota of Azure Resource Graph (guidance for throttled requests): 15 queries in 5 seconds of one user."""

from collections.abc import Mapping
from math import ceil
from threading import Lock
from time import monotonic

QUERIES = 15
WINDOW = 5.0


class Quota:
    """A window begins with the first query after the one before has ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = self._since = -WINDOW
        self._left = self._taken = self._refused = 0

    def take(self) -> tuple[bool, Mapping[str, str]]:
        """Whether one more query is allowed, and the headers of its answer."""
        with self._lock:
            now = monotonic()
            if now - self._since >= WINDOW:
                self._since, self._left = now, QUERIES
                self._began = self._began if self._taken else now
            allowed = self._left > 0
            self._left -= allowed
            self._taken += allowed
            self._refused += not allowed
            left, seconds = self._left, ceil(self._since + WINDOW - now)
        headers = {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": f"00:00:{seconds:02}"}
        return allowed, headers if allowed else {**headers, "Retry-After": str(seconds)}

    def account(self) -> Mapping[str, float]:
        """The queries that were refused, and up to the latest window's beginning those used and those allowed.

        The latest window is left out because it ends with the run; the time between two windows counts.
        """
        used = self._taken - (QUERIES - self._left)
        return {"used": used, "allowed": (self._since - self._began) / WINDOW * QUERIES, "refused": self._refused}

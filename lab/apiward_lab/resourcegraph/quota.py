"""How many queries one user may send (Azure Resource Graph, guidance for throttled requests)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apiward_lab.loganalytics.timespans import format_timespan

QUERIES = 15
WINDOW = timedelta(seconds=5)


@dataclass
class UserQuota:
    """Each user's use of a window of time, which begins with the first query."""

    queries: int = QUERIES
    window: timedelta = WINDOW
    _windows: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def take(self, user: str, now: datetime) -> "Allowance":
        """Count one query of `user`; what it leaves is negative when it is over the limit."""
        since, used = self._windows.get(user, (now, 0))
        if now - since >= self.window:
            since, used = now, 0
        self._windows[user] = (since, min(used + 1, self.queries))
        return Allowance(self.queries - used - 1, since + self.window - now)


@dataclass(frozen=True)
class Allowance:
    """What is left after a query, and how long until all of it is there again."""

    remaining: int
    resets_after: timedelta

    @property
    def headers(self) -> dict[str, str]:
        """The two headers of every answer: a number of queries, and hh:mm:ss."""
        return {
            "x-ms-user-quota-remaining": str(max(0, self.remaining)),
            "x-ms-user-quota-resets-after": format_timespan(timedelta(seconds=self.seconds)),
        }

    @property
    def seconds(self) -> int:
        """Whole seconds to wait, rounded up."""
        return -(-self.resets_after // timedelta(seconds=1))

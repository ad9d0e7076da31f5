"""How much one user may ask (Azure Resource Graph, guidance for throttled requests)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apiward_lab.loganalytics.timespans import format_timespan


@dataclass(frozen=True)
class GraphLimits:
    """How many queries each user may send in a `window`, and how many subscriptions of a tenant are looked into."""

    queries: int = 15
    window: timedelta = timedelta(seconds=5)
    subscriptions: int = 10_000


@dataclass
class UserQuota:
    """Each user's use of a window of time, which begins with the first query."""

    limits: GraphLimits = field(default_factory=GraphLimits)
    _windows: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def take(self, user: str, now: datetime) -> "Allowance":
        """Count one query of `user`; what it leaves is negative when it is over the limit."""
        queries, window = self.limits.queries, self.limits.window
        since, used = self._windows.get(user, (now, 0))
        if now - since >= window:
            since, used = now, 0
        self._windows[user] = (since, min(used + 1, queries))
        return Allowance(queries - used - 1, since + window - now)


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

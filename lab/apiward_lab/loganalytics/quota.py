"""How much a data collection rule may send (Azure Monitor service limits, Logs Ingestion API)."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

REQUESTS_PER_MINUTE = 12_000
BYTES_PER_MINUTE = 2 * 1024**3
_MINUTE = timedelta(minutes=1)


@dataclass
class Quota:
    """One rule's use of the running minute."""

    requests_per_minute: int = REQUESTS_PER_MINUTE
    bytes_per_minute: int = BYTES_PER_MINUTE
    _since: datetime | None = None
    _requests: int = 0
    _bytes: int = 0

    def take(self, size: int, now: datetime) -> int:
        """Count a call of `size` bytes. Returns 0, or the seconds to wait when it is over the limit and not counted."""
        if self._since is None or now - self._since >= _MINUTE:
            self._since, self._requests, self._bytes = now, 0, 0
        if self._requests + 1 > self.requests_per_minute or self._bytes + size > self.bytes_per_minute:
            return max(1, math.ceil((self._since + _MINUTE - now).total_seconds()))
        self._requests += 1
        self._bytes += size
        return 0

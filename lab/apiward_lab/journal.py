"""What the lab has seen: every request, every ARM write, and the routes that nobody serves."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Request:
    """One answered request. `principal` is the caller's object id, `action` the RBAC operation that was checked."""

    at: datetime
    method: str
    path: str
    route: str | None
    status: int
    principal: str | None
    action: str | None
    correlation_id: str


@dataclass(frozen=True)
class Activity:
    """One write through ARM, as the activity log would keep it. Times are virtual."""

    at: datetime
    operation: str
    resource_id: str
    caller: str
    status: int
    correlation_id: str


class Journal:
    """A thread-safe record that tests and the control plane ask.

    Counts cover everything since the start; of the single entries the last `keep` of each kind are kept.
    """

    def __init__(self, *, keep: int = 100_000) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=keep)
        self._activities: deque[Activity] = deque(maxlen=keep)
        self._statuses: Counter[int] = Counter()
        self._unknown: set[str] = set()
        self._actions: dict[str, Counter[str]] = {}

    def record(self, request: Request, activity: Activity | None = None) -> None:
        """Keep one request, and the write that it was."""
        with self._lock:
            self._requests.append(request)
            self._statuses[request.status] += 1
            if activity is not None:
                self._activities.append(activity)
            if request.route is None:
                self._unknown.add(f"{request.method} {request.path}")
            if request.principal and request.action and request.status not in {401, 403}:
                self._actions.setdefault(request.principal, Counter())[request.action] += 1

    @property
    def requests(self) -> tuple[Request, ...]:
        """Requests in the order of their answers."""
        with self._lock:
            return tuple(self._requests)

    @property
    def activities(self) -> tuple[Activity, ...]:
        """Writes through ARM in the order of their answers."""
        with self._lock:
            return tuple(self._activities)

    @property
    def unknown_routes(self) -> tuple[str, ...]:
        """Method and path of every request that no route served, once each, sorted."""
        with self._lock:
            return tuple(sorted(self._unknown))

    def statuses(self) -> Mapping[int, int]:
        """How many requests were answered with each status."""
        with self._lock:
            return dict(sorted(self._statuses.items()))

    def actions_used(self) -> Mapping[str, Mapping[str, int]]:
        """How often each principal (object id) was allowed each RBAC action."""
        with self._lock:
            return {principal: dict(actions) for principal, actions in self._actions.items()}

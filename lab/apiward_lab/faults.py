"""Answers that go wrong on purpose: by route, rate and kind."""

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from time import sleep
from urllib.parse import unquote

from apiward_lab.web import Json, Problem, Reply

_REFUSALS = {
    "401": ("InvalidAuthenticationToken", "The access token is invalid."),
    "403": ("AuthorizationFailed", "The client does not have authorization to perform this action."),
    "409": ("Conflict", "The resource is being changed by another operation."),
    "412": ("PreconditionFailed", "The resource has changed since it was read."),
    "413": ("RequestEntityTooLarge", "The request body is too large."),
    "429": ("TooManyRequests", "The request is being throttled."),
    "500": ("InternalServerError", "The server encountered an error."),
    "503": ("ServiceUnavailable", "The service is unavailable."),
}
SPOILT = ("reset", "truncated", "malformed")
KINDS = (*_REFUSALS, "slow", *SPOILT)
_THROTTLED = "429"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `path` is a pattern such as "/subscriptions/*/providers/microsoft.security/assessments", in which "*" stands for
    any text; case does not matter. `method` is "" for any. Of the calls to it a share of `rate` fails, evenly spread,
    until that has been so `times`; None is without end. `seconds` is what 429 says in Retry-After, and how long the
    lab waits when it is slow.
    """

    kind: str
    path: str
    method: str = ""
    rate: float = 1.0
    times: int | None = None
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for what makes no sense."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if not self.path:
            raise ValueError("path must be a pattern")
        if not 0 < self.rate <= 1:
            raise ValueError("rate must be above 0, and 1 at most")
        if self.seconds < 0 or (self.times is not None and self.times < 1):
            raise ValueError("seconds must not be negative, and times must be 1 at least")

    def concerns(self, method: str, path: str) -> bool:
        """Whether it is for calls like this one; the path is still percent-encoded."""
        return self.method.upper() in {"", method} and fnmatchcase(unquote(path).lower(), self.path.lower())

    def before(self) -> None:
        """What happens instead of the call, which then has no effect. Raises Problem."""
        if self.kind == "slow":
            sleep(self.seconds)
        if self.kind in _REFUSALS:
            headers = {"Retry-After": str(round(self.seconds))} if self.kind == _THROTTLED else {}
            raise Problem(int(self.kind), *_REFUSALS[self.kind], headers)

    def after(self, reply: Reply) -> Reply:
        """What becomes of the answer."""
        if self.kind == "malformed":
            return Reply(200, b'{"value": [', {"Content-Type": "application/json; charset=utf-8"})
        return replace(reply, broken=self.kind) if self.kind in SPOILT else reply


class Faults:
    """The faults that are switched on. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: list[tuple[Fault, _Count]] = []

    def add(self, fault: Fault) -> None:
        """Switch one on. Of several that concern a call, the first counts."""
        with self._lock:
            self._on.append((fault, _Count()))

    def clear(self) -> None:
        """Switch all of them off."""
        with self._lock:
            self._on.clear()

    def meet(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets, which counts it."""
        with self._lock:
            for fault, count in self._on:
                if fault.concerns(method, path) and count.meets(fault):
                    return fault
        return None

    def describe(self) -> Sequence[Json]:
        """Each fault, and how often it was met."""
        with self._lock:
            return [{**asdict(fault), "met": count.met} for fault, count in self._on]


@dataclass
class _Count:
    calls: int = 0
    met: int = 0

    def meets(self, fault: Fault) -> bool:
        if fault.times is not None and self.met >= fault.times:
            return False
        self.calls += 1
        is_due = int(self.calls * fault.rate) > int((self.calls - 1) * fault.rate)
        self.met += is_due
        return is_due

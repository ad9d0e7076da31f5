"""Policies for the SDKs' pipelines that keep to the service's limits, and wait when it asks for that.

Azure Resource Manager counts calls in token buckets, one for each principal, subscription and kind of call; reads: 250,
and 25 more each second; writes and deletes: 200, and 10 more each second ("Understand how Azure Resource Manager
throttles requests"). What it refuses all the same comes with Retry-After.

One `ArmPace` is for the calls of one identity. Policies belong to one pipeline each and share it.
"""

import threading
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy

from apiward_core.errors import ThrottledError
from apiward_core.quota import Allowance, Query, QuotaPacer, Timer
from apiward_core.turns import aside

_THROTTLED = 429
_LIMITS = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}
_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


class TokenBucket:
    """Lets `capacity` calls through at once, and `rate` more each second. Thread-safe."""

    def __init__(self, capacity: float, rate: float, *, timer: Timer, patience: float) -> None:
        self._capacity = capacity
        self._rate = rate
        self._timer = timer
        self._patience = patience
        self._lock = threading.Lock()
        self._tokens = capacity
        self._filled = timer.now()

    def take(self) -> None:
        """Return when a call may be sent. Raises ThrottledError when that would take longer than the patience."""
        with self._lock:
            now = self._timer.now()
            if now > self._filled:
                self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
                self._filled = now
            delay = self._filled - now + max(0.0, (1 - self._tokens) / self._rate)
            if delay > self._patience:
                raise ThrottledError(
                    f"Azure Resource Manager takes no such call for another {delay:.0f} s.",
                    remedy="Wait, then try again.",
                )
            self._tokens -= 1
        if delay > 0:
            with aside():
                self._timer.wait(delay)

    def drain(self, seconds: float) -> None:
        """The service takes no call for so long; then it may have one, and more at the bucket's rate."""
        with self._lock:
            self._filled = max(self._filled, self._timer.now() + seconds)
            self._tokens = 1.0


class ArmPace:
    """The token buckets of one identity, with the seconds that a call may have to wait for one. Thread-safe."""

    def __init__(self, timer: Timer, *, patience: float) -> None:
        self._timer = timer
        self._patience = patience
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def bucket(self, method: str, url: str) -> TokenBucket:
        """The bucket of a call: that of the subscription that it is about, or of the tenant when there is none."""
        kind = _KINDS.get(method.upper(), "writes")
        key = (_subscription(url), kind)
        with self._lock:
            if key not in self._buckets:
                self._buckets[key] = TokenBucket(*_LIMITS[kind], timer=self._timer, patience=self._patience)
            return self._buckets[key]


def _subscription(url: str) -> str:
    head, _, rest = urlsplit(url).path.lower().lstrip("/").partition("/")
    return rest.partition("/")[0] if head == "subscriptions" else ""


class ArmPacePolicy(HTTPPolicy[Any, Any]):
    """Sends each call to Azure Resource Manager when its bucket allows. To stand behind the retry policy."""

    def __init__(self, pace: ArmPace) -> None:
        super().__init__()
        self._pace = pace

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send the request. Raises ThrottledError when the bucket stays empty for too long."""
        bucket = self._pace.bucket(request.http_request.method, request.http_request.url)
        bucket.take()
        response = self.next.send(request)
        if response.http_response.status_code == _THROTTLED:
            bucket.drain(_seconds_of(response))
        return response


def _seconds_of(refusal: PipelineResponse[Any, Any]) -> float:
    """How long the service wants to be left alone. A date, which is rare, is left to the retry policy."""
    told = refusal.http_response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else 0.0


class QuotaPolicy(HTTPPolicy[Any, Any]):
    """Sends each query to Resource Graph when the identity's quota allows. To stand behind the retry policy."""

    def __init__(self, pacer: QuotaPacer) -> None:
        super().__init__()
        self._pacer = pacer

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send the request. Raises ThrottledError when the quota is used up for too long."""
        with aside():
            query = self._pacer.take()
        answer: Any = None
        try:
            response = self.next.send(request)
            answer = response.http_response
        except Exception as error:
            answer = getattr(error, "response", None)  # raw_response_hook may hand the answer out by raising
            raise
        finally:
            self._learn(query, answer)
        return response

    def _learn(self, query: Query, answer: Any) -> None:
        if answer is None:
            self._pacer.learn(query, None)
        else:
            self._pacer.learn(query, Allowance.of(answer.headers), refused=answer.status_code == _THROTTLED)


class DeadlineRetryPolicy(RetryPolicy[Any, Any]):
    """The SDK's retries, but what is throttled is tried until a deadline, and not at all when it would be missed."""

    def __init__(self, *, timer: Timer, patience: float, **retries: Any) -> None:
        super().__init__(**retries)
        self._timer = timer
        self._patience = patience

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        """The SDK's settings of one call, and its deadline."""
        return {**super().configure_retries(options), "deadline": self._timer.now() + self._patience}

    def increment(self, settings: dict[str, Any], response: Any = None, error: Exception | None = None) -> bool:
        """Whether to try again: a refusal for being too early is no failed attempt."""
        answered = isinstance(response, PipelineResponse)
        if answered and response.http_response.status_code == _THROTTLED:
            settings["total"] += 1
            settings["status"] += 1
        again = super().increment(settings, response=response, error=error)
        delay = (self.get_retry_after(response) if answered else None) or self.get_backoff_time(settings)
        return again and self._timer.now() + delay <= settings["deadline"]

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Seconds; None when the answer names none, or none that can be read."""
        try:
            return super().get_retry_after(response)
        except (TypeError, ValueError):
            return None

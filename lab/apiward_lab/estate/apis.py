"""What an API Management service holds: APIs, operations and their traffic, products.

`properties` are always those of the REST API (ApiManagement 2024-05-01).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Calls:
    """What an operation receives from one caller, evenly spread over time.

    `subscription` is the name of the API Management subscription whose key the caller sends, "" when it sends none.
    `stopped` is the moment of the last call; None while they go on.
    """

    subscription: str
    per_day: int
    stopped: datetime | None = None

    def last(self, now: datetime) -> datetime:
        """The moment of the last call so far."""
        return min(self.stopped or now, now)

    def between(self, start: datetime, end: datetime) -> int:
        """The number of calls from one moment to another."""
        seconds = (min(end, self.stopped or end) - start).total_seconds()
        return max(0, int(self.per_day * seconds // 86_400))


@dataclass
class Entity:
    """Something that has an ETag of its own: `version` grows with each change and makes it."""

    name: str
    properties: dict[str, Any]
    version: int = 1


@dataclass
class Operation(Entity):
    """An operation of an API, an endpoint in Defender's words."""

    calls: list[Calls] = field(default_factory=list)

    def last_call(self, now: datetime) -> datetime | None:
        """The moment of the last call so far; None when there never was one."""
        return max((calls.last(now) for calls in self.calls), default=None)


@dataclass
class Api(Entity):
    """An API, or one revision of it (";rev=N" in the name). `policy` is its policy document, "" when it has none."""

    operations: dict[str, Operation] = field(default_factory=dict)
    policy: str = ""
    exposes_sensitive_data: bool = False

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols by which it can be called."""
        return tuple(self.properties.get("protocols", ()))

    @property
    def api_type(self) -> str:
        """ "http", "websocket", "soap", …"""
        return str(self.properties.get("type", "http"))

    @property
    def is_current(self) -> bool:
        """Whether it is the revision that callers reach without naming one."""
        return bool(self.properties.get("isCurrent"))


@dataclass
class Product(Entity):
    """A product. `apis` are the names of its APIs in lower case."""

    apis: list[str] = field(default_factory=list)

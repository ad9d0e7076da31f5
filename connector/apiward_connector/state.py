"""What the connector remembers of a scope between two runs, and where it is kept."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from apiward_connector.finding import Finding
from apiward_connector.recommendation_types import RecommendationType


class ChangeType(StrEnum):
    """Why a row is sent."""

    NEW = "New"
    CHANGED = "Changed"
    RESOLVED = "Resolved"
    REGRESSED = "Regressed"
    REMOVED = "Removed"
    SNAPSHOT = "Snapshot"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding with its history as far as the next comparison needs it. Times and days are ISO 8601 in UTC."""

    finding: Finding
    first_seen: str
    row_day: str
    """Day of the latest row."""
    revision: int = 1
    previous_state: str = ""
    previous_severity: str = ""
    settled: bool = False
    """It was resolved or removed since it was last Unhealthy: Unhealthy again is a regression."""
    removed: bool = False
    missed: int = 0
    """Whole passes in a row that did not find it."""


@dataclass(frozen=True, slots=True)
class ScopeState:
    """All findings of a scope by FindingId, and the rows that are not known to have arrived.

    `pending` names each such row about a finding by finding and kind; the rest of the row is in the entry. `types` are
    those whose rows are owed, `told` has the RecordId of the latest row of each assessment key, owed or delivered.
    `observed` is when the entries were compared last, `watermark` when the scope was last read whole, `inventory_day`
    the UTC day of which the inventory was sent; all "" before the first time.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    pending: tuple[tuple[str, ChangeType], ...] = ()
    types: tuple[RecommendationType, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    observed: str = ""
    watermark: str = ""
    inventory_day: str = ""

    @property
    def current(self) -> int:
        """How many findings the scope has, those that were removed left out."""
        return sum(not entry.removed for entry in self.entries.values())

    @property
    def owed(self) -> int:
        """How many rows are not known to have arrived."""
        return len(self.pending) + len(self.types)


class Lease(Protocol):
    """The right to work on a scope, for a while."""

    def renew(self) -> None:
        """Keep it. Cheap, to be called often. Raises ConflictError when somebody else has it."""
        ...


class StateStore(Protocol):
    """Keeps the state of each scope. A scope is the ARM id of a subscription or of a management group."""

    def load(self, scope: str) -> tuple[ScopeState, str | None]:
        """The state and its etag; an empty state and None for a scope that has none.

        Raises ConfigurationError when what is kept cannot be read.
        """
        ...

    def save(self, scope: str, state: ScopeState, etag: str | None) -> str:
        """Replace the state that has `etag` and return the new etag. Raises ConflictError when it has another one."""
        ...

    def lease(self, scope: str) -> AbstractContextManager[Lease]:
        """Hold the scope. Raises ConflictError while another holder does; one that died holds it until it expires."""
        ...

"""What a run did, for the caller, the command line and the health table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from apiward_connector.finding import Unreadable, digest
from apiward_connector.rows import Row
from apiward_connector.state import ScopeState
from apiward_core import tables
from apiward_core.errors import ApiwardError, ConflictError, IncompleteError, ThrottledError, TransientError
from apiward_core.ingest import SendReport
from apiward_core.packing import Batch
from apiward_core.tables import SCHEMA_VERSION

_NAMED_ITEMS = 20
_WHAT_LENGTH = 300


class Outcome(StrEnum):
    """How much of a scope was read and delivered."""

    COMPLETE = "Complete"
    PARTIAL = "Partial"
    FAILED = "Failed"
    BUSY = "Busy"
    """Another run holds the scope, and will tell of it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not read or not sent, and the reason."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class ScopeReport:
    """One scope of one run.

    `read` counts assessments, `current` findings, None when the state could not be read. Of the rows that the service
    acknowledged, `sent` counts those about findings, `changes` the same by ChangeType, and `types` and `inventory` the
    rows of these kinds. Over all kinds `dead` counts rows that are kept for replay, `cut` shortened fields. `may_pass`
    says that what stopped the work may be over soon.
    """

    scope: str
    source: str
    outcome: Outcome
    gaps: tuple[Gap, ...]
    pages: int
    read: int
    current: int | None
    changes: Mapping[str, int]
    sent: int
    types: int
    inventory: int
    dead: int
    cut: int
    seconds: float
    watermark: str
    may_pass: bool = False

    def health_row(self, *, run_id: str, ended: str) -> Row:
        """The row of DefenderApiHealth_CL."""
        return {
            "TimeGenerated": ended,
            "ObservedAt": ended,
            "RecordId": digest(f"{run_id}\n{self.scope}".encode()),
            "RunId": run_id,
            "SchemaVersion": SCHEMA_VERSION,
            "Scope": self.scope,
            "Source": self.source,
            "Outcome": self.outcome,
            "Unread": [{"what": gap.what, "why": gap.why} for gap in self.gaps],
            "Pages": self.pages,
            "RowsRead": self.read,
            "FindingsCurrent": self.current,
            "RowsSent": self.sent,
            "DeadLetters": self.dead,
            "FieldsCut": self.cut,
            "DurationSeconds": self.seconds,
            "Watermark": self.watermark or None,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run over all its scopes."""

    run_id: str
    scopes: tuple[ScopeReport, ...]

    @property
    def exit_code(self) -> int:
        """0 when everything was read and sent, 1 when every scope failed, 4 for anything between."""
        if all(scope.outcome is Outcome.FAILED for scope in self.scopes):
            return ApiwardError.exit_code
        whole = all(scope.outcome is Outcome.COMPLETE and not scope.gaps and not scope.dead for scope in self.scopes)
        return 0 if whole else IncompleteError.exit_code


@dataclass
class Tally:
    """Counts one scope while it is worked on."""

    pages: int = 0
    read: int = 0
    current: int | None = None
    sent: int = 0
    types: int = 0
    inventory: int = 0
    dead: int = 0
    cut: int = 0
    watermark: str = ""
    failed: bool = False
    busy: bool = False
    may_pass: bool = False
    whole: bool = True
    """Whether all that was to be read was read and understood."""
    unreadable: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """What the counts amount to."""
        if self.busy:
            return Outcome.BUSY
        if self.failed or not (self.whole or self.pages):
            return Outcome.FAILED
        return Outcome.PARTIAL if self.gaps else Outcome.COMPLETE

    def fail(self, scope: str, error: ApiwardError) -> None:
        """Record what ended the work on the scope."""
        self.failed = True
        self._stop(scope, error)

    def knows(self, state: ScopeState) -> None:
        """Take over what the state of the scope says."""
        self.current = state.current
        self.watermark = state.watermark

    def unfinished(self, scope: str, error: ApiwardError) -> None:
        """Record what ended the reading before its end."""
        self.whole = False
        self._stop(scope, error)

    def _stop(self, scope: str, error: ApiwardError) -> None:
        self.gaps.append(Gap(scope, str(error)))
        self.may_pass = isinstance(error, ThrottledError | TransientError | ConflictError)

    def unread(self, item: Unreadable) -> None:
        """Count an item that could not be read; the first twenty are named."""
        self.whole = False
        self.unreadable += 1
        if self.unreadable <= _NAMED_ITEMS:
            self.gaps.append(Gap(item.what[:_WHAT_LENGTH], item.why))

    def delivered(self, batch: Batch, sent: SendReport) -> None:
        """Count a batch that was acknowledged or kept as dead letters."""
        match batch.table:
            case tables.TYPES:
                self.types += sent.sent
            case tables.INVENTORY:
                self.inventory += sent.sent
            case _:
                self.sent += sent.sent
                self.changes.update(batch.labels)
                self.changes.subtract(orjson.loads(row)["ChangeType"] for row in sent.unsent)
        self.dead += sent.dead
        self.cut += sent.cut

    def report(self, scope: str, source: str, seconds: float) -> ScopeReport:
        """The final counts."""
        gaps = list(self.gaps)
        if (more := self.unreadable - _NAMED_ITEMS) > 0:
            gaps.append(Gap(f"{more} more items", "They could not be read either."))
        return ScopeReport(
            scope=scope,
            source=source,
            outcome=self.outcome,
            gaps=tuple(gaps),
            pages=self.pages,
            read=self.read,
            current=self.current,
            changes=dict(+self.changes),
            sent=self.sent,
            types=self.types,
            inventory=self.inventory,
            dead=self.dead,
            cut=self.cut,
            seconds=seconds,
            watermark=self.watermark,
            may_pass=self.may_pass,
        )

"""How the connector is doing: its last run of each scope as the workspace has it, and what only this machine knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from apiward_connector.report import Gap, Outcome
from apiward_connector.state import StateStore
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError, ConfigurationError, IncompleteError
from apiward_core.kql import bind
from apiward_core.logs import LogReader, Row

NEVER = "never"
LOOKS_BACK = timedelta(days=90)  # Sentinel keeps rows that long at no charge

_LAST_RUNS = """
ApiConnectorHealth()
| where Scope in (scopes)
| summarize arg_max(TimeGenerated, RunId, Source, Outcome, Unread, FindingsCurrent, RowsSent, DeadLetters),
    LastWhole = max(Watermark) by Scope
"""


@dataclass(frozen=True, slots=True)
class ScopeStatus:
    """The last run of one scope; `outcome` is "never" when the workspace has none of the last 90 days.

    `watermark` is when the scope was last read whole, "" when it never was, and `watermark_age` the seconds since then.
    `sent` and `dead` count the rows of the last run, `owed` those that this machine has still to send; it is None when
    the state cannot be read, which is then among the gaps.
    """

    scope: str
    outcome: str
    run_id: str = ""
    last_run: str = ""
    source: str = ""
    gaps: tuple[Gap, ...] = ()
    watermark: str = ""
    watermark_age: float | None = None
    current: int = 0
    sent: int = 0
    dead: int = 0
    owed: int | None = 0

    @property
    def complete(self) -> bool:
        """Whether everything was read and sent."""
        return self.outcome == Outcome.COMPLETE and not (self.gaps or self.dead or self.owed)


@dataclass(frozen=True, slots=True)
class Status:
    """All scopes, and the rows in the dead-letter files of this machine by stream."""

    scopes: tuple[ScopeStatus, ...]
    dead_letters: Mapping[str, int]

    @property
    def exit_code(self) -> int:
        """0 when every scope is complete, else 4."""
        return 0 if all(scope.complete for scope in self.scopes) else IncompleteError.exit_code


class StatusReader:
    """Reads how the connector is doing. `dead_letters` is the folder that FolderDeadLetters keeps."""

    def __init__(self, *, logs: LogReader, states: StateStore, dead_letters: Path, clock: Clock) -> None:
        self._logs = logs
        self._states = states
        self._dead_letters = dead_letters
        self._clock = clock

    def read(self, subscriptions: Sequence[str]) -> Status:
        """The status of each subscription, given by its id. Raises the errors of `apiward_core.errors`."""
        scopes = [f"/subscriptions/{subscription}" for subscription in dict.fromkeys(subscriptions)]
        rows = self._logs.query(bind(_LAST_RUNS, scopes=scopes), timespan=LOOKS_BACK)
        runs = {row["Scope"]: row for row in rows}
        return Status(tuple(self._scope(scope, runs.get(scope)) for scope in scopes), self._count_dead_letters())

    def _scope(self, scope: str, run: Row | None) -> ScopeStatus:
        owed, trouble = self._owed(scope)
        if run is None:
            return ScopeStatus(scope, NEVER, gaps=trouble, owed=owed)
        whole: datetime | None = run["LastWhole"]
        return ScopeStatus(
            scope=scope,
            outcome=run["Outcome"],
            run_id=run["RunId"],
            last_run=timestamp(run["TimeGenerated"]),
            source=run["Source"],
            gaps=(*_gaps(run["Unread"]), *trouble),
            watermark=timestamp(whole) if whole else "",
            watermark_age=(self._clock.now() - whole).total_seconds() if whole else None,
            current=run["FindingsCurrent"],
            sent=run["RowsSent"],
            dead=run["DeadLetters"],
            owed=owed,
        )

    def _owed(self, scope: str) -> tuple[int | None, tuple[Gap, ...]]:
        try:
            state, _ = self._states.load(scope)
        except ApiwardError as error:
            return None, (Gap("the state on this machine", str(error)),)
        return state.owed, ()

    def _count_dead_letters(self) -> dict[str, int]:
        try:
            return {path.stem: _lines(path) for path in sorted(self._dead_letters.glob("*.jsonl"))}
        except OSError as error:
            raise ConfigurationError(
                f"The dead letters in {self._dead_letters} cannot be read: {error.strerror}.",
                remedy="Make state_dir readable.",
            ) from error


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _gaps(unread: Any) -> tuple[Gap, ...]:
    """The gaps in the column Unread, which comes as JSON text."""
    try:
        listed = orjson.loads(unread or "[]")
        return tuple(Gap(str(gap["what"]), str(gap["why"])) for gap in listed)
    except (orjson.JSONDecodeError, TypeError, KeyError):  # it was cut to the length of a field
        return (Gap("more than fits into a field", str(unread)),)

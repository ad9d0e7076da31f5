"""How the connector is doing: its last run of each scope as the workspace has it, and what only this machine knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from apiward_connector.report import Gap, Outcome
from apiward_connector.state_store import StateStore
from apiward_core.clock import Clock, timestamp
from apiward_core.dead_letters import ObjectDeadLetters
from apiward_core.errors import ApiwardError, IncompleteError
from apiward_core.kql import bind
from apiward_core.logs import LOOKS_BACK, LogReader, Row

NEVER = "never"

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
    `current` counts its findings, None when the last run could not tell.
    `sent` and `dead` count the rows of the last run, of which those that became dead letters may be replayed by now.
    `owed` counts those that are still to be sent; it is None when the state cannot be read, which is then among the
    gaps. `next_due` is when the next run should begin; it is `overdue` when that was longer ago than the time between
    two runs.
    """

    scope: str
    outcome: str
    run_id: str = ""
    last_run: str = ""
    source: str = ""
    gaps: tuple[Gap, ...] = ()
    watermark: str = ""
    watermark_age: float | None = None
    current: int | None = None
    sent: int = 0
    dead: int = 0
    owed: int | None = 0
    next_due: str = ""
    overdue: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything was read, and in time, and nothing is owed. Dead letters are told apart: see `Status`."""
        return self.outcome == Outcome.COMPLETE and not (self.gaps or self.owed or self.overdue)


@dataclass(frozen=True, slots=True)
class Status:
    """All scopes, and the dead letters by stream."""

    scopes: tuple[ScopeStatus, ...]
    dead_letters: Mapping[str, int]

    @property
    def exit_code(self) -> int:
        """0 when every scope is complete and there are no dead letters, else 4."""
        whole = all(scope.complete for scope in self.scopes) and not any(self.dead_letters.values())
        return 0 if whole else IncompleteError.exit_code


class StatusReader:
    """Reads how the connector is doing. It should run `every` so often."""

    def __init__(
        self, *, logs: LogReader, states: StateStore, dead_letters: ObjectDeadLetters, clock: Clock, every: timedelta
    ) -> None:
        self._logs = logs
        self._states = states
        self._dead_letters = dead_letters
        self._clock = clock
        self._every = every

    def read(self, subscriptions: Sequence[str], *, unlisted: Sequence[Gap] = ()) -> Status:
        """The status of each subscription, given by its id. Raises the errors of `apiward_core.errors`.

        `unlisted` are scopes of which nobody knows what is in them: each is one that is not complete.
        """
        scopes = [f"/subscriptions/{subscription}" for subscription in dict.fromkeys(subscriptions)]
        unknown = {gap.what: gap for gap in unlisted}
        rows = self._logs.query(bind(_LAST_RUNS, scopes=[*unknown, *scopes]), timespan=LOOKS_BACK)
        runs = {row["Scope"]: row for row in rows}
        return Status(
            (
                *(self._scope(scope, runs.get(scope), 0, (gap,)) for scope, gap in unknown.items()),
                *(self._scope(scope, runs.get(scope), *self._owed(scope)) for scope in scopes),
            ),
            self._dead_letters.counts(),
        )

    def _scope(self, scope: str, run: Row | None, owed: int | None, trouble: tuple[Gap, ...]) -> ScopeStatus:
        if run is None:
            return ScopeStatus(scope, NEVER, gaps=trouble, owed=owed)
        whole: datetime | None = run["LastWhole"]
        due = run["TimeGenerated"] + self._every
        return ScopeStatus(
            scope=scope,
            outcome=run["Outcome"],
            run_id=run["RunId"],
            last_run=timestamp(run["TimeGenerated"]),
            source=run["Source"],
            gaps=tuple(dict.fromkeys((*_gaps(run["Unread"]), *trouble))),
            watermark=timestamp(whole) if whole else "",
            watermark_age=(self._clock.now() - whole).total_seconds() if whole else None,
            current=run["FindingsCurrent"],
            sent=run["RowsSent"],
            dead=run["DeadLetters"],
            owed=owed,
            next_due=timestamp(due),
            overdue=self._clock.now() > due + self._every,
        )

    def _owed(self, scope: str) -> tuple[int | None, tuple[Gap, ...]]:
        try:
            return self._states.owed(scope), ()
        except ApiwardError as error:
            return None, (Gap("the state of the connector", str(error)),)


def _gaps(unread: Any) -> tuple[Gap, ...]:
    """The gaps in the column Unread, which comes as JSON text."""
    try:
        listed = orjson.loads(unread or "[]")
        return tuple(Gap(str(gap["what"]), str(gap["why"])) for gap in listed)
    except (orjson.JSONDecodeError, TypeError, KeyError):  # it was cut to the length of a field
        return (Gap("more than fits into a field", str(unread)),)

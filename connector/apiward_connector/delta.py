"""What changed: the last state of a scope against what a pass has seen. Pure arithmetic.

A row is decided here, and `rows` writes it. What decides:

New        never seen before
Resolved   left Unhealthy for Healthy or NotApplicable; the row's State says which
Regressed  Unhealthy after it was resolved or removed
Removed    absent from two whole passes in a row; its entry stays, so that a return is seen
Changed    any other difference
Snapshot   no difference, and no row yet on this UTC day
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from apiward_connector.finding import HEALTHY, NOT_APPLICABLE, UNHEALTHY, Finding, content_hash
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.state import ChangeType, Entry, ScopeState
from apiward_core.clock import timestamp

_SETTLED = {HEALTHY, NOT_APPLICABLE}
_PASSES_UNTIL_REMOVED = 2

Explain = Callable[[Finding], str]


def unexplained(finding: Finding) -> str:
    """The StateCause of a removed finding that nobody looked into."""
    del finding
    return "Unexplained"


def remember(seen: dict[str, Finding], finding: Finding) -> None:
    """Add `finding` to what a pass has seen. Of two statements about one finding the later StateChanged is kept.

    Where that is equal, the content hash decides, so that the order of pages never does.
    """
    known = seen.get(finding.finding_id)
    if known is None or (finding != known and _later(finding, known)):
        seen[finding.finding_id] = finding


def _later(one: Finding, other: Finding) -> bool:
    return (one.state_changed, content_hash(one)) > (other.state_changed, content_hash(other))


def advance(
    state: ScopeState,
    seen: Mapping[str, Finding],
    *,
    now: datetime,
    whole: bool,
    baseline: bool = False,
    explain: Explain = unexplained,
) -> ScopeState:
    """The state after a pass that has seen `seen`, with the rows to send in `pending`.

    Nothing is missed unless the pass was `whole`. With `baseline`, findings are recorded by Snapshot rows until the
    scope has been read whole once. `explain` gives the StateCause of a finding that is removed. Raises ValueError when
    rows of the pass before are still owed: what they say would be overwritten.
    """
    if state.owed:
        raise ValueError(f"{state.owed} rows of the pass before are still owed")
    moment = timestamp(now)
    day = moment[:10]
    first = ChangeType.SNAPSHOT if baseline and not state.watermark else ChangeType.NEW

    def judge(name: str) -> tuple[Entry, ChangeType | None]:
        if name not in seen:
            return _miss(state.entries[name], day, explain)
        if name not in state.entries:
            return Entry(finding=seen[name], first_seen=moment, row_day=day), first
        return _compare(state.entries[name], seen[name], day)

    expected: Iterable[str] = state.entries if whole else ()
    judged = {name: judge(name) for name in sorted({*seen, *expected})}
    entries = {**state.entries, **{name: entry for name, (entry, _) in judged.items()}}
    pending = tuple((name, change) for name, (_, change) in judged.items() if change is not None)
    watermark = moment if whole else state.watermark
    return replace(state, entries=entries, pending=pending, observed=moment, watermark=watermark)


def describe(state: ScopeState, types: Iterable[RecommendationType]) -> ScopeState:
    """The state after `advance`, owing the row of each type that it has not told on the day of that pass.

    A type that changes within a day is told again.
    """
    ids = {kind: kind.record_id(state.observed[:10]) for kind in types}
    owed = tuple(kind for kind, record_id in ids.items() if state.told.get(kind.key) != record_id)
    told = {**state.told, **{kind.key: record_id for kind, record_id in ids.items()}}
    return replace(state, types=owed, told=told)


def _compare(known: Entry, finding: Finding, day: str) -> tuple[Entry, ChangeType | None]:
    if finding == known.finding and not known.removed:
        change = ChangeType.SNAPSHOT if known.row_day != day else None
        return replace(known, missed=0, row_day=day), change
    change = _kind(known, finding)
    settled = finding.state != UNHEALTHY and (known.settled or change is ChangeType.RESOLVED)
    return _revise(known, finding, day, settled=settled), change


def _kind(known: Entry, finding: Finding) -> ChangeType:
    was, now = known.finding.state, finding.state
    if now == UNHEALTHY and known.settled:
        return ChangeType.REGRESSED
    if was == UNHEALTHY and now in _SETTLED and not known.removed:
        return ChangeType.RESOLVED
    return ChangeType.CHANGED


def _miss(known: Entry, day: str, explain: Explain) -> tuple[Entry, ChangeType | None]:
    if known.removed:
        return known, None
    missed = known.missed + 1
    if missed < _PASSES_UNTIL_REMOVED:
        return replace(known, missed=missed), None
    gone = replace(known.finding, state_cause=explain(known.finding))
    return replace(_revise(known, gone, day, settled=True), removed=True, missed=missed), ChangeType.REMOVED


def _revise(known: Entry, finding: Finding, day: str, *, settled: bool) -> Entry:
    return Entry(
        finding=finding,
        first_seen=known.first_seen,
        row_day=day,
        revision=known.revision + 1,
        previous_state=known.finding.state,
        previous_severity=known.finding.severity,
        settled=settled,
    )

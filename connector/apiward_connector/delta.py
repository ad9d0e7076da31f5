"""What changed: the last state of a scope against the pages of one pass. Pure arithmetic.

New        never seen before
Resolved   left Unhealthy for Healthy or NotApplicable; the row's State says which
Regressed  Unhealthy after it was resolved or removed
Removed    absent from two whole passes in a row, and looked into; its entry stays, so that a return is seen
Changed    any other difference
Snapshot   no difference, and no row yet on this UTC day

The order of pages, and what is repeated in them, does not matter: of two statements about one finding that of the later
StateChanged counts, of two with the same one that of the higher digest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apiward_connector.finding import HEALTHY, NOT_APPLICABLE, UNHEALTHY, Finding, Gone
from apiward_connector.id_index import ABSENT
from apiward_connector.ledger import REMOVED, SETTLED, UNKNOWN_DIGEST, halves
from apiward_connector.moments import day_of, moment_of
from apiward_connector.rows import Changes
from apiward_connector.state import ChangeType, ScopeState
from apiward_core.clock import timestamp


@dataclass(slots=True)
class _Verdicts:
    """What changed of the findings at some positions: three lists, a place for each."""

    types: list[ChangeType] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, change: ChangeType, positions: Sequence[int], findings: Sequence[Finding]) -> None:
        """One change of several findings."""
        self.types += [change] * len(findings)
        self.positions += positions
        self.findings += findings


class Told(NamedTuple):
    """Rows to write: what changed, and the findings as they are now."""

    changes: Changes
    findings: Sequence[Finding]


_OVER = {HEALTHY, NOT_APPLICABLE}
_PASSES_UNTIL_REMOVED = 2
_SEEN = 4  # two flags that hold during a pass only
_TOLD = 8
# What a finding was before the pass is asked for when a later page of it corrects an earlier one.
_JUDGED_BY = (
    *("digest", "revision", "row_day", "kind", "state", "risk_level"),
    *("flags", "missed", "previous_state", "previous_severity"),
)


class Pass:
    """One reading of a scope. It changes `state` as it goes: the state of a pass that is given up must not be saved.

    With `baseline`, findings are recorded by Snapshot rows until the scope has been read whole once.
    """

    def __init__(self, state: ScopeState, *, baseline: bool = False) -> None:
        self._state = state
        self._ledger = state.ledger
        self._known = len(state.ledger)
        self._before = {name: state.ledger[name].copy() for name in _JUDGED_BY}
        self._first = ChangeType.SNAPSHOT if baseline and not state.watermark else ChangeType.NEW
        self._superseded: list[str] = []

    def take(self, page: Iterable[Finding], *, now: datetime) -> Told:
        """The rows that a page makes, observed `now`."""
        findings, verdicts = _once_each(page), _Verdicts()
        positions = self._ledger.find(*halves(finding.id for finding in findings))
        there = positions != ABSENT
        self._take_new(_pick(findings, ~there), now, verdicts)
        self._take_known(_pick(findings, there), positions[there], day_of(now), verdicts)
        return self._tell(verdicts)

    def miss(self, look_into: Callable[[Gone], Finding | None], *, now: datetime) -> Iterator[Told]:
        """The Removed rows, after all pages of a whole pass. Call it for no other.

        `look_into` describes a finding that is gone with the cause, or gives None when nothing can be said of it yet:
        it is asked again after the next whole pass.
        """
        ledger = self._ledger
        absent = np.flatnonzero((ledger["flags"] & (_SEEN | REMOVED)) == 0)
        ledger["missed"][absent] = np.minimum(ledger["missed"][absent] + 1, _PASSES_UNTIL_REMOVED)
        due = absent[ledger["missed"][absent] == _PASSES_UNTIL_REMOVED].tolist()
        for position, gone in zip(due, ledger.gone(due), strict=True):
            if (finding := look_into(gone)) is not None:
                self._revise(position, finding, flags=SETTLED | REMOVED, day=day_of(now))
                yield self._tell(_Verdicts([ChangeType.REMOVED], [position], [finding]))

    def end(self, *, whole: bool, now: datetime, outbox: str) -> None:
        """Complete the state. `whole` says whether everything was read, `outbox` names where the rows of it are."""
        flags = self._ledger["flags"]
        flags &= SETTLED | REMOVED
        self._state.observed = timestamp(now)
        if whole:
            self._state.watermark = self._state.observed
        self._state.outbox, self._state.superseded = outbox, tuple(sorted(self._superseded))

    def _take_new(self, findings: list[Finding], now: datetime, verdicts: _Verdicts) -> None:
        start = self._ledger.append(findings, first_seen=moment_of(now), day=day_of(now))
        self._ledger["flags"][start:] = _SEEN | _TOLD
        verdicts.add(self._first, range(start, start + len(findings)), findings)

    def _take_known(self, findings: list[Finding], positions: NDArray[np.int64], day: int, verdicts: _Verdicts) -> None:
        ledger = self._ledger
        again = (ledger["flags"][positions] & _SEEN) != 0
        for finding, position in zip(_pick(findings, again), positions[again].tolist(), strict=True):
            self._correct(position, finding, day, verdicts)
        findings, positions = _pick(findings, ~again), positions[~again]
        self._recall(findings, positions)
        same = self._is_same(findings, positions)
        ledger["flags"][positions] |= _SEEN
        ledger["missed"][positions] = 0
        for finding, position in zip(_pick(findings, ~same), positions[~same].tolist(), strict=True):
            verdicts.add(self._change(position, finding, day), [position], [finding])
        due = same & (ledger["row_day"][positions] != day)
        ledger["row_day"][positions[due]] = day
        ledger["flags"][positions[due]] |= _TOLD
        verdicts.add(ChangeType.SNAPSHOT, positions[due].tolist(), _pick(findings, due))

    def _recall(self, findings: Sequence[Finding], positions: NDArray[np.int64]) -> None:
        """Take the content of findings as known whose state was rebuilt, where what was rebuilt agrees."""
        ledger = self._ledger
        for i in np.flatnonzero(ledger["digest"][positions] == UNKNOWN_DIGEST).tolist():
            position, finding = int(positions[i]), findings[i]
            known = (ledger.word_at("state", position), ledger.kind_at(position).severity)
            if known == (finding.state, finding.kind.severity):
                ledger.describe(positions[i : i + 1], [finding])
                ledger["digest"][position] = finding.digest

    def _is_same(self, findings: Sequence[Finding], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether nothing changed. A risk level that the source does not give is no change."""
        ledger, number = self._ledger, self._ledger.words.number
        digests = np.fromiter((finding.digest for finding in findings), np.uint64, len(findings))
        risks = np.fromiter((number(finding.risk_level) for finding in findings), np.uint16, len(findings))
        same_risk = (risks == number("")) | (risks == ledger["risk_level"][positions])
        is_there = (ledger["flags"][positions] & REMOVED) == 0
        same: NDArray[np.bool_] = (ledger["digest"][positions] == digests) & same_risk & is_there
        return same

    def _correct(self, position: int, finding: Finding, day: int, verdicts: _Verdicts) -> None:
        """Another statement about a finding of this pass: it counts when it is the later one."""
        ledger = self._ledger
        known = (int(ledger["state_changed"][position]), int(ledger["digest"][position]))
        if finding.digest == known[-1] or (finding.state_changed, finding.digest) < known:
            return
        if ledger["flags"][position] & _TOLD:
            self._superseded += self._changes([self._told_type(position)], [position]).record_ids()
        ledger.describe(np.array([position]), [finding])
        if position >= self._known:
            ledger["digest"][position] = finding.digest
            verdicts.add(self._first, [position], [finding])
            return
        for name, column in self._before.items():
            ledger[name][position] = column[position]
        self._take_known([finding], np.array([position]), day, verdicts)

    def _told_type(self, position: int) -> ChangeType:
        """Snapshot, or something else: all else is one to the identity of a row."""
        if position >= self._known:
            return self._first
        is_same = self._ledger["revision"][position] == self._before["revision"][position]
        return ChangeType.SNAPSHOT if is_same else ChangeType.CHANGED

    def _change(self, position: int, finding: Finding, day: int) -> ChangeType:
        flags = int(self._ledger["flags"][position])
        change = self._type(self._ledger.word_at("state", position), finding.state, flags)
        stays_settled = finding.state != UNHEALTHY and bool(flags & SETTLED)
        settled = SETTLED if stays_settled or change is ChangeType.RESOLVED else 0
        self._revise(position, finding, flags=settled | _SEEN, day=day)
        return change

    @staticmethod
    def _type(was: str, now: str, flags: int) -> ChangeType:
        if now == UNHEALTHY and flags & SETTLED:
            return ChangeType.REGRESSED
        if was == UNHEALTHY and now in _OVER and not flags & REMOVED:
            return ChangeType.RESOLVED
        return ChangeType.CHANGED

    def _revise(self, position: int, finding: Finding, *, flags: int, day: int) -> None:
        ledger = self._ledger
        ledger["previous_state"][position] = ledger["state"][position]
        ledger["previous_severity"][position] = ledger.words.number(ledger.kind_at(position).severity)
        risk = ledger["risk_level"][position]
        ledger.describe(np.array([position]), [finding])
        if not finding.risk_level:
            ledger["risk_level"][position] = risk
        ledger["digest"][position] = finding.digest
        ledger["revision"][position] += 1
        ledger["row_day"][position] = day
        ledger["flags"][position] = flags | _TOLD

    def _tell(self, verdicts: _Verdicts) -> Told:
        return Told(self._changes(verdicts.types, verdicts.positions), verdicts.findings)

    def _changes(self, types: Sequence[ChangeType], positions: Sequence[int]) -> Changes:
        ledger, at = self._ledger, np.array(positions, dtype=np.int64)
        words = ledger.words.values
        return Changes(
            types=types,
            ids=ledger.ids_at(at),
            revisions=ledger["revision"][at],
            first_seen=ledger["first_seen"][at],
            digests=ledger["digest"][at],
            row_days=ledger["row_day"][at],
            previous_states=[words[number] for number in ledger["previous_state"][at].tolist()],
            previous_severities=[words[number] for number in ledger["previous_severity"][at].tolist()],
        )


def _once_each(page: Iterable[Finding]) -> list[Finding]:
    findings = list(page)
    seen: dict[bytes, Finding] = {finding.id: finding for finding in findings}
    if len(seen) == len(findings):
        return findings
    ordered = sorted(findings, key=lambda finding: (finding.state_changed, finding.digest))
    return list({finding.id: finding for finding in ordered}.values())


def _pick(findings: list[Finding], chosen: NDArray[np.bool_]) -> list[Finding]:
    if chosen.all():
        return findings
    return [findings[i] for i in np.flatnonzero(chosen).tolist()]

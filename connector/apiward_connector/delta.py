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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apiward_connector.finding import (
    HEALTHY,
    NO_FINGERPRINT,
    NOT_APPLICABLE,
    UNHEALTHY,
    Finding,
    Findings,
    Gone,
    Kind,
)
from apiward_connector.fingerprints import FingerprintIndex
from apiward_connector.id_index import ABSENT, U64, Positions
from apiward_connector.ledger import REMOVED, SETTLED, UNKNOWN_DIGEST
from apiward_connector.moments import day_of, moment_of
from apiward_connector.rows import Changes
from apiward_connector.state import ChangeType, ScopeState
from apiward_core.clock import timestamp


@dataclass(slots=True)
class _Verdicts:
    """What changed of some findings, which are at `indices` of their page: three lists, a place for each."""

    types: list[ChangeType] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)

    def add(self, change: ChangeType, positions: Sequence[int], indices: Sequence[int]) -> None:
        """One change of several findings."""
        self.types += [change] * len(indices)
        self.positions += positions
        self.indices += indices


class Told(NamedTuple):
    """Rows to write: what changed, and the findings as they are now."""

    changes: Changes
    findings: Findings


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

    With `baseline`, findings are recorded by Snapshot rows until the scope has been read whole once. `context` stands
    for all that findings are made with besides their assessments, "" when not all of it is known.
    """

    def __init__(self, state: ScopeState, *, baseline: bool = False, context: str = "") -> None:
        self._state = state
        self._ledger = state.ledger
        if not context or context != state.context:
            self._ledger["fingerprint"][:] = NO_FINGERPRINT
        state.context = context
        self._fingerprints = FingerprintIndex(self._ledger["fingerprint"])
        self._passed_over: set[int] = set()
        self._known = len(state.ledger)
        self._before = {name: state.ledger[name].copy() for name in _JUDGED_BY}
        self._first = ChangeType.SNAPSHOT if baseline and not state.watermark else ChangeType.NEW
        self._superseded: list[str] = []

    @property
    def kinds_passed_over(self) -> list[Kind]:
        """The kinds of the findings that were passed over."""
        return [self._ledger.kinds.values[number] for number in sorted(self._passed_over)]

    def pass_over(self, fingerprints: U64, *, now: datetime) -> list[int]:
        """Take note of the assessments whose findings would make no row, and give the indices of all others.

        Such a finding has had its row of the day, and its assessment is to the byte the one that confirmed it.
        """
        ledger, positions = self._ledger, self._fingerprints.find(fingerprints)
        known = np.flatnonzero(positions != ABSENT)
        at = positions[known]
        is_quiet = (ledger["flags"][at] & (_SEEN | REMOVED) == 0) & (ledger["row_day"][at] == day_of(now))
        passed, at = known[is_quiet], at[is_quiet]
        ledger["flags"][at] |= _SEEN
        ledger["missed"][at] = 0
        self._passed_over.update(np.unique(ledger["kind"][at]).tolist())
        others = np.ones(len(fingerprints), np.bool_)
        others[passed] = False
        return np.flatnonzero(others).tolist()

    def take(self, page: Findings, *, now: datetime) -> Told:
        """The rows that a page makes, observed `now`."""
        findings, verdicts = _once_each(page), _Verdicts()
        positions = self._ledger.find(findings.ids)
        is_known = positions != ABSENT
        if not is_known.all():
            self._take_new(findings, np.flatnonzero(~is_known), now, verdicts)
        if is_known.any():
            known = np.flatnonzero(is_known)
            self._take_known(findings, known, positions[known], day_of(now), verdicts)
        return Told(self._changes(verdicts.types, verdicts.positions), findings.pick(verdicts.indices))

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
                findings = Findings.of([finding])
                self._revise(position, findings, flags=SETTLED | REMOVED, day=day_of(now))
                yield Told(self._changes([ChangeType.REMOVED], [position]), findings)

    def end(self, *, whole: bool, now: datetime, outbox: str) -> None:
        """Complete the state. `whole` says whether everything was read, `outbox` names where the rows of it are."""
        flags = self._ledger["flags"]
        flags &= SETTLED | REMOVED
        self._state.observed = timestamp(now)
        if whole:
            self._state.watermark = self._state.observed
        self._state.outbox, self._state.superseded = outbox, tuple(sorted(self._superseded))

    def _take_new(self, page: Findings, indices: Positions, now: datetime, verdicts: _Verdicts) -> None:
        start = self._ledger.append(page.pick(indices.tolist()), first_seen=moment_of(now), day=day_of(now))
        self._ledger["flags"][start:] = _SEEN | _TOLD
        verdicts.add(self._first, range(start, start + len(indices)), indices.tolist())

    def _take_known(
        self, page: Findings, indices: Positions, positions: Positions, day: int, verdicts: _Verdicts
    ) -> None:
        ledger = self._ledger
        again = (ledger["flags"][positions] & _SEEN) != 0
        for index, position in zip(indices[again].tolist(), positions[again].tolist(), strict=True):
            self._correct(page, index, position, day, verdicts)
        indices, positions = indices[~again], positions[~again]
        self._recall(page, indices, positions)
        same = self._is_same(page, indices, positions)
        ledger["flags"][positions] |= _SEEN
        ledger["missed"][positions] = 0
        ledger["fingerprint"][positions] = page.fingerprints[indices]
        for index, position in zip(indices[~same].tolist(), positions[~same].tolist(), strict=True):
            verdicts.add(self._change(position, page.pick([index]), day), [position], [index])
        due = same & (ledger["row_day"][positions] != day)
        ledger["row_day"][positions[due]] = day
        ledger["flags"][positions[due]] |= _TOLD
        verdicts.add(ChangeType.SNAPSHOT, positions[due].tolist(), indices[due].tolist())

    def _recall(self, page: Findings, indices: Positions, positions: Positions) -> None:
        """Take the content of findings as known whose state was rebuilt, where what was rebuilt agrees."""
        ledger = self._ledger
        for i in np.flatnonzero(ledger["digest"][positions] == UNKNOWN_DIGEST).tolist():
            position, finding = int(positions[i]), page.pick(indices[i : i + 1].tolist())
            [statement] = finding.statements
            known = (ledger.word_at("state", position), ledger.kind_at(position).severity)
            if known == (statement.state, statement.kind.severity):
                ledger.describe(positions[i : i + 1], finding)
                ledger["digest"][position] = finding.digests[0]

    def _is_same(self, page: Findings, indices: Positions, positions: Positions) -> NDArray[np.bool_]:
        """Whether nothing changed. A risk level that the source does not give is no change."""
        ledger = self._ledger
        risks = ledger.risks_of(page.statements)[indices]
        same_risk = (risks == ledger.words.number("")) | (risks == ledger["risk_level"][positions])
        is_there = (ledger["flags"][positions] & REMOVED) == 0
        same: NDArray[np.bool_] = (ledger["digest"][positions] == page.digests[indices]) & same_risk & is_there
        return same

    def _correct(self, page: Findings, index: int, position: int, day: int, verdicts: _Verdicts) -> None:
        """Another statement about a finding of this pass: it counts when it is the later one."""
        ledger = self._ledger
        said = (int(page.state_changed[index]), int(page.digests[index]))
        known = (int(ledger["state_changed"][position]), int(ledger["digest"][position]))
        if said[-1] == known[-1] or said < known:
            return
        if ledger["flags"][position] & _TOLD:
            self._superseded += self._changes([self._told_type(position)], [position]).record_ids()
        ledger.describe(np.array([position]), page.pick([index]))
        if position >= self._known:
            ledger["digest"][position] = said[-1]
            ledger["fingerprint"][position] = page.fingerprints[index]
            verdicts.add(self._first, [position], [index])
            return
        for name, column in self._before.items():
            ledger[name][position] = column[position]
        self._take_known(page, np.array([index]), np.array([position]), day, verdicts)

    def _told_type(self, position: int) -> ChangeType:
        """Snapshot, or something else: all else is one to the identity of a row."""
        if position >= self._known:
            return self._first
        is_same = self._ledger["revision"][position] == self._before["revision"][position]
        return ChangeType.SNAPSHOT if is_same else ChangeType.CHANGED

    def _change(self, position: int, finding: Findings, day: int) -> ChangeType:
        flags, state = int(self._ledger["flags"][position]), finding.statements[0].state
        change = self._type(self._ledger.word_at("state", position), state, flags)
        stays_settled = state != UNHEALTHY and bool(flags & SETTLED)
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

    def _revise(self, position: int, finding: Findings, *, flags: int, day: int) -> None:
        ledger = self._ledger
        ledger["previous_state"][position] = ledger["state"][position]
        ledger["previous_severity"][position] = ledger.words.number(ledger.kind_at(position).severity)
        risk = ledger["risk_level"][position]
        ledger.describe(np.array([position]), finding)
        if not finding.statements[0].risk_level:
            ledger["risk_level"][position] = risk
        ledger["digest"][position] = finding.digests[0]
        ledger["revision"][position] += 1
        ledger["row_day"][position] = day
        ledger["flags"][position] = flags | _TOLD

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


def _once_each(page: Findings) -> Findings:
    high = np.sort(page.ids[:, 0])
    if (high[1:] != high[:-1]).all():
        return page
    order = np.lexsort((page.digests, page.state_changed))
    last = {finding: index for index, finding in zip(order.tolist(), map(tuple, page.ids[order].tolist()), strict=True)}
    return page.pick(sorted(last.values()))

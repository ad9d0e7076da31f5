"""The assessments as Defender last saw them, and when it looks again."""

import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apiward_lab.defender.definition import (
    EXEMPT,
    HEALTHY,
    OFF_BY_POLICY,
    UNHEALTHY,
    Definition,
    Derivation,
    Producer,
    Status,
    Verdict,
)
from apiward_lab.estate import Estate
from apiward_lab.policy import Standing

Judge = Callable[[str, datetime], Standing]
Policies = Callable[[str], Judge]
"""From the name of a policy to what tells how it stands for a resource, by its id, at a time."""

_OLDEST_FIRST_EVALUATION_DAYS = 90
_AFTER_ALL = "\uffff"


@dataclass(frozen=True)
class Assessment:
    """Defender's verdict on one resource, with the times that it keeps (virtual)."""

    definition: Definition
    resource_id: str
    status: Status
    additional_data: Mapping[str, str]
    first_evaluated: datetime
    status_changed: datetime

    @property
    def code(self) -> str:
        """The programmatic status code."""
        return self.status.code

    @property
    def cause(self) -> str:
        """Why it is NotApplicable, "" where it is not."""
        return self.status.cause

    @property
    def description(self) -> str:
        """The same for people."""
        return self.status.description

    @property
    def assessment_id(self) -> str:
        """Its ARM id."""
        return f"{self.resource_id}/providers/Microsoft.Security/assessments/{self.definition.key}"


class _Examiner:
    """One derivation, what it found, and when it looks next."""

    def __init__(
        self, derivation: Derivation, interval: timedelta, *, estate: Estate, policies: Policies, started: datetime
    ) -> None:
        self.definition = derivation.definition
        self.due = started + interval
        self._derivation = derivation
        self._interval = interval
        self._estate = estate
        self._policies = policies
        self.rows = {key: _backdated(row) for key, row in self._judged(started, {}).items()}

    def look(self, now: datetime) -> bool:
        """Judge the estate as it is now. Returns whether that changed anything."""
        while self.due <= now:
            self.due += self._interval
        before, self.rows = self.rows, self._judged(now, self.rows)
        return self.rows != before

    def _judged(self, now: datetime, before: Mapping[str, Assessment]) -> dict[str, Assessment]:
        judge = self._policies(self.definition.policy_id)
        judged = {}
        for verdict in self._derivation.verdicts(self._estate, now):
            status = self._status(verdict, judge(verdict.resource_id, now))
            if status is not None:
                key = verdict.resource_id.lower()
                judged[key] = self._row(verdict, status, before.get(key), now)
        return judged

    def _status(self, verdict: Verdict, standing: Standing) -> Status | None:
        """What Azure Policy does not evaluate has no row; what Defender judges itself keeps one, switched off."""
        if standing is Standing.EXEMPT:
            return EXEMPT
        if standing is Standing.OFF:
            return None if self.definition.producer is Producer.POLICY else OFF_BY_POLICY
        return HEALTHY if verdict.is_healthy else UNHEALTHY

    def _row(self, verdict: Verdict, status: Status, before: Assessment | None, now: datetime) -> Assessment:
        """The verdict with the times of the row before it, as far as they still hold."""
        if before is None:
            data = verdict.additional_data
            return Assessment(self.definition, verdict.resource_id, status, data, now, status_changed=now)
        if before.status == status and before.additional_data == verdict.additional_data:
            return before
        changed = before.status_changed if before.status == status else now
        return replace(before, status=status, additional_data=verdict.additional_data, status_changed=changed)


class Ledger:
    """Judges the estate at fixed intervals of virtual time, each derivation at its own; in between nothing changes.

    A resource that is gone loses its row. One that was there before the lab started has been known for up to 90 days.
    """

    def __init__(
        self,
        estate: Estate,
        derivations: Iterable[tuple[Derivation, timedelta]],
        *,
        policies: Policies,
        started: datetime,
    ) -> None:
        self._examiners = [
            _Examiner(derivation, interval, estate=estate, policies=policies, started=started)
            for derivation, interval in derivations
        ]
        self._by_key = {examiner.definition.key: examiner for examiner in self._examiners}
        self._index()

    @property
    def rows(self) -> Sequence[Assessment]:
        """All assessments, ordered by id."""
        return self._rows

    def rows_under(self, scope: str) -> Sequence[Assessment]:
        """The assessments of the resource with this ARM id and of everything below it, ordered by id."""
        prefix = f"{scope.rstrip('/')}/".lower()
        return self._rows[bisect_left(self._ids, prefix) : bisect_left(self._ids, prefix + _AFTER_ALL)]

    def find(self, resource_id: str, key: str) -> Assessment | None:
        """The assessment of a resource, without regard to case."""
        examiner = self._by_key.get(key.lower())
        return examiner.rows.get(resource_id.lower()) if examiner else None

    @property
    def definitions(self) -> Sequence[Definition]:
        """The metadata of every assessment that can be produced."""
        return [examiner.definition for examiner in self._examiners]

    def next_refresh(self) -> datetime | None:
        """When Defender looks next (virtual time); None when it has nothing to look for."""
        return min((examiner.due for examiner in self._examiners), default=None)

    def refresh_if_due(self, now: datetime) -> None:
        """Look at what is due."""
        changes = [examiner.look(now) for examiner in self._examiners if examiner.due <= now]
        if any(changes):
            self._index()

    def _index(self) -> None:
        rows = (row for examiner in self._examiners for row in examiner.rows.values())
        ordered = sorted(((row.assessment_id.lower(), row) for row in rows), key=lambda entry: entry[0])
        self._ids = [key for key, _ in ordered]
        self._rows = [row for _, row in ordered]


def _backdated(row: Assessment) -> Assessment:
    """The row as if Defender had known the resource for a while; how long depends on its id only."""
    minutes = zlib.crc32(row.assessment_id.lower().encode()) % (_OLDEST_FIRST_EVALUATION_DAYS * 24 * 60)
    seen = row.first_evaluated - timedelta(minutes=minutes)
    return replace(row, first_evaluated=seen, status_changed=seen)

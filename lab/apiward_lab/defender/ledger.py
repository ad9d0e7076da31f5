"""The assessments as Defender last saw them, and when it looks again."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apiward_lab.defender.definition import Definition, Derivation
from apiward_lab.estate import Estate

_OLDEST_FIRST_EVALUATION_DAYS = 90


@dataclass(frozen=True)
class Assessment:
    """Defender's verdict on one resource, with the times that it keeps (virtual)."""

    definition: Definition
    resource_id: str
    code: str
    additional_data: Mapping[str, str]
    first_evaluated: datetime
    status_changed: datetime

    @property
    def assessment_id(self) -> str:
        """Its ARM id."""
        return f"{self.resource_id}/providers/Microsoft.Security/assessments/{self.definition.key}"


class Ledger:
    """Judges the estate at fixed intervals of virtual time; between two looks nothing changes.

    A resource that is gone loses its row. One that was there before the lab started has been known for up to 90 days.
    """

    def __init__(
        self, estate: Estate, derivations: Sequence[Derivation], *, started: datetime, interval: timedelta
    ) -> None:
        self._estate = estate
        self._derivations = derivations
        self._interval = interval
        self._next = started + interval
        self._rows = {key: _backdated(row) for key, row in self._judged(started).items()}

    @property
    def rows(self) -> Sequence[Assessment]:
        """All assessments, ordered by id."""
        return list(self._rows.values())

    def find(self, resource_id: str, key: str) -> Assessment | None:
        """The assessment of a resource, without regard to case."""
        return self._rows.get((resource_id.lower(), key.lower()))

    @property
    def definitions(self) -> Sequence[Definition]:
        """The metadata of every assessment that can be produced."""
        return [derivation.definition for derivation in self._derivations]

    def next_refresh(self) -> datetime:
        """When Defender looks next (virtual time)."""
        return self._next

    def refresh_if_due(self, now: datetime) -> None:
        """Look at the estate if it is time."""
        if now < self._next:
            return
        while self._next <= now:
            self._next += self._interval
        self._rows = {key: _continued(self._rows.get(key), row) for key, row in self._judged(now).items()}

    def _judged(self, now: datetime) -> dict[tuple[str, str], Assessment]:
        rows = (
            Assessment(derivation.definition, verdict.resource_id, verdict.code, verdict.additional_data, now, now)
            for derivation in self._derivations
            for verdict in derivation.verdicts(self._estate)
        )
        judged = {(row.resource_id.lower(), row.definition.key): row for row in rows}
        return {key: judged[key] for key in sorted(judged)}


def _continued(before: Assessment | None, after: Assessment) -> Assessment:
    """The new verdict with the times of the old one, as far as they still hold."""
    if before is None:
        return after
    changed = after.status_changed if before.code != after.code else before.status_changed
    return replace(after, first_evaluated=before.first_evaluated, status_changed=changed)


def _backdated(row: Assessment) -> Assessment:
    """The row as if Defender had known the resource for a while; how long depends on its id only."""
    minutes = zlib.crc32(row.assessment_id.lower().encode()) % (_OLDEST_FIRST_EVALUATION_DAYS * 24 * 60)
    seen = row.first_evaluated - timedelta(minutes=minutes)
    return replace(row, first_evaluated=seen, status_changed=seen)

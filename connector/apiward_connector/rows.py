"""Rows of the tables as JSON, with every column."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from apiward_connector.finding import ID_LENGTH, Finding
from apiward_connector.id_index import U64
from apiward_connector.moments import Moments, to_json, to_text
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.state import ChangeType
from apiward_core.tables import SCHEMA_VERSION

Row = dict[str, Any]

_ID = ID_LENGTH // 2
_SNAPSHOT = ChangeType.SNAPSHOT
_IDENTITY = np.dtype([("id", f"V{_ID}"), ("first_seen", ">i8"), ("revision", ">u4"), ("digest", ">u8"), ("day", ">u2")])


# What stands here without a name are several members each.
_REST_OF_ROW = b',"FindingId":"%b","RecordId":"%b",%b,%b,"AdditionalData":%b,"FirstEvaluated":%b,"StateChanged":%b}'


class Changes(NamedTuple):
    """What some rows say of their findings besides describing them: a column for each thing, a place for each row.

    `ids` are the FindingIds, 16 bytes each. `first_seen` is in microseconds, `row_days` in days since 1970. `digests`
    are those of the findings.
    """

    types: Sequence[ChangeType]
    ids: bytes
    revisions: NDArray[np.uint32]
    first_seen: Moments
    digests: U64
    row_days: NDArray[np.uint16]
    previous_states: Sequence[str]
    previous_severities: Sequence[str]

    def record_ids(self) -> list[str]:
        """The identity of each row: one that is written again has the same, and no two different rows have one.

        The day counts for a snapshot only. FirstSeen is part of it, because a connector that lost its state counts
        revisions from 1 again.
        """
        identities = np.empty(len(self.types), _IDENTITY)
        identities["id"] = np.frombuffer(self.ids, _IDENTITY["id"])
        identities["first_seen"], identities["revision"] = self.first_seen, self.revisions
        identities["digest"] = self.digests
        identities["day"] = self.row_days * np.array([kind is _SNAPSHOT for kind in self.types], np.uint16)
        packed, size = identities.tobytes(), _IDENTITY.itemsize
        return [sha256(packed[at : at + size]).hexdigest()[:ID_LENGTH] for at in range(0, len(packed), size)]


class RecommendationRows:
    """Writes rows of DefenderApiRecommendations_CL that were observed at one moment of one run.

    `observed` is an ISO 8601 time. It is in two columns, because the service puts the time of arrival into
    TimeGenerated of a row that is more than two days old.
    """

    def __init__(self, *, run_id: str, observed: str) -> None:
        common = {"TimeGenerated": observed, "ObservedAt": observed, "RunId": run_id, "SchemaVersion": SCHEMA_VERSION}
        self._row = orjson.dumps(common)[:-1].replace(b"%", b"%%") + _REST_OF_ROW

    def write(self, changes: Changes, findings: Sequence[Finding]) -> list[bytes]:
        """The rows, a finding for each."""
        ids = changes.ids.hex().encode()
        histories = map(
            _history,
            *(changes.types, changes.revisions.tolist(), changes.first_seen.tolist()),
            *(changes.previous_states, changes.previous_severities),
        )
        parts = zip(
            (ids[at : at + ID_LENGTH] for at in range(0, len(ids), ID_LENGTH)),
            map(str.encode, changes.record_ids()),
            histories,
            (b",".join(finding.shared) for finding in findings),
            (finding.additional_data for finding in findings),
            to_json([finding.first_evaluated for finding in findings]),
            to_json([finding.state_changed for finding in findings]),
            strict=True,
        )
        return [self._row % part for part in parts]


@lru_cache(maxsize=4096)
def _history(change: ChangeType, revision: int, first_seen: int, previous_state: str, previous_severity: str) -> bytes:
    """The members that most rows of a pass share with many others."""
    members = {
        "Revision": revision,
        "ChangeType": change,
        "FirstSeen": to_text(first_seen),
        "PreviousState": previous_state,
        "PreviousSeverity": previous_severity,
    }
    return orjson.dumps(members)[1:-1]


def type_row(kind: RecommendationType, *, observed: str, run_id: str) -> Row:
    """The row of DefenderApiRecommendationTypes_CL on the day of `observed`, which is when its findings were read."""
    return {
        "TimeGenerated": observed,
        "ObservedAt": observed,
        "RecordId": kind.record_id(observed[:10]),
        "RunId": run_id,
        "SchemaVersion": SCHEMA_VERSION,
        "RecommendationKey": kind.key,
        "Recommendation": kind.recommendation,
        "RecommendationName": kind.name,
        "Severity": kind.severity,
        "Description": kind.description,
        "RemediationSteps": kind.remediation_steps,
        "ImplementationEffort": kind.implementation_effort,
        "UserImpact": kind.user_impact,
        "PolicyDefinitionId": kind.policy_definition_id,
        "Threats": list(kind.threats),
        "OwaspApi": list(kind.owasp_api),
        "Plan": kind.plan,
    }

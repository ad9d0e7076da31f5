"""Rows of the tables as JSON, with every column."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from apiward_connector.finding import ID_LENGTH, Findings
from apiward_connector.id_index import U64
from apiward_connector.memo import Memo, length_of_all
from apiward_connector.moments import JSON_LENGTH, Moments, to_json, to_text
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.state import ChangeType
from apiward_core.tables import SCHEMA_VERSION

Row = dict[str, Any]
History = tuple[ChangeType, int, int, str, str]
"""Of a row: its type, the revision, when the finding was first seen, what its state and its severity were before."""

_SNAPSHOT = ChangeType.SNAPSHOT

_REST_OF_ROW = b',%b,%b,%b,%b,"AdditionalData":%b}'  # what stands without a name are several members each

# What differs from finding to finding and has the same length in all of them, between what stands in every row.
_HEAD = np.array(
    [(b'{"FindingId":"', b"", b'","RecordId":"', b"", b'","FirstEvaluated":', b"", b',"StateChanged":', b"", b",")],
    [
        *(("1", "S14"), ("id", f"S{ID_LENGTH}"), ("2", "S14"), ("record_id", f"S{ID_LENGTH}")),
        *(("3", "S19"), ("first_evaluated", f"S{JSON_LENGTH}"), ("4", "S16"), ("state_changed", f"S{JSON_LENGTH}")),
        ("5", "S1"),
    ],
)


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
        spelled = self.spelled_record_ids().decode()
        return [spelled[at : at + ID_LENGTH] for at in range(0, len(spelled), ID_LENGTH)]

    def spelled_record_ids(self) -> bytes:
        """All of them, one after the other.

        A FindingId is 128 bits of a hash, so its rows need not be hashed again: what tells them apart is mixed into
        its halves: revision and day into one, content and FirstSeen into the other.
        """
        days = self.row_days * np.array([kind is _SNAPSHOT for kind in self.types], np.uint64)
        ids = np.frombuffer(self.ids, ">u8").reshape(-1, 2).copy()
        ids[:, 0] ^= self.digests ^ self.first_seen.view(np.uint64)
        ids[:, 1] ^= self.revisions.astype(np.uint64) << np.uint64(16) | days
        return ids.tobytes().hex().encode()


class RecommendationRows:
    """Writes rows of DefenderApiRecommendations_CL that were observed at one moment of one run.

    `observed` is an ISO 8601 time. It is in two columns, because the service puts the time of arrival into
    TimeGenerated of a row that is more than two days old.
    """

    def __init__(self, *, run_id: str, observed: str) -> None:
        common = {"TimeGenerated": observed, "ObservedAt": observed, "RunId": run_id, "SchemaVersion": SCHEMA_VERSION}
        self._row = b"%b" + orjson.dumps(common)[1:-1].replace(b"%", b"%%") + _REST_OF_ROW

    def write(self, changes: Changes, findings: Findings) -> list[bytes]:
        """The rows, a finding for each."""
        histories = zip(
            *(changes.types, changes.revisions.tolist(), changes.first_seen.tolist()),
            *(changes.previous_states, changes.previous_severities),
            strict=True,
        )
        columns = zip(
            _heads(changes, findings),
            map(_HISTORIES.__getitem__, histories),
            [statement.columns for statement in findings.statements],
            [here.columns for here in findings.located],
            [part.columns for part in findings.governed],
            findings.additional_data,
            strict=True,
        )
        row = self._row
        return [row % column for column in columns]


def _heads(changes: Changes, findings: Findings) -> list[bytes]:
    heads = np.repeat(_HEAD, len(findings))
    heads["id"] = np.frombuffer(changes.ids.hex().encode(), f"S{ID_LENGTH}")
    heads["record_id"] = np.frombuffer(changes.spelled_record_ids(), f"S{ID_LENGTH}")
    heads["first_evaluated"] = to_json(findings.first_evaluated)
    heads["state_changed"] = to_json(findings.state_changed)
    written, size = heads.tobytes(), heads.itemsize
    return [written[at : at + size] for at in range(0, len(written), size)]


def _history(known: History) -> bytes:
    """The members that most rows of a pass share with many others."""
    change, revision, first_seen, previous_state, previous_severity = known
    members = {
        "Revision": revision,
        "ChangeType": change,
        "FirstSeen": to_text(first_seen),
        "PreviousState": previous_state,
        "PreviousSeverity": previous_severity,
    }
    return orjson.dumps(members)[1:-1]


def _length(known: History) -> int:
    return length_of_all(known[-2:])


_HISTORIES = Memo(_history, size=4096, weigh=_length)


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

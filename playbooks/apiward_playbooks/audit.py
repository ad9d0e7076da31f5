"""The audit trail: one row for each step of a run, each holding the hash of the one before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class AuditRow:
    """One row of DefenderApiRemediation_CL. `record_id` is the hash that the run's next row refers to."""

    record_id: str
    columns: Mapping[str, Any]

    def as_row(self) -> dict[str, Any]:
        """The row as the table wants it. TimeGenerated is not hashed: the service rewrites that of late rows."""
        return {"RecordId": self.record_id, "TimeGenerated": self.columns["OccurredAt"], **self.columns}


def chained(previous: str, columns: Mapping[str, Any]) -> AuditRow:
    """The row of these columns that follows the row with hash `previous` ("" for a run's first)."""
    linked = {**columns, "PreviousHash": previous}
    return AuditRow(hashlib.sha256(orjson.dumps(linked, option=orjson.OPT_SORT_KEYS)).hexdigest(), linked)

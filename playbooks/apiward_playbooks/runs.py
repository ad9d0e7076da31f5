"""The record of one remediation run. `decision` says what comes next, `transitions` what the record becomes."""

from dataclasses import dataclass, field
from enum import StrEnum

from apiward_playbooks.audit import AuditRow
from apiward_playbooks.guardrails.document import Mode
from apiward_playbooks.remediation import Change, Evidence


class State(StrEnum):
    """Where a run stands."""

    BLOCKED = "Blocked"
    AWAITING_APPROVAL = "AwaitingApproval"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    APPROVED = "Approved"
    APPLYING = "Applying"
    APPLIED = "Applied"
    PARTIALLY_APPLIED = "PartiallyApplied"
    APPLY_FAILED = "ApplyFailed"
    VERIFIED = "Verified"
    UNVERIFIED = "Unverified"
    CONFIRMED = "Confirmed"
    CLOSED = "Closed"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    ABANDONED = "Abandoned"


ENDED = frozenset(
    {
        State.BLOCKED,
        State.REJECTED,
        State.EXPIRED,
        State.APPLY_FAILED,
        State.CLOSED,
        State.ROLLED_BACK,
        State.ABANDONED,
    }
)
# A new plan for the same finding may take the place of a run in one of these.
REPLACEABLE = frozenset(
    {State.VERIFIED, State.UNVERIFIED, State.CONFIRMED, State.PARTIALLY_APPLIED, State.ROLLBACK_FAILED}
)
CHANGED_SOMETHING = frozenset(
    {
        State.APPLYING,
        State.APPLIED,
        State.PARTIALLY_APPLIED,
        State.VERIFIED,
        State.UNVERIFIED,
        State.CONFIRMED,
        State.CLOSED,
        State.ROLLBACK_FAILED,
    }
)


@dataclass(frozen=True)
class Target:
    """The finding that a run works on."""

    finding_id: str
    recommendation_key: str
    recommendation: str
    recommendation_name: str
    severity: str
    resource_id: str
    service_id: str


@dataclass(frozen=True)
class Plan:
    """The exact changes, frozen by a hash."""

    changes: tuple[Change, ...]
    race: str
    breaking: str | None
    irreversible: str | None
    expires_at: str


@dataclass(frozen=True)
class Comment:
    """A comment that the run's incident is to get. The id is deterministic, so a retry adds nothing."""

    id: str
    incident: str
    message: str


@dataclass(frozen=True)
class Run:
    """One remediation, from plan to close. Times are ISO 8601 texts, so that a stored run reads back as it was.

    `mode` is the guardrails' for its plan. `cursor` is the change in hand, `attempted` the one whose write began and
    has no known end, -1 when there is none. `held` says why it waits although it was approved, `rolled_back_at` when
    it was wholly undone, or given up on its way back.
    """

    id: str
    target: Target
    plan: Plan
    plan_hash: str
    requested_by: str
    created_at: str
    mode: Mode = Mode.APPROVAL
    state: State = State.AWAITING_APPROVAL
    decided_by: str = ""
    decided_why: str = ""
    ticket: str = ""
    cursor: int = 0
    attempted: int = -1
    evidence: Evidence | None = None
    confirm_by: str = ""
    confirmed_at: str = ""
    overdue_told: bool = False
    problem: str = ""
    held: str = ""
    rolled_back_at: str = ""
    incident: str = ""  # resource name of the incident that it belongs to, empty while none is known
    sequence: int = 0
    audit_head: str = ""
    outbox: tuple[AuditRow | Comment, ...] = field(default=())

    @property
    def correlation_id(self) -> str:
        """The correlation id that goes with every write of the run."""
        return self.id

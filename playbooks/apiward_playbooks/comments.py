"""What our comments on incidents say. They are HTML; every name and value in them is escaped."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from apiward_core.html import Markup, join, tag
from apiward_playbooks.findings import FindingState
from apiward_playbooks.incidents import SIGNATURE
from apiward_playbooks.runs import Comment, Run, State

_NAMESPACE = UUID("6f7c1ab7-6f0f-4f43-9e0c-6f3f5f3f5a0d")

_HEADLINES = {
    State.AWAITING_APPROVAL: "Remediation planned, waiting for approval",
    State.REJECTED: "Remediation rejected",
    State.EXPIRED: "Remediation plan expired, nothing was changed",
    State.APPLY_FAILED: "Remediation failed, nothing was changed",
    State.PARTIALLY_APPLIED: "Remediation stopped half-way: roll back or finish by hand",
    State.VERIFIED: "Fixed at the resource, waiting for Defender",
    State.UNVERIFIED: "Changed, but the resource is not as it should be: roll back or look by hand",
    State.ROLLED_BACK: "Remediation rolled back",
    State.ROLLBACK_FAILED: "Rollback failed: restore by hand",
}
_OVERDUE = "Defender has not agreed in time: look at the assessment"


def comment_id(*parts: str) -> str:
    """A deterministic comment id, so that a retry adds nothing."""
    return str(uuid5(_NAMESPACE, "/".join(parts)))


def describe(run: Run) -> Comment | None:
    """The comment that a run's state deserves, None for the states that pass by themselves."""
    headline = _OVERDUE if run.overdue_told and run.state == State.VERIFIED else _HEADLINES.get(run.state)
    if headline is None:
        return None
    message = join(
        tag("p", tag("b", headline)),
        tag("ul", *(tag("li", change.summary) for change in run.plan.changes)),
        _facts(run),
        _footer(run),
    )
    return Comment(comment_id(run.id, run.state, str(run.overdue_told)), run.incident, message)


def closing(findings: Sequence[FindingState], runs: Sequence[Run], how: str) -> str:
    """The comment that closes an incident, with the evidence for each finding."""
    by_finding = {run.target.finding_id: run for run in runs}
    rows = [_evidence(finding, by_finding.get(finding.finding_id)) for finding in findings]
    heads = [_footer(run) for run in runs]
    return join(tag("p", tag("b", "Closed by apiward: "), how), tag("ul", *rows), *heads)


def _facts(run: Run) -> Markup:
    facts = [
        ("Resource", run.target.resource_id),
        ("Requested by", run.requested_by),
        ("Decided by", " ".join(filter(None, (run.decided_by, run.decided_why)))),
        ("Breaks", run.plan.breaking or ""),
        ("Cannot be undone", run.plan.irreversible or ""),
        ("Race that remains", run.plan.race),
        ("Plan expires", run.plan.expires_at if run.state == State.AWAITING_APPROVAL else ""),
        ("Evidence", run.evidence.statement if run.evidence else ""),
        ("Problem", run.problem),
    ]
    return tag("p", *(join(tag("b", f"{name}: "), value, Markup("<br>")) for name, value in facts if value))


def _evidence(finding: FindingState, run: Run | None) -> Markup:
    state = f"{finding.state} since {finding.changed}" if finding.change_type != "Removed" else finding.cause
    if run is None:
        return tag("li", f"{finding.resource_id}: {state}, fixed without a run of apiward")
    changes = "; ".join(change.summary for change in run.plan.changes)
    approval = f"approved by {run.decided_by}, Defender agreed at {run.confirmed_at}"
    return tag("li", f"{finding.resource_id}: {state}. {changes}; {approval}")


def _footer(run: Run) -> Markup:
    return tag("p", f"{SIGNATURE} {run.id}, plan {run.plan_hash[:12]}, audit head {run.audit_head[:12]}")

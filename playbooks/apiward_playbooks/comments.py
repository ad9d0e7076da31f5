"""What our comments on incidents say. They are HTML; every name and value in them is escaped."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from apiward_core.html import Markup, join, tag
from apiward_playbooks.findings import FindingState
from apiward_playbooks.guardrails.document import AcceptedRisk, Mode
from apiward_playbooks.incidents import SIGNATURE
from apiward_playbooks.runs import Comment, Run, State

_NAMESPACE = UUID("6f7c1ab7-6f0f-4f43-9e0c-6f3f5f3f5a0d")

_HEADLINES = {
    State.BLOCKED: "Remediation planned, but the guardrails do not allow it",
    State.AWAITING_APPROVAL: "Remediation planned, waiting for approval",
    State.REJECTED: "Remediation rejected",
    State.EXPIRED: "Remediation plan expired, nothing was changed",
    State.APPLY_FAILED: "Remediation failed, nothing was changed",
    State.PARTIALLY_APPLIED: "Remediation stopped half-way: roll back or finish by hand",
    State.VERIFIED: "Fixed at the resource, waiting for Defender",
    State.UNVERIFIED: "Changed, but the resource is not as it should be: roll back or look by hand",
    State.ROLLED_BACK: "Remediation rolled back",
    State.ROLLBACK_FAILED: "Rollback failed: restore by hand",
    State.ABANDONED: "Run given up as it stands",
}
_ROOM = 28_000  # characters for a list; a comment of Sentinel has 30,000
_OVERDUE = "Defender has not agreed in time: look at the assessment"
_HELD = "Held by the guardrails: nothing is written for now"
_AUTOMATIC = "Remediation planned, and approved by the guardrails"


def comment_id(*parts: str) -> str:
    """A deterministic comment id, so that a retry adds nothing."""
    return str(uuid5(_NAMESPACE, "/".join(parts)))


def describe(run: Run) -> Comment | None:
    """The comment that a run's state deserves, None for the states that pass by themselves."""
    headline = _headline(run)
    if headline is None:
        return None
    message = join(
        tag("p", tag("b", headline)),
        tag("ul", *_fitting([tag("li", change.summary) for change in run.plan.changes])),
        _facts(run),
        tag("p", _reference(run)),
    )
    return Comment(comment_id(run.id, run.state, str(run.overdue_told), run.held), run.incident, message)


def _headline(run: Run) -> str | None:
    if run.held:
        return _HELD
    if run.state == State.APPROVED and run.mode is Mode.AUTOMATIC:
        return _AUTOMATIC
    return _OVERDUE if run.overdue_told and run.state == State.VERIFIED else _HEADLINES.get(run.state)


def closing(
    findings: Sequence[FindingState], runs: Sequence[Run], risks: Mapping[str, AcceptedRisk], how: str
) -> Markup:
    """The comment before an incident is closed, with the evidence for each finding as far as it fits.

    `risks` are the accepted ones by finding id.
    """
    by_finding = {run.target.finding_id: run for run in runs}
    evidence = [
        _acceptance(finding, risks[finding.finding_id])
        if finding.finding_id in risks
        else _evidence(finding, by_finding.get(finding.finding_id))
        for finding in findings
    ]
    headline = tag("p", tag("b", "Every finding is settled, closed by apiward: "), how)
    return join(headline, tag("ul", *_fitting(evidence)))


def _fitting(rows: Sequence[Markup]) -> list[Markup]:
    fitting: list[Markup] = []
    room = _ROOM
    for number, row in enumerate(rows):
        room -= len(row)
        if room < 0:
            return [*fitting, tag("li", f"and {len(rows) - number} more, see DefenderApiRemediation_CL")]
        fitting.append(row)
    return fitting


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
        ("Held", run.held),
    ]
    return tag("p", *(join(tag("b", f"{name}: "), value, Markup("<br>")) for name, value in facts if value))


def _acceptance(finding: FindingState, risk: AcceptedRisk) -> Markup:
    return tag(
        "li", f"{finding.resource_id}: {finding.state}, accepted by {risk.accepted_by} to {risk.expires}: {risk.reason}"
    )


def _evidence(finding: FindingState, run: Run | None) -> Markup:
    state = f"{finding.state} since {finding.changed}" if finding.change_type != "Removed" else finding.cause
    if run is None:
        how = "" if finding.change_type == "Removed" else ", fixed without a run of apiward"
        return tag("li", f"{finding.resource_id}: {state}{how}")
    changes = "; ".join(change.summary for change in run.plan.changes)
    approval = f"approved by {run.decided_by} {run.decided_why}".strip() + f", Defender agreed at {run.confirmed_at}"
    return tag("li", f"{finding.resource_id}: {state}. {changes}; {approval}. {_reference(run)}")


def _reference(run: Run) -> str:
    return f"{SIGNATURE} {run.id}, plan {run.plan_hash[:12]}, audit head {run.audit_head}"

"""What a run's record becomes once something is done. Pure.

Every transition adds one row to the run's audit chain and puts it, with any comment, into the outbox.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from apiward_core.clock import timestamp
from apiward_core.errors import ConflictError, GuardrailError
from apiward_core.tables import SCHEMA_VERSION
from apiward_playbooks.audit import chained
from apiward_playbooks.decision import Prepare, Write
from apiward_playbooks.guardrails.document import Mode
from apiward_playbooks.guardrails.limits import Ruling
from apiward_playbooks.remediation import Evidence
from apiward_playbooks.runs import CHANGED_SOMETHING, ENDED, Comment, Plan, Run, State, Target

GUARDRAILS = "guardrails"  # the actor of what they decide by themselves


@dataclass(frozen=True)
class Step:
    """One step for the audit trail: what was done, by whom, what was decided, values before and after."""

    name: str
    actor: str
    decision: str
    before: Any = None
    after: Any = None


def plan_hash(run_id: str, target: Target, plan: Plan) -> str:
    """The hash that freezes a plan: of the run, the finding, every change and the expiry."""
    return hashlib.sha256(orjson.dumps([run_id, target, plan], option=orjson.OPT_SORT_KEYS)).hexdigest()


def new_run(run_id: str, target: Target, plan: Plan, *, requested_by: str, incident: str, now: datetime) -> Run:
    """The run as it starts, waiting for approval."""
    run = Run(
        id=run_id,
        target=target,
        plan=plan,
        plan_hash=plan_hash(run_id, target, plan),
        requested_by=_actor(requested_by),
        created_at=timestamp(now),
        incident=incident,
    )
    summary = "; ".join(change.summary for change in plan.changes)
    before = [dict(change.before) for change in plan.changes]
    after = [dict(change.after) for change in plan.changes]
    return recorded(run, Step("plan", requested_by, summary, before, after), now)


def ruled(run: Run, ruling: Ruling, now: datetime) -> Run:
    """The new run as the guardrails leave it: blocked, waiting for approval, or approved at once by a rule."""
    run = replace(run, mode=ruling.mode)
    if ruling.blocks:
        blocked = replace(run, state=State.BLOCKED, problem=ruling.blocks)
        return recorded(blocked, Step("block", GUARDRAILS, ruling.blocks), now)
    if ruling.mode is Mode.AUTOMATIC:
        run = replace(run, state=State.APPROVED, decided_by=GUARDRAILS, decided_why=ruling.source)
        return recorded(run, Step("approve", GUARDRAILS, f"automatic by {ruling.source}"), now)
    return run


def approved(run: Run, *, by: str, why: str, plan_hash_seen: str, now: datetime, ticket: str = "") -> Run:
    """The run approved by somebody who saw this plan, with the change ticket that was given.

    Raises ConflictError when the run does not wait for approval or the hash is another plan's, GuardrailError when the
    guardrails blocked it or the plan expired.
    """
    if run.state is State.BLOCKED:
        raise GuardrailError(
            f"Run {run.id} is blocked: {run.problem}.",
            remedy="No approval helps; change the guardrails, then plan again.",
        )
    _require_state(run, State.AWAITING_APPROVAL, "approved")
    if plan_hash_seen != run.plan_hash or plan_hash(run.id, run.target, run.plan) != run.plan_hash:
        raise ConflictError(f"Run {run.id} holds another plan than the approved one.", remedy="Read its plan again.")
    if timestamp(now) >= run.plan.expires_at:
        raise GuardrailError(f"The plan of run {run.id} expired at {run.plan.expires_at}.", remedy="Make a new plan.")
    said = f"{ticket} {why}".strip()
    run = replace(run, state=State.APPROVED, decided_by=_actor(by), decided_why=said, ticket=ticket)
    return recorded(run, Step("approve", _actor(by), said or "approved"), now)


def rejected(run: Run, *, by: str, why: str, now: datetime) -> Run:
    """The run rejected. Raises ConflictError when it does not wait for approval."""
    _require_state(run, State.AWAITING_APPROVAL, "rejected")
    run = replace(run, state=State.REJECTED, decided_by=_actor(by), decided_why=why)
    return recorded(run, Step("reject", _actor(by), why or "rejected"), now)


def rolling_back(run: Run, *, by: str, why: str, now: datetime) -> Run:
    """The run on its way back. Raises ConflictError when it changed nothing, GuardrailError when that is final."""
    if not may_be_rolled_back(run):
        raise ConflictError(f"Run {run.id} is {run.state} and changed nothing.", remedy="Nothing is to be undone.")
    if run.plan.irreversible:
        raise GuardrailError(f"Run {run.id} cannot be rolled back.", remedy=run.plan.irreversible)
    run = replace(run, state=State.ROLLING_BACK, cursor=len(run.plan.changes) - 1, problem="", held="")
    return recorded(run, Step("rollback", _actor(by), why or "roll back"), now)


def may_be_rolled_back(run: Run) -> bool:
    """Whether the run changed something, or failed after a write that may yet have arrived."""
    return run.state in CHANGED_SOMETHING or (run.state is State.APPLY_FAILED and run.attempted >= 0)


def abandoned(run: Run, *, by: str, why: str, now: datetime) -> Run:
    """The run given up as it stands, so that it no longer holds its finding. Raises ConflictError when it has ended."""
    if run.state in ENDED:
        raise ConflictError(f"Run {run.id} is {run.state}.", remedy="It holds nothing any more.")
    on_its_way_back = run.state in (State.ROLLING_BACK, State.ROLLBACK_FAILED)
    undone = timestamp(now) if on_its_way_back else run.rolled_back_at
    run = replace(run, state=State.ABANDONED, problem=why, rolled_back_at=undone)
    return recorded(run, Step("abandon", _actor(by), why), now)


def expired(run: Run, now: datetime) -> Run:
    """The run whose plan was not applied in time."""
    run = replace(run, state=State.EXPIRED)
    return recorded(run, Step("expire", "apiward", f"not applied by {run.plan.expires_at}"), now)


def begun(run: Run, now: datetime) -> Run:
    """The run about to write for the first time. Raises ConflictError when its stored plan was altered."""
    if plan_hash(run.id, run.target, run.plan) != run.plan_hash:
        raise ConflictError(f"The stored plan of run {run.id} was altered.", remedy="Make a new plan.")
    started = replace(run, state=State.APPLYING, cursor=0, held="")
    return recorded(started, Step("begin", "apiward", "start writing"), now)


def held(run: Run, why: str, now: datetime) -> Run:
    """The run that the guardrails keep waiting, said once per reason; approved again as long as it wrote nothing."""
    wrote_nothing = run.state is State.APPLYING and run.cursor == 0 and run.attempted < 0
    state = State.APPROVED if wrote_nothing else run.state
    if (run.held, run.state) == (why, state):
        return run
    return recorded(replace(run, state=state, held=why), Step("hold", GUARDRAILS, why), now)


def attempting(run: Run, effect: Prepare) -> Run:
    """The run whose next change may be written from now on. No audit row: nothing has happened yet."""
    return replace(run, attempted=effect.index, held="")


def wrote(run: Run, effect: Prepare | Write, *, already: bool, now: datetime) -> Run:
    """The run after one change is at its target (or back at its pre-image); `already` when it needed no write."""
    change = run.plan.changes[effect.index]
    back = isinstance(effect, Write) and effect.back
    before, after = (change.after, change.before) if back else (change.before, change.after)
    cursor = effect.index - 1 if back else effect.index + 1
    state, undone = run.state, ""
    if back and cursor < 0:
        state, undone = State.ROLLED_BACK, timestamp(now)
    elif not back and cursor == len(run.plan.changes):
        state = State.APPLIED
    name = "revert" if back else "apply"
    summary = f"taken back: {change.summary}" if back else change.summary
    decision = "was so already" if already else summary
    attempted = -1 if run.attempted == effect.index else run.attempted
    run = replace(run, state=state, cursor=cursor, attempted=attempted, held="", rolled_back_at=undone)
    return recorded(run, Step(name, "apiward", decision, before, after), now)


def failed(run: Run, effect: Prepare | Write, problem: str, *, untouched: bool, now: datetime) -> Run:
    """The run that stopped at a change; `untouched` when it is certain that this change was not written."""
    if isinstance(effect, Write) and effect.back:
        state = State.ROLLBACK_FAILED
    else:
        state = State.APPLY_FAILED if untouched and effect.index == 0 else State.PARTIALLY_APPLIED
    return recorded(replace(run, state=state, problem=problem, held=""), Step("stop", "apiward", problem), now)


def verified(run: Run, evidence: Evidence, *, confirm_within: timedelta, now: datetime) -> Run:
    """The run after the resource was read again."""
    state = State.VERIFIED if evidence.healthy else State.UNVERIFIED
    run = replace(run, state=state, evidence=evidence, confirm_by=timestamp(now + confirm_within))
    return recorded(run, Step("verify", "apiward", evidence.statement, after=dict(evidence.observed)), now)


def confirmed(run: Run, now: datetime) -> Run:
    """The run that Defender agrees with."""
    run = replace(run, state=State.CONFIRMED, confirmed_at=timestamp(now))
    return recorded(run, Step("confirm", "Microsoft Defender for Cloud", "the assessment is Healthy"), now)


def overdue(run: Run, now: datetime) -> Run:
    """The run that Defender has not agreed with in time; said once."""
    step = Step("wait", "apiward", f"Defender has not agreed by {run.confirm_by}; look at the assessment")
    return recorded(replace(run, overdue_told=True), step, now)


def closed(run: Run, how: str, now: datetime) -> Run:
    """The run at its end."""
    return recorded(replace(run, state=State.CLOSED), Step("close", "apiward", how), now)


def comment_refused(run: Run, why: str, now: datetime) -> Run:
    """The run one of whose comments the service refused: the audit trail says so instead."""
    return recorded(run, Step("comment", "apiward", f"refused: {why}"), now)


def commented(run: Run, comment: Comment) -> Run:
    """The run with one more comment to send."""
    return replace(run, outbox=(*run.outbox, comment))


def recorded(run: Run, step: Step, now: datetime) -> Run:
    """The run with one more audit row, chained to the one before and waiting in the outbox."""
    sequence = run.sequence + 1
    columns: dict[str, Any] = {
        "OccurredAt": timestamp(now),
        "RunId": run.id,
        "Sequence": sequence,
        "SchemaVersion": SCHEMA_VERSION,
        "FindingId": run.target.finding_id,
        "RecommendationKey": run.target.recommendation_key,
        "Recommendation": run.target.recommendation,
        "ResourceId": run.target.resource_id,
        "State": str(run.state),
        "Step": step.name,
        "Actor": step.actor,
        "Decision": step.decision,
        "PlanHash": run.plan_hash,
        "Before": step.before,
        "After": step.after,
        "CorrelationId": run.correlation_id,
    }
    row = chained(run.audit_head, columns)
    return replace(run, sequence=sequence, audit_head=row.record_id, outbox=(*run.outbox, row))


def _require_state(run: Run, state: State, verb: str) -> None:
    if run.state != state:
        raise ConflictError(f"Run {run.id} is {run.state}; only {state} runs can be {verb}.", remedy="Look at the run.")


def _actor(name: str) -> str:
    if not name.strip():
        raise GuardrailError("Nobody is named as the actor.", remedy="Say who asks or decides.")
    return name.strip()

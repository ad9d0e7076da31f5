"""apiward remediate: plan, approve, apply, and back."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from apiward import console
from apiward.commands.options import AsJson, By, Why
from apiward.wiring import open_app
from apiward_core.errors import (
    ApiwardError,
    ConfigurationError,
    ConflictError,
    GuardrailError,
    IncompleteError,
    RejectedDataError,
)
from apiward_core.settings import load_settings
from apiward_playbooks.api import Planned
from apiward_playbooks.runs import Run, State

app = typer.Typer(help="Guarded remediation of findings.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="Id of the run.")]
_RUN = TypeAdapter(Run)


@app.command()
def plan(
    by: By,
    finding: Annotated[str, typer.Argument(help="Id of a finding.")] = "",
    incident: Annotated[
        int, typer.Option(help="Number of an incident: plan for each of its open findings.", show_default=False)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Plan a remediation. Nothing is changed; the guardrails say whether it needs an approval, or is blocked."""
    if bool(finding) == bool(incident):
        told = "both a finding and --incident" if finding else "neither a finding nor --incident"
        raise ConfigurationError(f"There is {told} to plan for.", remedy="Give a finding id, or --incident NUMBER.")
    with open_app(load_settings()) as opened:
        playbooks = opened.playbooks()
        if incident:
            planned = playbooks.plan_incident(incident, requested_by=by)
        else:
            planned = Planned((playbooks.plan(finding, requested_by=by),), {})
    _show(planned.runs, as_json)
    if not as_json and not planned.runs and not planned.problems:
        console.say(f"Nothing to plan: no finding of incident {incident} is Unhealthy and without an open run.")
    _require_planned(planned)


@app.command()
def approve(
    run: RunId,
    by: By,
    plan_hash: Annotated[str, typer.Option("--plan", help="Hash of the plan that you saw.")],
    ticket: Annotated[str, typer.Option(help="Id of the change ticket, where the guardrails want one.")] = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Approve a plan. Nothing is changed yet."""
    with open_app(load_settings()) as opened:
        playbooks = opened.playbooks()
        _show([playbooks.approve(run, plan_hash=plan_hash, by=by, why=why, ticket=ticket)], as_json)


@app.command()
def reject(run: RunId, by: By, why: Why = "", as_json: AsJson = False) -> None:
    """Reject a plan that waits for approval."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().reject(run, by=by, why=why)], as_json)


@app.command()
def apply(run: RunId, as_json: AsJson = False) -> None:
    """Do all that can be done for an approved run now: write, verify, confirm, close. Safe to repeat."""
    with open_app(load_settings()) as opened, console.err.status("applying"):
        playbooks = opened.playbooks()
        before = playbooks.get(run).state
        if before in (State.ROLLED_BACK, State.ABANDONED):
            raise ConflictError(f"Run {run} is {before}; it is not applied again.", remedy="Make a new plan.")
        done = playbooks.advance(run)
    if done.state in (State.BLOCKED, State.AWAITING_APPROVAL, State.REJECTED, State.EXPIRED):
        why = f": {done.problem}" if done.problem else ""
        raise GuardrailError(
            f"Run {run} is {done.state}{why}; nothing was changed.",
            remedy="A plan needs an approval, or a rule that makes it automatic, before it is applied.",
        )
    _show([done], as_json)
    _require_done(done)


@app.command()
def verify(run: RunId, as_json: AsJson = False) -> None:
    """Read the run's resource again now. Nothing is written; exit code 1 when it is not as it should be."""
    with open_app(load_settings()) as opened, console.err.status("reading"):
        playbooks = opened.playbooks()
        target, evidence = playbooks.get(run).target, playbooks.look(run)
    if as_json:
        console.emit(
            {
                "run": run,
                "resource": target.resource_id,
                "healthy": evidence.healthy,
                "observed": dict(evidence.observed),
                "statement": evidence.statement,
            }
        )
    else:
        verdict = "as it should be" if evidence.healthy else "not as it should be"
        rows = [("resource", target.resource_id), ("evidence", evidence.statement), ("verdict", verdict)]
        console.table(f"Run {run}", ("", ""), rows)
    if not evidence.healthy:
        raise typer.Exit(1)


@app.command()
def rollback(run: RunId, by: By, why: Why = "", as_json: AsJson = False) -> None:
    """Bring everything that a run changed back to what it was. Only a kill switch stops it."""
    with open_app(load_settings()) as opened, console.err.status("rolling back"):
        done = opened.playbooks().roll_back(run, by=by, why=why)
    _show([done], as_json)
    _require_done(done)


@app.command()
def abandon(
    run: RunId, by: By, why: Annotated[str, typer.Option(help="What became of it.")], as_json: AsJson = False
) -> None:
    """Give a run up as it stands, for instance because it was finished or undone by hand."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().abandon(run, by=by, why=why)], as_json)


@app.command("list")
def list_(
    state: Annotated[State | None, typer.Option(case_sensitive=False, help="Only runs in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every run, oldest first."""
    with open_app(load_settings()) as opened:
        found = [run for run in opened.playbooks().list() if state in (None, run.state)]
    if as_json:
        console.emit([_as_json(run) for run in found])
        return
    rows = [
        (
            f"{run.id}\n{run.state}",
            f"{run.target.recommendation}\n{console.resource(run.target.resource_id)}",
            run.requested_by,
        )
        for run in found
    ]
    console.table("Runs", ("run, state", "recommendation, resource", "requested by"), rows)


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """One run with its plan."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().get(run)], as_json)


@app.command()
def audit(run: RunId, as_json: AsJson = False) -> None:
    """Check a run's audit trail in the workspace against the run store. Exit code 1 when it is not whole."""
    with open_app(load_settings()) as opened, console.err.status("reading"):
        trail = opened.playbooks().audit(run)
    if as_json:
        console.emit({"run": run, "rows": len(trail.rows), "faults": list(trail.faults)})
    else:
        rows = [(row["Sequence"], row["Step"], row["State"], row["Actor"], row["Decision"]) for row in trail.rows]
        console.table(f"Audit trail of run {run}", ("no.", "step", "state", "who", "decision"), rows)
        if not trail.faults:
            console.say("Its chain of hashes is whole.")
    if trail.faults:
        raise RejectedDataError(
            f"The audit trail of run {run} is broken: {'; '.join(trail.faults)}.",
            remedy="If its rows were sent minutes ago, try again; else find out who wrote to the table.",
        )


def _show(found: Sequence[Run], as_json: bool) -> None:
    if as_json:
        console.emit([_as_json(run) for run in found])
        return
    for run in found:
        show_run(run)


def show_run(run: Run) -> None:
    """One run for people. What was seen before a way back is left out: it holds no more."""
    stands = not run.rolled_back_at and run.state not in (State.ROLLING_BACK, State.ROLLBACK_FAILED)
    rows: list[tuple[str, object]] = [
        ("state", run.state),
        ("resource", run.target.resource_id),
        *(("change", change.summary) for change in run.plan.changes),
        ("breaks", run.plan.breaking),
        ("race that remains", run.plan.race),
        ("expires", run.plan.expires_at),
        ("requested by", run.requested_by),
        ("decided by", f"{run.decided_by} {run.decided_why}".strip()),
        ("held", run.held),
        ("evidence", run.evidence.statement if run.evidence and stands else ""),
        ("Defender agreed", run.confirmed_at if stands else ""),
        ("rolled back", run.rolled_back_at if run.state == State.ROLLED_BACK else ""),
        ("problem", run.problem),
    ]
    console.table(f"Run {run.id}", ("", ""), [(name, value) for name, value in rows if value])
    if run.state == State.AWAITING_APPROVAL:
        console.say("To approve it, somebody else runs, with --ticket where one is needed:")
        console.unfolded(f"apiward remediate approve {run.id} --plan {run.plan_hash} --by NAME")
    if run.state == State.APPROVED:
        console.say("To apply it:")
        console.unfolded(f"apiward remediate apply {run.id}")
    if run.state == State.VERIFIED:
        console.say("Defender has yet to agree, which may take a day or more. To look, and close its incident:")
        console.unfolded("apiward incidents reconcile")


def _require_planned(planned: Planned) -> None:
    """Nothing, when every finding has a plan that can be applied."""
    if planned.problems:
        whats: dict[str, list[str]] = {}
        for what, error in planned.problems.items():
            whats.setdefault(str(error), []).append(what)
        told = "; ".join(f"{', '.join(those)}: {why}" for why, those in whats.items())
        is_forbidden = not planned.runs and all(
            isinstance(error, GuardrailError) for error in planned.problems.values()
        )
        kind = GuardrailError if is_forbidden else IncompleteError
        raise kind(f"Not planned: {told}", remedy="Settle what is named, then plan again.")
    if blocked := [run for run in planned.runs if run.state == State.BLOCKED]:
        raise GuardrailError(
            f"Blocked: {'; '.join(f'run {run.id}, since {run.problem}' for run in blocked)}.",
            remedy="Let a rule in the guardrails allow approval or automatic, or lift what is named; then plan again.",
        )


def _require_done(run: Run) -> None:
    """Nothing, when the run did what it was told as far as that is possible now."""
    if run.held:
        raise GuardrailError(
            f"Run {run.id} is {run.state} and held: {run.held}", remedy=f"After that: apiward remediate apply {run.id}"
        )
    failures: dict[State, tuple[type[ApiwardError], str]] = {
        State.APPLY_FAILED: (RejectedDataError, "Nothing was changed."),
        State.PARTIALLY_APPLIED: (IncompleteError, "Roll it back, or finish it by hand and abandon it."),
        State.UNVERIFIED: (IncompleteError, "Look at the resource; roll back, or apply again once it is right."),
        State.ROLLBACK_FAILED: (RejectedDataError, "Restore it by hand, then abandon the run."),
    }
    if run.state in failures:
        kind, remedy = failures[run.state]
        said = run.problem or (run.evidence.statement if run.evidence else "")
        raise kind(f"Run {run.id} is {run.state}: {said}", remedy=remedy)


def _as_json(run: Run) -> Any:
    return _RUN.dump_python(run, mode="json", exclude={"outbox"})

"""apiward remediate: plan, approve, apply, and back."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from apiward import console
from apiward.commands.options import AsJson, By, Why
from apiward.wiring import open_app
from apiward_core.errors import ConfigurationError, GuardrailError, IncompleteError
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
    incident: Annotated[int, typer.Option(help="Number of an incident: plan for each of its open findings.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Plan a remediation. Nothing is changed; the plan waits for approval by somebody else."""
    if bool(finding) == bool(incident):
        raise ConfigurationError("Nothing to plan for.", remedy="Give a finding id, or --incident NUMBER.")
    with open_app(load_settings()) as opened:
        playbooks = opened.playbooks()
        if incident:
            planned = playbooks.plan_incident(incident, requested_by=by)
        else:
            planned = Planned((playbooks.plan(finding, requested_by=by),), {})
    _show(planned.runs, as_json)
    if planned.problems:
        raise IncompleteError(
            f"Not planned: {'; '.join(f'{what}: {why}' for what, why in planned.problems.items())}",
            remedy="Settle what is named, then plan again.",
        )


@app.command()
def approve(
    run: RunId,
    by: By,
    plan_hash: Annotated[str, typer.Option("--plan", help="Hash of the plan that you saw.")],
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Approve a plan. Nothing is changed yet."""
    with open_app(load_settings()) as opened:
        playbooks = opened.playbooks()
        _show([playbooks.approve(run, plan_hash=plan_hash, by=by, why=why)], as_json)


@app.command()
def reject(run: RunId, by: By, why: Why = "", as_json: AsJson = False) -> None:
    """Reject a plan that waits for approval."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().reject(run, by=by, why=why)], as_json)


@app.command()
def apply(run: RunId, as_json: AsJson = False) -> None:
    """Do all that can be done for an approved run now: write, verify, confirm, close. Safe to repeat."""
    with open_app(load_settings()) as opened, console.err.status("applying"):
        done = opened.playbooks().advance(run)
    if done.state in (State.AWAITING_APPROVAL, State.REJECTED, State.EXPIRED):
        raise GuardrailError(
            f"Run {run} is {done.state}; nothing was changed.", remedy="A plan needs an approval before it is applied."
        )
    _show([done], as_json)


@app.command()
def rollback(run: RunId, by: By, why: Why = "", as_json: AsJson = False) -> None:
    """Bring everything that a run changed back to what it was."""
    with open_app(load_settings()) as opened, console.err.status("rolling back"):
        _show([opened.playbooks().roll_back(run, by=by, why=why)], as_json)


@app.command()
def abandon(
    run: RunId, by: By, why: Annotated[str, typer.Option(help="What became of it.")], as_json: AsJson = False
) -> None:
    """Give a run up as it stands, for instance because it was finished or undone by hand."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().abandon(run, by=by, why=why)], as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every run, oldest first."""
    with open_app(load_settings()) as opened:
        found = opened.playbooks().list()
    if as_json:
        console.emit([_as_json(run) for run in found])
        return
    rows = [(run.id, run.state, console.resource(run.target.resource_id)) for run in found]
    console.table("Runs", ("run", "state", "resource"), rows)


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """One run with its plan."""
    with open_app(load_settings()) as opened:
        _show([opened.playbooks().get(run)], as_json)


def _show(found: Sequence[Run], as_json: bool) -> None:
    if as_json:
        console.emit([_as_json(run) for run in found])
        return
    for run in found:
        show_run(run)


def show_run(run: Run) -> None:
    """One run for people."""
    rows: list[tuple[str, object]] = [
        ("state", run.state),
        ("resource", run.target.resource_id),
        *(("change", change.summary) for change in run.plan.changes),
        ("breaks", run.plan.breaking),
        ("race that remains", run.plan.race),
        ("expires", run.plan.expires_at),
        ("requested by", run.requested_by),
        ("decided by", f"{run.decided_by} {run.decided_why}".strip()),
        ("evidence", run.evidence.statement if run.evidence else ""),
        ("Defender agreed", run.confirmed_at),
        ("problem", run.problem),
    ]
    console.table(f"Run {run.id}", ("", ""), [(name, value) for name, value in rows if value])
    if run.state == State.AWAITING_APPROVAL:
        console.say("To approve it, somebody else runs:")
        console.unfolded(f"apiward remediate approve {run.id} --plan {run.plan_hash} --by NAME")


def _as_json(run: Run) -> Any:
    return _RUN.dump_python(run, mode="json", exclude={"outbox"})

"""apiward incidents: what our rules raised, and closing what is done."""

from dataclasses import asdict

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.wiring import open_app
from apiward_core.errors import IncompleteError
from apiward_core.settings import load_settings
from apiward_playbooks.api import Reconciled

app = typer.Typer(help="Incidents that apiward's rules raised.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All incidents of our rules."""
    with open_app(load_settings()) as opened:
        found = opened.incidents().all()
    if as_json:
        console.emit([asdict(incident) for incident in found])
        return
    rows = [(entry.number, entry.severity, entry.status, entry.title) for entry in found]
    console.table("Incidents", ("no.", "severity", "status", "title"), rows)


@app.command()
def show(number: int, as_json: AsJson = False) -> None:
    """One incident with its findings as they are now."""
    with open_app(load_settings()) as opened:
        incident, findings = opened.closer().findings_of(number)
    if as_json:
        console.emit({**asdict(incident), "findings": [asdict(finding) for finding in findings]})
        return
    console.say(
        f"[bold]{incident.number}[/]  {console.plain(incident.title)}  ({incident.severity}, {incident.status})"
    )
    rows = [
        (finding.finding_id, finding.state, finding.changed[:10], console.resource(finding.resource_id))
        for finding in findings
    ]
    console.table("Findings", ("finding", "state", "since", "resource"), rows)


@app.command()
def reconcile(as_json: AsJson = False) -> None:
    """Advance every open run, then close each incident whose findings allow it, whoever fixed them."""
    with open_app(load_settings()) as opened, console.err.status("reconciling"):
        done = opened.playbooks().reconcile()
    if as_json:
        console.emit(
            {
                "runs": [{"id": run.id, "state": run.state} for run in done.runs],
                "incidents": [
                    {"number": number, "closed": verdict.may_close, "how": verdict.how}
                    for number, verdict in done.incidents
                ],
                "problems": dict(done.problems),
            }
        )
    else:
        _show_reconciled(done)
    if done.problems:
        raise IncompleteError(
            f"Not reconciled: {'; '.join(f'{what}: {why}' for what, why in done.problems.items())}",
            remedy="Settle what is named, then reconcile again.",
        )


def _show_reconciled(done: Reconciled) -> None:
    console.table(
        "Runs",
        ("run", "state", "resource"),
        [(r.id, r.state, console.resource(r.target.resource_id)) for r in done.runs],
    )
    rows = [(number, "closed" if verdict.may_close else "open", verdict.how) for number, verdict in done.incidents]
    console.table("Incidents", ("no.", "now", "why"), rows)

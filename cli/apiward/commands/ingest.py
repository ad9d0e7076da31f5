"""apiward ingest: the connector."""

from collections.abc import Iterable, Sequence

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.wiring import open_app
from apiward_connector.report import Gap, ScopeReport
from apiward_connector.status import LOOKS_BACK, NEVER, ScopeStatus, Status
from apiward_core.clock import Clock, parse_timestamp
from apiward_core.settings import load_settings

app = typer.Typer(help="Bring Defender's API recommendations into the workspace.", no_args_is_help=True)


@app.command()
def run(as_json: AsJson = False) -> None:
    """Read every subscription once and send what changed. Exit code 4 when something was not read or not sent."""
    settings = load_settings()
    with open_app(settings) as opened, console.err.status("reading") as status:
        connector = opened.connector(on_scope=lambda scope: status.update(f"{scope.scope}: {scope.outcome}"))
        report = connector.run(settings.subscriptions)
    if as_json:
        console.emit(report)
    else:
        show_scopes(report.scopes)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command()
def status(as_json: AsJson = False) -> None:
    """The last run of every subscription. Exit code 4 when one is not complete or was never read."""
    settings = load_settings()
    with open_app(settings) as opened, console.err.status("asking the workspace"):
        found = opened.ingest_status().read(settings.subscriptions)
        clock = opened.clock
    if as_json:
        console.emit(found)
    else:
        _show_status(found, clock)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def show_scopes(scopes: Sequence[ScopeReport]) -> None:
    """What was read and sent of each subscription, and what was not."""
    rows = [
        (
            _subscription(scope.scope),
            scope.outcome,
            scope.read,
            scope.current,
            "\n".join(f"{count} {change}" for change, count in sorted(scope.changes.items())),
        )
        for scope in scopes
    ]
    console.table("", ("subscription", "outcome", "read", "findings", "changes"), rows)
    sent, dead = sum(scope.sent for scope in scopes), sum(scope.dead for scope in scopes)
    types, inventory = sum(scope.types for scope in scopes), sum(scope.inventory for scope in scopes)
    console.say(f"Read from {_sources(scopes)}; {sent} rows sent, {dead} kept as dead letters.")
    if types or inventory:
        console.say(f"Besides: {types} rows about recommendations, {inventory} of the API inventory.")
    _show_gaps(gap for scope in scopes for gap in scope.gaps)


def _show_status(found: Status, clock: Clock) -> None:
    rows = [
        (
            _subscription(scope.scope),
            scope.outcome,
            _since(scope.last_run, clock),
            _since(scope.watermark, clock),
            scope.current if scope.last_run else "",
        )
        for scope in found.scopes
    ]
    title = "How long ago each subscription was last run, and last read whole"
    console.table(title, ("subscription", "outcome", "run", "whole", "findings"), rows)
    sent, dead = sum(scope.sent for scope in found.scopes), sum(scope.dead for scope in found.scopes)
    owed = sum(scope.owed or 0 for scope in found.scopes)
    if any(scope.last_run for scope in found.scopes):
        sources = _sources(found.scopes)
        console.say(f"Read from {sources}; {sent} rows sent by the last runs, {dead} kept as dead letters.")
    if not all(scope.last_run for scope in found.scopes):
        console.say(f"[yellow]never:[/] not in the last {LOOKS_BACK.days} days; to read it: apiward ingest run")
    if owed:
        console.say(f"[yellow]{owed} rows still to be sent from this machine;[/] the next run sends them first.")
    for stream, count in found.dead_letters.items():
        console.say(f"[yellow]{count} dead letters on this machine[/] of {console.plain(stream)}.")
    _show_gaps(gap for scope in found.scopes for gap in scope.gaps)


def _show_gaps(gaps: Iterable[Gap]) -> None:
    for gap in gaps:
        console.say(f"[yellow]not read or not sent:[/] {console.plain(gap.what)}: {console.plain(gap.why)}")


def _subscription(scope: str) -> str:
    return scope.removeprefix("/subscriptions/")


def _sources(scopes: Sequence[ScopeReport] | Sequence[ScopeStatus]) -> str:
    return ", ".join(sorted({scope.source for scope in scopes if scope.source}))


def _since(moment: str, clock: Clock) -> str:
    if not moment:
        return NEVER
    minutes = max(0, int((clock.now() - parse_timestamp(moment)).total_seconds() // 60))
    for length, unit in ((24 * 60, "d"), (60, "h")):
        if minutes >= 2 * length:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"

"""apiward ingest: the connector."""

from collections.abc import Sequence

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.wiring import open_app
from apiward_connector.report import ScopeReport
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


def show_scopes(scopes: Sequence[ScopeReport]) -> None:
    """What was read and sent of each subscription, and what was not."""
    rows = [
        (
            scope.scope.removeprefix("/subscriptions/"),
            scope.outcome,
            scope.read,
            scope.current,
            "\n".join(f"{count} {change}" for change, count in sorted(scope.changes.items())),
        )
        for scope in scopes
    ]
    console.table("", ("subscription", "outcome", "read", "findings", "changes"), rows)
    sent, dead = sum(scope.sent for scope in scopes), sum(scope.dead for scope in scopes)
    console.say(f"{sent} rows sent, {dead} kept as dead letters.")
    for scope in scopes:
        for gap in scope.gaps:
            console.say(f"[yellow]not read or not sent:[/] {console.plain(gap.what)}: {console.plain(gap.why)}")

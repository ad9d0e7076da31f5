"""apiward ingest: the connector."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Annotated

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.wiring import open_app
from apiward_connector.report import Gap, ScopeReport
from apiward_connector.scopes import Scopes
from apiward_connector.state_store import scope_of
from apiward_connector.status import NEVER, ScopeStatus, Status
from apiward_core.clock import Clock, parse_timestamp
from apiward_core.errors import ConfigurationError, IncompleteError
from apiward_core.logs import LOOKS_BACK
from apiward_core.settings import load_settings

app = typer.Typer(help="Bring Defender's API recommendations into the workspace.", no_args_is_help=True)


@app.command()
def run(as_json: AsJson = False) -> None:
    """Read every subscription once and send what changed. Exit code 4 when something was not read or not sent."""
    with open_app(load_settings()) as opened, console.err.status("reading") as status:
        scopes, done = opened.scopes(), count(1)
        expected = len(scopes.subscriptions) + len(scopes.unlisted)
        connector = opened.connector(
            on_scope=lambda scope: status.update(f"{next(done)} of {expected} done; {scope.scope}: {scope.outcome}")
        )
        report = connector.run(scopes.subscriptions, unlisted=scopes.unlisted)
    if as_json:
        console.emit(report)
    else:
        show_scopes(report.scopes)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command()
def status(as_json: AsJson = False) -> None:
    """The last run of every subscription.

    Exit code 4 when one is not Complete, was never read, owes rows or is overdue, and while there are dead letters.
    """
    with open_app(load_settings()) as opened, console.err.status("asking the workspace"):
        scopes = opened.scopes()
        found = opened.ingest_status().read(scopes.subscriptions, unlisted=scopes.unlisted)
        clock = opened.clock
    if as_json:
        console.emit(found)
    else:
        _show_status(found, clock)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@app.command()
def replay(as_json: AsJson = False) -> None:
    """Send again what could not be sent. Exit code 4 when some of it is refused again; it is kept."""
    with open_app(load_settings()) as opened, console.err.status("sending"):
        report, place = opened.replay().run(), opened.kept_in
    if as_json:
        console.emit(report)
    elif report.streams:
        rows = [(each.stream, each.sent, each.kept, "\n".join(each.reasons)) for each in report.streams]
        console.table("Dead letters", ("stream", "sent", "kept", "why"), rows)
        if report.exit_code:
            console.say(f"What is kept is in {console.plain(place)}, under dead-letters, to look at or to delete.")
    else:
        console.say("There are no dead letters.")
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command()
def rebuild(
    subscriptions: Annotated[
        list[str] | None, typer.Argument(metavar="SUBSCRIPTION", help="Which, by id; all whose state is lost, if none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make lost or refused state anew from what the workspace has. What cannot be used is kept under another name."""
    with open_app(load_settings()) as opened, console.err.status("asking the workspace"):
        rebuilder = opened.rebuilder()
        expected = Scopes((), ()) if subscriptions else opened.scopes()
        chosen = subscriptions or rebuilder.lost(expected.subscriptions)
        rebuilt = [rebuilder.rebuild(subscription) for subscription in chosen]
    if as_json:
        console.emit({"scopes": rebuilt})
    elif not rebuilt:
        console.say("No state is lost.")
    else:
        rows = [(_subscription(each.scope), each.findings, each.removed, each.watermark) for each in rebuilt]
        console.table("State from the workspace", ("subscription", "findings", "of them gone", "read whole"), rows)
        for each in rebuilt:
            if each.kept_aside:
                console.say(f"What could not be used of {_subscription(each.scope)} is kept as {each.kept_aside}.")
    if expected.unlisted:
        raise IncompleteError(
            f"Not looked into: {'; '.join(f'{gap.what}: {gap.why}' for gap in expected.unlisted)}",
            remedy="Name the subscriptions in it: apiward ingest rebuild SUBSCRIPTION.",
        )


@app.command()
def forget(subscription: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Expect a subscription no more, after it was cancelled or is no longer named: deletes what is remembered of it.

    Its findings leave what is current three days after the last run that saw them.
    """
    with open_app(load_settings()) as opened:
        states, scope = opened.states(), scope_of(subscription)
        if subscription.lower() not in states.subscriptions():
            raise ConfigurationError(
                f"Nothing is remembered of {scope}.", remedy="See apiward ingest status for the ids."
            )
        with states.lease(scope):
            states.forget(scope)
    console.say(f"{scope} is forgotten. If settings still name it, the next run reads it as a new one.")


def show_scopes(scopes: Sequence[ScopeReport]) -> None:
    """What was read and sent of each subscription, and what was not."""
    rows = [
        (
            _subscription(scope.scope),
            scope.outcome,
            scope.read,
            _count(scope.current),
            "\n".join(f"{count} {change}" for change, count in sorted(scope.changes.items())),
        )
        for scope in scopes
    ]
    console.table("", ("subscription", "outcome", "read", "findings", "changes"), rows)
    sent, dead = sum(scope.sent for scope in scopes), sum(scope.dead for scope in scopes)
    types, inventory = sum(scope.types for scope in scopes), sum(scope.inventory for scope in scopes)
    _show_outcomes(scopes)
    console.say(f"Read from {_sources(scopes)}; {sent} rows sent, {dead} kept as dead letters.")
    if types or inventory:
        console.say(f"Besides: {types} rows about recommendations, {inventory} of the API inventory.")
    if dead:
        console.say("To send the dead letters again: apiward ingest replay")
    _show_gaps(scopes)


def _show_status(found: Status, clock: Clock) -> None:
    rows = [
        (
            _subscription(scope.scope),
            scope.outcome,
            _since(scope.last_run, clock),
            _since(scope.watermark, clock),
            _until(scope, clock),
            _count(scope.current),
        )
        for scope in found.scopes
    ]
    console.table(
        "How long ago each was last run, and last read whole",
        ("subscription", "outcome", "run", "whole", "due in", "findings"),
        rows,
    )
    _show_outcomes(found.scopes)
    sent, dead = sum(scope.sent for scope in found.scopes), sum(scope.dead for scope in found.scopes)
    owed = sum(scope.owed or 0 for scope in found.scopes)
    if any(scope.last_run for scope in found.scopes):
        sources = _sources(found.scopes)
        console.say(f"Read from {sources}; {sent} rows sent by the last runs, {dead} became dead letters then.")
    if not all(scope.last_run for scope in found.scopes):
        console.say(f"[yellow]never:[/] not in the last {LOOKS_BACK.days} days; to read it: apiward ingest run")
    if owed:
        console.say(f"[yellow]{owed} rows still to be sent;[/] the next run sends them first.")
    for scope in found.scopes:
        if scope.dead and found.dead_letters:
            console.say(
                f"[yellow]{scope.dead} rows of its last run[/] became dead letters: {_subscription(scope.scope)}"
            )
    for stream, number in found.dead_letters.items():
        console.say(f"[yellow]{number} dead letters[/] of {console.plain(stream)}; to send them: apiward ingest replay")
    _show_gaps(found.scopes)


def _show_outcomes(scopes: Sequence[ScopeReport] | Sequence[ScopeStatus]) -> None:
    """How many there are of each outcome, where a table is too long to count in."""
    if len(scopes) > 1:
        outcomes = Counter(str(scope.outcome) for scope in scopes)
        shares = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())
        console.say(f"{len(scopes)} in all: {shares}.")


def _show_gaps(scopes: Sequence[ScopeReport] | Sequence[ScopeStatus]) -> None:
    for scope in scopes:
        for gap in scope.gaps:
            console.say(
                f"[yellow]not read or not sent:[/] {console.plain(_place(scope.scope, gap))}: {console.plain(gap.why)}"
            )


def _place(scope: str, gap: Gap) -> str:
    """What a gap is about, with the subscription unless it says that itself."""
    named = gap.what.lower().startswith(scope.lower())
    return _subscription(gap.what) if named else f"{_subscription(scope)}: {gap.what}"


def _subscription(scope: str) -> str:
    return scope.removeprefix("/subscriptions/")


def _sources(scopes: Sequence[ScopeReport] | Sequence[ScopeStatus]) -> str:
    return ", ".join(sorted({scope.source for scope in scopes if scope.source}))


def _count(findings: int | None) -> int | str:
    return "" if findings is None else findings


def _until(scope: ScopeStatus, clock: Clock) -> str:
    if scope.overdue or not scope.next_due:
        return "late" if scope.overdue else ""
    minutes = (parse_timestamp(scope.next_due) - clock.now()).total_seconds() / 60
    return f"{minutes:.0f} min" if minutes >= 1 else "now"


def _since(moment: str, clock: Clock) -> str:
    if not moment:
        return NEVER
    minutes = max(0, int((clock.now() - parse_timestamp(moment)).total_seconds() // 60))
    for length, unit in ((24 * 60, "d"), (60, "h")):
        if minutes >= 2 * length:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"

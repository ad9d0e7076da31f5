"""apiward findings: what is wrong now, what it means, and what apiward would do about it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.finding_filter import ANY, SEVERITIES, STATES, Wanted
from apiward.finding_queries import Explanation, Finding, FindingQueries, Listed, Story
from apiward.wiring import App, open_app
from apiward_core.catalogue import UNCATALOGUED, Catalogue, Recommendation, load_catalogue
from apiward_core.errors import IncompleteError
from apiward_core.settings import load_settings

app = typer.Typer(help="API security findings, and the catalogue of recommendations.", no_args_is_help=True)

_BY_HAND = "guided"


@app.command()
def catalogue(as_json: AsJson = False) -> None:
    """Every recommendation that apiward knows: how it is fixed, and what the fix may break."""
    entries = list(load_catalogue())
    if as_json:
        console.emit([_entry(entry) for entry in entries])
        return
    rows = [
        (f"{entry.slug}\n{entry.remediation}, {_reversible(entry)}", entry.severity, entry.breaking or "nothing")
        for entry in entries
    ]
    console.table("Recommendations", ("recommendation, remediation", "severity", "the fix breaks"), rows)


@app.command("list")
def list_(
    severity: Annotated[str, typer.Option(help=f"Only one severity: {', '.join(SEVERITIES)}.")] = "",
    recommendation: Annotated[
        str, typer.Option(help=f"Only one recommendation, by its name in the catalogue, or {UNCATALOGUED}.")
    ] = "",
    service: Annotated[str, typer.Option(help="Only one service, by its name or ARM id.")] = "",
    state: Annotated[str, typer.Option(help=f"{', '.join(STATES)}, or {ANY}.")] = "Unhealthy",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The findings as they are now, the most severe first."""
    known = load_catalogue()
    wanted = Wanted.parse(
        state=state, severity=severity, recommendation=recommendation, service=service, catalogue=known
    )
    with open_app(load_settings()) as opened:
        queries = _queries(opened)
        found = queries.current(wanted, most=limit)
        last_run = queries.last_run() if not found.current else None
    if as_json:
        findings = [_listed(finding, known) for finding in found.findings]
        console.emit(
            {"current": found.current, "matching": found.matching, "shown": len(findings), "findings": findings}
        )
    elif found.findings:
        _show_list(found, known, several_states=not wanted.state)
    else:
        _show_nothing(found, wanted, last_run)
    if not found.current and last_run is None:
        raise IncompleteError(
            "In the last three days the connector brought nothing into the workspace; this is no clean bill of health.",
            remedy="Run it with apiward ingest run, or ask apiward ingest status what keeps it from running.",
        )


@app.command()
def show(
    finding: Annotated[str, typer.Argument(help="Id of the finding, or at least its first eight characters.")],
    as_json: AsJson = False,
) -> None:
    """One finding: what it means, what to do, and what happened to it."""
    known = load_catalogue()
    with open_app(load_settings()) as opened:
        queries = _queries(opened)
        story = queries.story(queries.named(finding))
        explained = queries.explanation(story.finding.recommendation_key)
    entry = _entry_of(story.finding, known)
    if as_json:
        console.emit(
            {
                **_listed(story.finding, known),
                "current": story.current,
                "gone": story.gone,
                "heard": story.heard,
                "catalogue": entry.model_dump(mode="json") if entry else None,
                "defender_says": asdict(explained),
                "history": [asdict(change) for change in story.changes],
            }
        )
        return
    _show_facts(story, entry)
    _show_advice(story, entry, explained)
    rows = [(_moment(one.seen), one.change, one.state, one.severity, one.cause) for one in story.changes]
    console.table("History", ("seen (UTC)", "change", "state", "severity", "cause"), rows)
    for label, link in (("Portal", story.finding.portal_link), ("Documentation", entry.link if entry else "")):
        if link:
            console.unfolded(f"{label}: {link}")


def _queries(opened: App) -> FindingQueries:
    return FindingQueries(opened.logs(), clock=opened.clock)


def _entry(entry: Recommendation) -> dict[str, Any]:
    shown = entry.model_dump(mode="json", include={"slug", "severity", "remediation", "breaking", "permissions"})
    return {**shown, "reversible": entry.reversible}


def _entry_of(finding: Finding, known: Catalogue) -> Recommendation | None:
    """The catalogue's entry; None as well for a name that only an older or newer catalogue has."""
    return next((entry for entry in known if entry.slug == finding.recommendation), None)


def _listed(finding: Finding, known: Catalogue) -> dict[str, Any]:
    entry = _entry_of(finding, known)
    return {**asdict(finding), "remediation": entry.remediation if entry else _BY_HAND}


def _reversible(entry: Recommendation) -> str:
    return "reversible" if entry.reversible else "irreversible"


def _is_fixed_by_apiward(finding: Finding, entry: Recommendation | None) -> bool:
    return entry is not None and entry.remediation != _BY_HAND and finding.state == "Unhealthy"


def _show_list(found: Listed, known: Catalogue, *, several_states: bool) -> None:
    rows = [
        (
            finding.finding_id,
            f"{finding.severity}\n{finding.state}" if several_states else finding.severity,
            f"{console.resource(finding.resource_id)}\n{_kind(finding)}",
        )
        for finding in found.findings
    ]
    console.table("", ("finding", "severity", "resource, recommendation"), rows)
    more = "; --limit shows more" if len(rows) < found.matching else ""
    console.say(f"{len(rows)} of {found.matching} shown{more}.")
    console.say("What a finding means: apiward findings show ID")
    if any(_is_fixed_by_apiward(finding, _entry_of(finding, known)) for finding in found.findings):
        console.say("To have it fixed, unless it is guided: apiward remediate plan ID")


def _kind(finding: Finding) -> str:
    return finding.recommendation_name if finding.recommendation == UNCATALOGUED else finding.recommendation


def _show_nothing(found: Listed, wanted: Wanted, last_run: datetime | None) -> None:
    if found.current:
        console.say(f"None of {found.current} current findings matches {console.plain(wanted)}.")
        console.say("Leave a condition out, or look at all of them with apiward findings list --state all.")
    elif last_run:
        console.say(f"The connector last ran at {_moment(last_run)} UTC, and the workspace has no finding about APIs.")
        console.say("Whether it could read everything says apiward ingest status.")


def _show_facts(story: Story, entry: Recommendation | None) -> None:
    finding = story.finding
    console.say(f"[bold]{console.plain(finding.recommendation_name)}[/]")
    rows: Iterable[tuple[str, object]] = (
        ("finding", finding.finding_id),
        ("severity", finding.severity),
        ("risk", finding.risk_level),
        ("state", finding.state),
        ("since", _moment(finding.since)),
        ("cause", finding.cause),
        ("Defender says", finding.description),
        ("first seen", _moment(finding.first_seen)),
        ("heard of", "" if story.current else _absence(story)),
        ("exempt", "yes" if finding.exempt else ""),
        ("owner", finding.owner),
        ("due", _moment(finding.due_date)),
        ("exposure", _exposure(finding)),
        ("last call", _moment(finding.last_traffic)),
        ("resource", finding.resource_id),
        ("produced by", entry.plan if entry else ""),
        ("OWASP, ATT&CK", ", ".join((*entry.owasp_api, *entry.techniques)) if entry else ""),
        ("remediation", f"{entry.remediation}, {_reversible(entry)}" if entry else _BY_HAND),
    )
    console.table("", ("", ""), [(name, value) for name, value in rows if value])


def _absence(story: Story) -> str:
    when = _moment(story.heard)
    if story.gone:
        return f"gone from Defender, seen at {when} UTC"
    return f"last seen at {when} UTC; the connector told nothing of it since"


def _exposure(finding: Finding) -> str:
    facts = (
        (finding.is_external, "on the internet", "internal"),
        (finding.is_authenticated, "authenticated", "not authenticated"),
        (finding.has_sensitive_data, "sensitive data", "no sensitive data seen"),
    )
    return ", ".join(yes if fact else no for fact, yes, no in facts if fact is not None)


def _show_advice(story: Story, entry: Recommendation | None, explained: Explanation) -> None:
    meaning, steps = (entry.meaning, entry.steps) if entry else (explained.description, (explained.remediation,))
    if meaning:
        console.say(f"[bold]What it means:[/] {console.plain(meaning)}\n")
    if any(steps):
        console.say("[bold]What to do:[/]")
        for number, step in enumerate(steps, 1):
            console.say(f"{number}. {console.plain(step)}")
        console.say()
    if entry and entry.breaking:
        console.say(f"[bold]The fix breaks:[/] {console.plain(entry.breaking)}\n")
    if entry and entry.irreversible:
        console.say(f"[bold]No way back:[/] {console.plain(entry.irreversible)}\n")
    if entry is None or entry.guided_because:
        why = entry.guided_because if entry else "The catalogue does not know this recommendation."
        console.say(f"[bold]By hand, because:[/] {console.plain(why)}\n")
    elif story.current and _is_fixed_by_apiward(story.finding, entry):
        console.say("To have it fixed under guard:")
        console.unfolded(f"apiward remediate plan {story.finding.finding_id}\n")


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""

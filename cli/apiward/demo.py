"""apiward demo: the whole loop against a lab of its own, told while it happens."""

import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import HttpTransport

from apiward import console
from apiward.commands.content import show_steps
from apiward.commands.ingest import show_scopes
from apiward.commands.options import AsJson
from apiward.commands.remediate import show_run
from apiward.infra import workspace
from apiward.lab_process import LabHandle, LabProcess
from apiward.wiring import App, open_app
from apiward_core.kql import bind
from apiward_playbooks.findings import FindingState
from apiward_playbooks.incidents import IncidentSummary
from apiward_playbooks.runs import Run, State
from apiward_rules.items import content_items

_REQUESTER = "ana@contoso.example"
_APPROVER = "ben@contoso.example"
_ROLES_TAKE_EFFECT = timedelta(minutes=6)
_RULE_RUNS = timedelta(minutes=75)  # hourly, and five minutes late
_DEFENDER_LOOKS_AGAIN = timedelta(hours=25)  # policy-based assessments follow a daily evaluation
_AUDIT = """
DefenderApiRemediation_CL
| where RunId in (run_ids)
| summarize arg_min(TimeGenerated, *) by RecordId
| project TimeGenerated, RunId, Sequence, Step, State, Actor, Decision
| order by RunId asc, Sequence asc
"""


def demo(as_json: AsJson = False) -> None:
    """Run the whole loop against a local Azure: ingest, raise, plan, approve, apply, verify, confirm, close."""
    started = time.monotonic()
    console.out.quiet = as_json
    try:
        with tempfile.TemporaryDirectory(prefix="apiward-demo-") as folder, LabProcess() as lab:
            result = Demo(lab, Path(folder)).play()
    finally:
        console.out.quiet = False
    result["seconds"] = round(time.monotonic() - started, 1)
    if as_json:
        console.emit(result)
    else:
        console.say(
            f"\n[bold]Done[/] in {result['seconds']} s: {result['closed']} closed, {result['open']} still open."
        )


@dataclass
class Demo:
    """One telling of the loop. Each step signs in as the identity that would do it on Azure."""

    lab: LabHandle
    folder: Path
    transport: HttpTransport[Any, Any] | None = None
    ingestion: dict[str, str] = field(default_factory=dict)
    chapter: int = 0

    def play(self) -> dict[str, Any]:
        """All chapters, and the figures that they end with."""
        self.prepare()
        rows = self.ingest("The connector reads Defender for Cloud")
        self.raise_incidents()
        number, runs = self.remediate()
        rows += self.agree()
        self.close(number, runs)
        return self.figures(rows, runs)

    def prepare(self) -> None:
        """Tables, data collection rule, roles, functions and rules."""
        self.tell("The workspace gets its tables, data collection rule, functions and rules")
        with self.app("admin") as admin:
            made = workspace.deploy(
                admin.clients.arm(),
                workspace=admin.settings.workspace,
                publishers=[self.lab.object_id("connector"), self.lab.object_id("playbooks")],
            )
            show_steps(admin.content().apply(content_items()))
        self.ingestion = {
            "ingestion_endpoint": made.ingestion_endpoint,
            "dcr_immutable_id": made.dcr_immutable_id,
        }
        self.wait(_ROLES_TAKE_EFFECT, "until the new roles have taken effect")

    def ingest(self, title: str) -> int:
        """One run of the connector; returns how many rows were sent."""
        self.tell(title)
        with self.app("connector") as connector:
            report = connector.connector().run(connector.settings.subscriptions)
        show_scopes(report.scopes)
        return sum(scope.sent for scope in report.scopes)

    def raise_incidents(self) -> None:
        """The analytics rule runs on its schedule."""
        self.tell("The analytics rule raises one incident per recommendation and service")
        self.wait(_RULE_RUNS, "until the hourly rule has run")
        self.show_incidents()

    def remediate(self) -> tuple[int, list[Run]]:
        """Plan, approve and apply for every finding of one incident."""
        with self.app("playbooks") as opened:
            playbooks = opened.playbooks()
            incident, findings = self.choose(opened)
            self.tell(f"Incident {incident.number}: plan, approve, apply, verify")
            rows = [(finding.state, console.resource(finding.resource_id)) for finding in findings]
            console.table(incident.title, ("state", "API"), rows)
            planned = playbooks.plan_incident(incident.number, requested_by=_REQUESTER).runs
            show_run(planned[0])
            console.say(f"{_REQUESTER} asked for {len(planned)} changes; nothing is written before {_APPROVER} agrees.")
            runs = []
            for run in planned:
                playbooks.approve(run.id, plan_hash=run.plan_hash, by=_APPROVER, why="change window CHG-1042")
                runs.append(playbooks.advance(run.id))
        console.table("After apply", ("API", "state", "evidence"), [_ending(run) for run in runs])
        console.say("Fixed at the resource. The incident stays open until Defender itself agrees.")
        return incident.number, runs

    def agree(self) -> int:
        """Defender assesses again, and the connector sees it."""
        self.wait(_DEFENDER_LOOKS_AGAIN, "until Defender has assessed the APIs again")
        return self.ingest("Defender agrees, and the connector brings it in")

    def close(self, number: int, runs: list[Run]) -> None:
        """Confirm and close what is done, and show the trail."""
        self.tell(f"Confirm, and close incident {number} with the evidence")
        with self.app("playbooks") as opened:
            done = opened.playbooks().reconcile()
            trail = opened.logs().query(bind(_AUDIT, run_ids=[run.id for run in runs[:1]]), timespan=timedelta(days=7))
        console.table("Runs", ("API", "state", "evidence"), [_ending(run) for run in done.runs])
        self.show_incidents()
        console.table(
            f"Audit trail of one run, from the workspace ({runs[0].id})",
            ("no.", "step", "state", "who", "decision"),
            [(row["Sequence"], row["Step"], row["State"], row["Actor"], row["Decision"]) for row in trail],
        )

    def figures(self, rows: int, runs: list[Run]) -> dict[str, Any]:
        """What happened, in numbers that add up."""
        with self.app("playbooks") as opened:
            incidents = opened.incidents().all()
            ended = [opened.playbooks().get(run.id).state for run in runs]
            findings = opened.logs().query("ApiRecommendationCurrent() | count", timespan=timedelta(days=3))[0]["Count"]
        severities = Counter(incident.severity for incident in incidents)
        closed = sum(incident.status == "Closed" for incident in incidents)
        return {
            "findings": findings,
            "ingested": rows,
            "incidents": {severity: severities[severity] for severity in ("High", "Medium", "Low")},
            "remediated": sum(state in (State.CONFIRMED, State.CLOSED) for state in ended),
            "rolled_back": sum(state == State.ROLLED_BACK for state in ended),
            "closed": closed,
            "open": len(incidents) - closed,
            "reports": [],
        }

    def choose(self, opened: App) -> tuple[IncidentSummary, tuple[FindingState, ...]]:
        """The incident to work on: one with two findings where there is one, so that both have to be fixed."""
        playbooks = opened.playbooks()
        candidates = [playbooks.findings_of(incident.number) for incident in opened.incidents().open()]
        return min(candidates, key=lambda candidate: (abs(len(candidate[1]) - 2), candidate[0].number))

    def show_incidents(self) -> None:
        """The incidents of our rules."""
        with self.app("playbooks") as opened:
            rows = [(entry.number, entry.severity, entry.status, entry.title) for entry in opened.incidents().all()]
        console.table("Incidents", ("no.", "severity", "status", "title"), rows)

    def app(self, identity: str) -> AbstractContextManager[App]:
        """The parts, signed in as one of the lab's identities, at the lab's present time."""
        settings = self.lab.settings(identity, state_dir=self.folder / identity, **self.ingestion)
        return open_app(settings, transport=self.transport)

    def wait(self, how_long: timedelta, why: str) -> None:
        """Let time pass in the lab."""
        console.say(f"[dim]The lab's clock moves on by {_words(how_long)} {why}.[/]")
        self.lab.advance(how_long.total_seconds())

    def tell(self, title: str) -> None:
        """Begin a chapter."""
        self.chapter += 1
        console.say(f"\n[bold cyan]{self.chapter}. {console.plain(title)}[/]")


def _ending(run: Run) -> tuple[str, str, str]:
    return console.resource(run.target.resource_id), run.state, run.evidence.statement if run.evidence else run.problem


def _words(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"

"""The loop, told while it happens. Each step signs in as the identity that would do it on Azure."""

from collections import Counter
from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import HttpTransport

from apiward import console
from apiward.commands.content import show_steps
from apiward.commands.ingest import show_scopes
from apiward.commands.remediate import show_run
from apiward.demo import wording
from apiward.infra import workspace
from apiward.lab_process import LabHandle
from apiward.shipped import content_items
from apiward.wiring import App, open_app
from apiward_core.catalogue import load_catalogue
from apiward_core.files import private_folder
from apiward_core.kql import bind
from apiward_core.logs import CURRENT_WINDOW
from apiward_playbooks.api import Reconciled
from apiward_playbooks.findings import FindingState
from apiward_playbooks.incidents import IncidentSummary
from apiward_playbooks.runs import Run, State
from apiward_workbooks.load import open_workbook
from apiward_workbooks.output import check_target, render, write_whole

_REQUESTER = "ana@contoso.example"
_APPROVER = "ben@contoso.example"
_TICKET = "CHG-1042"
_TAKEN_BACK = "apim-direct-management"
_REPORT = "api-posture-leadership"
_ROLES_TAKE_EFFECT = timedelta(minutes=6)
_RULES_RUN = timedelta(minutes=75)  # hourly, and five minutes late
_DEFENDER_LOOKS_AGAIN = timedelta(hours=25)  # policy-based assessments follow a daily evaluation


@dataclass
class Demo:
    """One telling of the loop. `folder` takes the state of each identity, `reports` the report."""

    lab: LabHandle
    folder: Path
    reports: Path = Path("apiward-demo")
    transport: HttpTransport[Any, Any] | None = None
    more_settings: dict[str, str] = field(default_factory=dict)
    chapter: int = 0
    why: dict[int, str] = field(default_factory=dict)
    unplanned: set[int] = field(default_factory=set)

    def play(self) -> dict[str, Any]:
        """All chapters, and the figures that they end with."""
        self.prepare()
        rows = self.ingest("The connector reads Defender for Cloud")
        self.raise_incidents()
        runs = self.apply(self.plan())
        self.wait(_DEFENDER_LOOKS_AGAIN, "until Defender has assessed the resources again")
        rows += self.ingest("Defender agrees, and the connector brings it in")
        undone = self.roll_back(runs)
        self.close()
        self.wait(_DEFENDER_LOOKS_AGAIN, "until Defender has seen what was rolled back")
        rows += self.ingest("Defender finds it Unhealthy again")
        self.wait(_RULES_RUN, "until the rules have run; what became Unhealthy joins the incidents that are still open")
        self.conclude(undone)
        return self.figures(rows, runs, reports=[self.report()])

    def prepare(self) -> None:
        """Tables, data collection rule, roles, functions, rules and workbooks."""
        self.tell("The workspace gets its tables, data collection rule, functions, rules and workbook")
        with self.app("admin") as admin:
            made = workspace.deploy(
                admin.clients.arm(),
                workspace=admin.settings.workspace,
                publishers=[self.lab.object_id("connector"), self.lab.object_id("playbooks")],
            )
            show_steps(admin.content().apply(content_items()))
        self.more_settings = {
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
        self.show_changes(report.run_id)
        return sum(scope.sent for scope in report.scopes)

    def show_changes(self, run_id: str) -> None:
        """What a run of the connector found changed, but for what is new or fixed: the counts tell that already."""
        with self.app("operator") as opened:
            found = opened.logs().query(bind(wording.BESIDES, run_id=run_id), timespan=timedelta(days=1))
        rows = [
            (row["ChangeType"], console.resource(row["ResourceId"]), row["Recommendation"], wording.states(row))
            for row in found
        ]
        if rows:
            console.table("Neither new nor fixed", ("change", "resource", "recommendation", "state"), rows)

    def raise_incidents(self) -> None:
        """The analytics rules run on their schedule."""
        self.tell("The analytics rules raise one incident per recommendation and service")
        self.wait(_RULES_RUN, "until the hourly rules have run")
        self.show_incidents()

    def plan(self) -> list[Run]:
        """A plan for every finding that apiward can fix; the guardrails decide what becomes of each."""
        self.tell("Plan under the guardrails")
        with self.app("playbooks") as opened:
            playbooks = opened.playbooks()
            asked = {
                incident.number: playbooks.plan_incident(incident.number, requested_by=_REQUESTER)
                for incident in self.remediable(opened)
            }
            self.unplanned = {number for number, planned in asked.items() if planned.problems}
            runs = [run for planned in asked.values() for run in planned.runs]
            console.table("Plans", ("resource", "change", "state"), [wording.planned(run) for run in runs])
            for why in (why for planned in asked.values() for why in planned.problems.values()):
                console.say(f"[yellow]Not planned:[/] {console.plain(why)}")
            waiting = [run for run in runs if run.state is State.AWAITING_APPROVAL]
            for run in waiting[:1]:
                show_run(run)
            for run in waiting:
                playbooks.approve(run.id, plan_hash=run.plan_hash, by=_APPROVER, ticket=_TICKET)
            console.say(f"{_REQUESTER} asked; {_APPROVER} approved {len(waiting)} of them under {_TICKET}.")
            return [playbooks.get(run.id) for run in runs]

    def apply(self, planned: Sequence[Run]) -> list[Run]:
        """Write what is approved, and verify it at the resource. Returns the runs that did."""
        self.tell("Apply, and verify at the resource")
        with self.app("playbooks") as opened:
            playbooks = opened.playbooks()
            runs = [playbooks.advance(run.id) for run in planned if run.state is State.APPROVED]
        console.table("", ("resource", "state", "evidence"), [wording.ending(run) for run in runs])
        console.say("Fixed at the resource. The incidents stay open until Defender itself agrees.")
        return runs

    def roll_back(self, runs: Sequence[Run]) -> Run:
        """One change is taken back, because somebody still needed what it switched off."""
        chosen = next((run for run in runs if run.target.recommendation == _TAKEN_BACK), runs[0])
        self.tell(f"A script still needed it: {_REQUESTER} takes one change back")
        with self.app("playbooks") as opened:
            undone = opened.playbooks().roll_back(chosen.id, by=_REQUESTER, why="the nightly export script fails")
        show_run(undone)
        return undone

    def reconcile(self) -> Reconciled:
        """Confirm runs and close incidents, as far as Defender allows, and keep why each stands as it does."""
        with self.app("playbooks") as opened:
            playbooks = opened.playbooks()
            done = playbooks.reconcile()
            fixable = {incident.number for incident in self.remediable(opened)}
            back = {run.incident for run in playbooks.list() if run.state is State.ROLLED_BACK}
            undone = {incident.number for incident in opened.incidents().open() if incident.name in back}
        for number, verdict in done.incidents:
            if verdict.may_close:
                self.why[number] = wording.settled(verdict)
            elif number in undone:
                self.why[number] = f"rolled back; {verdict.how}"
            elif number in self.unplanned:
                self.why[number] = f"no plan that breaks nobody, see 4; {verdict.how}"
            else:
                self.why[number] = verdict.how if number in fixable else f"a person has to fix it; {verdict.how}"
        return done

    def close(self) -> None:
        """The incidents whose findings are all settled are closed with the evidence."""
        self.tell("Confirm, and close the incidents whose findings are all settled")
        closed = {number for number, verdict in self.reconcile().incidents if verdict.may_close}
        self.show_incidents(only=closed)
        console.say("Each got a comment with the evidence: who approved, what was written, when Defender agreed.")

    def conclude(self, undone: Run) -> None:
        """Every incident with its reason, and the audit trail of the run that was rolled back."""
        self.tell("What happened, and why")
        self.reconcile()
        self.show_incidents()
        self.show_trail(undone)

    def show_trail(self, run: Run) -> None:
        """The audit trail of one run, from the workspace, checked against what the playbooks remember of it."""
        with self.app("playbooks") as opened:
            trail = opened.playbooks().audit(run.id)
        console.table(
            f"Audit trail of the run that was rolled back, from the workspace ({run.id})",
            ("no.", "step", "state", "who", "decision"),
            [(row["Sequence"], row["Step"], row["State"], row["Actor"], row["Decision"]) for row in trail.rows],
        )
        verdict = f"It is broken: {'; '.join(trail.faults)}" if trail.faults else "Its chain of hashes is whole"
        console.say(console.plain(f"{verdict}."))

    def report(self) -> Path:
        """The leadership workbook as one file."""
        self.tell("The report for leadership")
        target = private_folder(self.reports) / f"{_REPORT}.html"
        with self.app("operator") as opened:
            report = opened.reports().run(open_workbook(_REPORT))
        check_target(target)
        write_whole(target, render(report, "html"))
        console.say(f"Data: {console.plain(report.freshness.text)}.")
        return target

    def figures(self, rows: int, runs: Sequence[Run], *, reports: Sequence[Path]) -> dict[str, Any]:
        """What happened, in numbers that add up."""
        with self.app("playbooks") as opened:
            incidents = opened.incidents().all()
            ended = [opened.playbooks().get(run.id).state for run in runs]
            findings = opened.logs().query("ApiRecommendationCurrent() | count", timespan=CURRENT_WINDOW)[0]["Count"]
        severities = Counter(incident.severity for incident in incidents)
        closed = sum(incident.status == "Closed" for incident in incidents)
        return {
            "findings": findings,
            "ingested": rows,
            "incidents": {severity: severities[severity] for severity in ("High", "Medium", "Low")},
            "remediated": sum(state in (State.CONFIRMED, State.CLOSED) for state in ended),
            "rolled_back": sum(state is State.ROLLED_BACK for state in ended),
            "closed": closed,
            "open": len(incidents) - closed,
            "reports": [str(report) for report in reports],
        }

    def remediable(self, opened: App) -> list[IncidentSummary]:
        """The open incidents whose recommendation apiward can remediate."""
        keys = {entry.key for entry in load_catalogue() if entry.remediation != "guided"}
        return [
            incident
            for incident in opened.incidents().open()
            if keys & {group.recommendation_key for group in opened.incidents().groups(incident.name) or []}
        ]

    def choose(self, opened: App) -> tuple[IncidentSummary, tuple[FindingState, ...]]:
        """A remediable incident: one with two findings where there is one, so that both have to be fixed."""
        playbooks = opened.playbooks()
        candidates = [playbooks.findings_of(incident.number) for incident in self.remediable(opened)]
        return min(candidates, key=lambda candidate: (abs(len(candidate[1]) - 2), candidate[0].number))

    def show_incidents(self, *, only: Container[int] | None = None) -> None:
        """The incidents of our rules, each with why it stands as it does once that is known."""
        with self.app("playbooks") as opened:
            incidents = [entry for entry in opened.incidents().all() if only is None or entry.number in only]
        rows = [
            (entry.number, entry.severity, entry.status, entry.title, self.why.get(entry.number)) for entry in incidents
        ]
        columns = ("no.", "severity", "status", "title", "why")
        if self.why:
            console.table("Incidents", columns, rows)
        else:
            console.table("Incidents", columns[:-1], [row[:-1] for row in rows])

    def app(self, identity: str) -> AbstractContextManager[App]:
        """The parts, signed in as one of the lab's identities, at the lab's present time."""
        settings = self.lab.settings(identity, state_dir=self.folder / identity, **self.more_settings)
        return open_app(settings, transport=self.transport)

    def wait(self, how_long: timedelta, why: str) -> None:
        """Let time pass in the lab."""
        console.say(f"[dim]The lab's clock moves on by {wording.words(how_long)} {why}.[/]")
        self.lab.advance(how_long.total_seconds())

    def tell(self, title: str) -> None:
        """Begin a chapter."""
        self.chapter += 1
        console.say(f"\n[bold cyan]{self.chapter}. {console.plain(title)}[/]")

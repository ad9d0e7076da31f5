"""What every face of the playbooks calls: command line, functions, pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import UNCATALOGUED, Catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError, GuardrailError, RejectedDataError
from apiward_playbooks import comments, transitions
from apiward_playbooks.closing import Closer, Verdict
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.engine import Engine
from apiward_playbooks.findings import Findings, FindingState, target_of
from apiward_playbooks.guard import Guard
from apiward_playbooks.incidents import Incidents, IncidentSummary
from apiward_playbooks.remediation import Change, Evidence
from apiward_playbooks.runs import ENDED, REPLACEABLE, Plan, Run, State, Target
from apiward_playbooks.store import RunStore
from apiward_playbooks.trail import Auditor, Trail

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Planned:
    """The runs that were planned, and what could not be planned and why."""

    runs: tuple[Run, ...]
    problems: Mapping[str, ApiwardError]


@dataclass(frozen=True)
class Reconciled:
    """What one reconciliation did: runs as they rest, each open incident with its verdict, and what failed and why."""

    runs: tuple[Run, ...]
    incidents: tuple[tuple[int, Verdict], ...]
    problems: Mapping[str, str]


class Playbooks:
    """Plans, approves, applies, rolls back and reconciles. Actors are names of people or identities."""

    def __init__(
        self,
        *,
        store: RunStore,
        engine: Engine,
        effects: AzureEffects,
        guard: Guard,
        auditor: Auditor,
        findings: Findings,
        incidents: Incidents,
        closer: Closer,
        catalogue: Catalogue,
        clock: Clock,
        plan_ttl: timedelta,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._store = store
        self._engine = engine
        self._effects = effects
        self._guard = guard
        self._auditor = auditor
        self._findings = findings
        self._incidents = incidents
        self._closer = closer
        self._catalogue = catalogue
        self._clock = clock
        self._plan_ttl = plan_ttl
        self._new_id = new_id

    def plan(self, finding_id: str, *, requested_by: str) -> Run:
        """Plan the remediation of a current finding. Nothing is changed.

        By the guardrails the run waits for approval, is approved at once, or is blocked and says why. Raises
        MissingError for an unknown finding, GuardrailError when apiward cannot change it or the guardrails cannot be
        read, RejectedDataError when there is nothing to change, ConflictError when the finding has an open run.
        """
        target = target_of(self._findings.current(finding_id))
        return self._plan(target, requested_by, self._closer.incident_of(target))

    def _plan(self, target: Target, requested_by: str, incident: str) -> Run:
        if target.recommendation == UNCATALOGUED:
            raise GuardrailError(
                f"Recommendation {target.recommendation_key} is not catalogued.", remedy="Fix it by hand in the portal."
            )
        changes, remediation = self._effects.plan(target.recommendation, ArmId.parse(target.resource_id))
        if not changes:
            raise RejectedDataError(
                f"{target.resource_id} needs no change for {target.recommendation}.",
                remedy="It is fixed at the resource; wait for Defender to agree.",
            )
        plan = self._frozen(target, changes, remediation.race)
        now = self._clock.now()
        new = transitions.new_run(self._new_id(), target, plan, requested_by=requested_by, incident=incident, now=now)
        run = transitions.ruled(new, self._guard.ruling(target, changes), now)
        if known := self._blocked_like(run):
            return known
        if incident and (comment := comments.describe(run)):
            run = transitions.commented(run, comment)
        if run.state not in ENDED:
            self._replace_runs_on(target, run)
        self._store.add(run)
        return self._engine.deliver(run.id)

    def _frozen(self, target: Target, changes: list[Change], race: str) -> Plan:
        entry = self._catalogue.by_slug(target.recommendation)
        expires_at = timestamp(self._clock.now() + self._plan_ttl)
        return Plan(tuple(changes), race, entry.breaking, entry.irreversible, expires_at)

    def _blocked_like(self, new: Run) -> Run | None:
        """The last run on the finding, when it was blocked for the same reason from the same change."""
        if new.state is not State.BLOCKED:
            return None
        last = next((run for run in reversed(self._store.all()) if run.target == new.target), None)
        return last if last and _gist(last) == _gist(new) else None

    def _replace_runs_on(self, target: Target, new: Run) -> None:
        for old in self._store.all():
            if old.target.finding_id == target.finding_id and old.state in REPLACEABLE:
                self.abandon(old.id, by=new.requested_by, why=f"replaced by run {new.id}")

    def plan_incident(self, number: int, *, requested_by: str) -> Planned:
        """Plan the remediation of each Unhealthy finding of an incident that has no open run.

        What fails for one finding is told in `problems` and does not stop the others.
        """
        incident, findings = self.findings_of(number)
        busy = {run.target.finding_id for run in self._store.all() if run.state not in ENDED}
        free = [found.finding_id for found in findings if found.state == "Unhealthy" and found.finding_id not in busy]
        planned: list[Run] = []
        problems: dict[str, ApiwardError] = {}
        for finding_id in free:
            try:
                target = target_of(self._findings.current(finding_id))
                planned.append(self._plan(target, requested_by, incident.name))
            except ApiwardError as error:
                problems[f"finding {finding_id}"] = error
        return Planned(tuple(planned), problems)

    def findings_of(self, number: int) -> tuple[IncidentSummary, tuple[FindingState, ...]]:
        """An incident of ours by its number, with its findings as they are now. Raises MissingError."""
        return self._closer.findings_of(number)

    def approve(self, run_id: str, *, plan_hash: str, by: str, why: str = "", ticket: str = "") -> Run:
        """Approve the plan whose hash the approver saw. Nothing is changed yet.

        Raises ConflictError when the run does not wait or the plan is another, GuardrailError when it may not be
        approved: it is blocked, it expired, or not by this person, or not without a ticket.
        """
        now = self._clock.now()

        def decide(run: Run) -> Run:
            decided = transitions.approved(run, by=by, why=why, ticket=ticket, plan_hash_seen=plan_hash, now=now)
            self._guard.require_approver(decided)
            return decided

        self._engine.transition(run_id, decide)
        return self._engine.deliver(run_id)

    def reject(self, run_id: str, *, by: str, why: str = "") -> Run:
        """Reject a plan that waits for approval."""
        now = self._clock.now()
        self._engine.transition(run_id, lambda run: transitions.rejected(run, by=by, why=why, now=now))
        return self._engine.advance(run_id)

    def advance(self, run_id: str) -> Run:
        """Do all that can be done for a run now: apply an approved plan, verify, confirm, close."""
        return self._engine.advance(run_id)

    def look(self, run_id: str) -> Evidence:
        """Read the run's resource again now, and say whether it is as it should be. Nothing is written."""
        return self._effects.verify(self.get(run_id))

    def roll_back(self, run_id: str, *, by: str, why: str = "") -> Run:
        """Bring everything that a run changed back to its pre-image."""
        now = self._clock.now()
        self._engine.transition(run_id, lambda run: transitions.rolling_back(run, by=by, why=why, now=now))
        return self._engine.advance(run_id)

    def abandon(self, run_id: str, *, by: str, why: str) -> Run:
        """Give a run up as it stands, for instance because it was finished or undone by hand."""
        now = self._clock.now()
        self._engine.transition(run_id, lambda run: transitions.abandoned(run, by=by, why=why, now=now))
        return self._engine.deliver(run_id)

    def get(self, run_id: str) -> Run:
        """One run."""
        return self._store.load(run_id)[0]

    def audit(self, run_id: str) -> Trail:
        """The run's audit trail in the workspace, checked against the run store."""
        return self._auditor.trail(self._engine.deliver(run_id))

    def list(self) -> list[Run]:
        """Every run, oldest first."""
        return self._store.all()

    def reconcile(self) -> Reconciled:
        """Advance every open run, then close each incident of ours whose findings allow it, whoever fixed them.

        What fails for one run or incident is told in `problems` and does not stop the others.
        """
        problems: dict[str, str] = {}

        def attempt(what: str, act: Callable[[], _Made]) -> _Made | None:
            try:
                made = act()
            except ApiwardError as error:
                problems[what] = str(error)
                return None
            problems.pop(what, None)
            return made

        open_incidents = self._incidents.open()
        open_runs = [run.id for run in self._store.all() if run.state not in ENDED or run.outbox]
        for run_id in open_runs * 2:  # an incident closes with the last of its runs, and the others follow it
            attempt(f"run {run_id}", partial(self._engine.advance, run_id))
        verdicts = {
            incident.number: attempt(f"incident {incident.number}", partial(self._closer.close_if_done, incident.name))
            for incident in open_incidents
        }
        rested = tuple(self.get(run_id) for run_id in open_runs)
        judged = tuple((number, verdict) for number, verdict in verdicts.items() if verdict)
        return Reconciled(rested, judged, problems)


def _gist(run: Run) -> tuple[object, ...]:
    """What a run is about, whenever it was planned."""
    return run.state, run.problem, [(change.resource_id, change.before, change.after) for change in run.plan.changes]

"""What every face of the playbooks calls: command line, functions, pages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import UNCATALOGUED, Catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import GuardrailError, MissingError, RejectedDataError
from apiward_core.logs import Row
from apiward_playbooks import comments, transitions
from apiward_playbooks.closing import Closer, Verdict
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.engine import Engine
from apiward_playbooks.findings import Findings, FindingState
from apiward_playbooks.incidents import Incidents, IncidentSummary
from apiward_playbooks.runs import ENDED, Plan, Run, Target
from apiward_playbooks.store import RunStore


@dataclass(frozen=True)
class Reconciled:
    """What one reconciliation did: runs as they rest, and each open incident with its verdict."""

    runs: tuple[Run, ...]
    incidents: tuple[tuple[int, Verdict], ...]


class Playbooks:
    """Plans, approves, applies, rolls back and reconciles. Actors are names of people or identities."""

    def __init__(
        self,
        *,
        store: RunStore,
        engine: Engine,
        effects: AzureEffects,
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
        self._findings = findings
        self._incidents = incidents
        self._closer = closer
        self._catalogue = catalogue
        self._clock = clock
        self._plan_ttl = plan_ttl
        self._new_id = new_id

    def plan(self, finding_id: str, *, requested_by: str) -> Run:
        """Plan the remediation of a current finding. Nothing is changed; the run waits for approval.

        Raises MissingError for an unknown finding, GuardrailError when apiward must not change it, RejectedDataError
        when there is nothing to change, ConflictError when the finding has an open run.
        """
        target = _target(self._findings.current(finding_id))
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
        entry = self._catalogue.by_slug(target.recommendation)
        now = self._clock.now()
        plan = Plan(
            tuple(changes), remediation.race, entry.breaking, entry.irreversible, timestamp(now + self._plan_ttl)
        )
        incident = self._closer.incident_of(finding_id)
        run = transitions.new_run(self._new_id(), target, plan, requested_by=requested_by, incident=incident, now=now)
        if incident and (comment := comments.describe(run)):
            run = transitions.commented(run, comment)
        self._store.add(run)
        return self._engine.advance(run.id)

    def plan_incident(self, number: int, *, requested_by: str) -> list[Run]:
        """Plan the remediation of each Unhealthy finding of an incident that has no open run."""
        _, findings = self.findings_of(number)
        busy = {run.target.finding_id for run in self._store.all() if run.state not in ENDED}
        free = [found.finding_id for found in findings if found.state == "Unhealthy" and found.finding_id not in busy]
        return [self.plan(finding_id, requested_by=requested_by) for finding_id in free]

    def findings_of(self, number: int) -> tuple[IncidentSummary, tuple[FindingState, ...]]:
        """An incident of ours by its number, with its findings as they are now. Raises MissingError."""
        found = next((incident for incident in self._incidents.all() if incident.number == number), None)
        if found is None:
            raise MissingError(f"Our rules raised no incident {number}.", remedy="See apiward incidents list.")
        return found, self._closer.judge(found.name).findings

    def approve(self, run_id: str, *, plan_hash: str, by: str, why: str = "") -> Run:
        """Approve the plan whose hash the approver saw. Nothing is changed yet."""
        now = self._clock.now()
        self._engine.transition(
            run_id, lambda run: transitions.approved(run, by=by, why=why, plan_hash_seen=plan_hash, now=now)
        )
        return self._engine.deliver(run_id)

    def reject(self, run_id: str, *, by: str, why: str = "") -> Run:
        """Reject a plan that waits for approval."""
        now = self._clock.now()
        self._engine.transition(run_id, lambda run: transitions.rejected(run, by=by, why=why, now=now))
        return self._engine.advance(run_id)

    def advance(self, run_id: str) -> Run:
        """Do all that can be done for a run now: apply an approved plan, verify, confirm, close."""
        return self._engine.advance(run_id)

    def roll_back(self, run_id: str, *, by: str, why: str = "") -> Run:
        """Bring everything that a run changed back to its pre-image."""
        now = self._clock.now()
        self._engine.transition(run_id, lambda run: transitions.rolling_back(run, by=by, why=why, now=now))
        return self._engine.advance(run_id)

    def get(self, run_id: str) -> Run:
        """One run."""
        return self._store.load(run_id)[0]

    def list(self) -> list[Run]:
        """Every run, oldest first."""
        return self._store.all()

    def reconcile(self) -> Reconciled:
        """Advance every open run, then close each incident of ours whose findings allow it, whoever fixed them."""
        rested = tuple(self._engine.advance(run.id) for run in self._store.all() if run.state not in ENDED)
        judged = tuple(
            (incident.number, self._closer.close_if_done(incident.name)) for incident in self._incidents.open()
        )
        return Reconciled(rested, judged)


def _target(row: Row) -> Target:
    if row["State"] != "Unhealthy":
        raise RejectedDataError(f"Finding {row['FindingId']} is {row['State']}.", remedy="There is nothing to fix.")
    return Target(
        finding_id=row["FindingId"],
        recommendation_key=row["RecommendationKey"],
        recommendation=row["Recommendation"],
        recommendation_name=row["RecommendationName"],
        severity=row["Severity"],
        resource_id=row["ResourceId"],
        service_id=row["ServiceId"],
    )

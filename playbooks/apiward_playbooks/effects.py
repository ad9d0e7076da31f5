"""What a run does to Azure, with the real clients."""

from collections.abc import Callable, Iterable

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Catalogue
from apiward_core.clients import AzureClients
from apiward_core.clock import Clock
from apiward_core.errors import IncompleteError, MissingError, azure_errors
from apiward_core.ingest import LogSink
from apiward_core.tables import REMEDIATION, all_tables
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.closing import Closer
from apiward_playbooks.engine import Settled
from apiward_playbooks.findings import Findings
from apiward_playbooks.incidents import Incidents
from apiward_playbooks.remediation import Change, Evidence, Observed, Remediation, load_remediation
from apiward_playbooks.runs import Comment, Run


class AzureEffects:
    """The Effects of an Engine, done through the SDK clients. No resource outside `scopes` is read or written."""

    def __init__(
        self,
        clients: AzureClients,
        *,
        catalogue: Catalogue,
        scopes: Iterable[ArmId],
        sink: LogSink,
        incidents: Incidents,
        findings: Findings,
        closer: Closer,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._catalogue = catalogue
        self._scopes = tuple(scopes)
        self._sink = sink
        self._incidents = incidents
        self._findings = findings
        self._closer = closer
        self._clock = clock

    def send_audit(self, rows: list[AuditRow]) -> None:
        """Send audit rows to DefenderApiRemediation_CL."""
        report = self._sink.send(all_tables()[REMEDIATION], [row.as_row() for row in rows])
        if report.dead:
            raise IncompleteError(
                f"Audit rows that were refused and are kept as dead letters: {report.dead}.",
                remedy="Look into the dead letters; nothing more is changed without an audit row.",
            )

    def send_comment(self, comment: Comment) -> None:
        """Put the comment on its incident; an incident that was deleted needs none."""
        try:
            self._incidents.comment(comment.incident, comment.id, comment.message)
        except MissingError:
            return

    def plan(self, recommendation: str, resource: ArmId) -> tuple[list[Change], Remediation]:
        """The changes that a resource needs, and the remediation that would make them."""
        remediation = load_remediation(self._catalogue.by_slug(recommendation))
        allowed = resource.require_within(self._scopes)
        return remediation.plan(self._clients, allowed, self._clock.now()), remediation

    def require_allowed(self, run: Run) -> None:
        """Nothing, while every resource of the run is in scope, and its recommendation is one that is remediated."""
        self._remediation(run)
        for change in run.plan.changes:
            self._allowed(change.resource_id)

    def observe(self, run: Run, change: Change) -> Observed:
        """Read the touched keys of a change."""
        self._allowed(change.resource_id)
        return self._remediation(run).observe(self._clients, change)

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        """Write the target of a change, or its pre-image when `back`."""
        self._allowed(change.resource_id)
        remediation = self._remediation(run)
        act: Callable[[AzureClients, Change, str, str], None] = remediation.revert if back else remediation.apply
        act(self._clients, change, etag, run.correlation_id)

    def verify(self, run: Run) -> Evidence:
        """Read the resource again."""
        return self._remediation(run).verify(self._clients, self._allowed(run.target.resource_id))

    def defender_agrees(self, run: Run) -> bool:
        """Whether the assessment is Healthy both in the workspace and at Defender itself (assessments 2021-06-01)."""
        return self._findings.is_healthy(run.target.finding_id) and self._assessment_status(run) == "Healthy"

    def settle(self, run: Run) -> Settled:
        """Close the run's incident if it may close."""
        return self._closer.settle(run)

    def _assessment_status(self, run: Run) -> str:
        resource = self._allowed(run.target.resource_id)
        client = self._clients.security(resource.subscription_id)
        with azure_errors(f"reading the assessment of {resource}"):
            found = client.assessments.get(resource.text.lstrip("/"), run.target.recommendation_key)
        return str(found.status.code)

    def _remediation(self, run: Run) -> Remediation:
        return load_remediation(self._catalogue.by_slug(run.target.recommendation))

    def _allowed(self, resource_id: str) -> ArmId:
        return ArmId.parse(resource_id).require_within(self._scopes)

"""Closing incidents: only when every finding in one is Confirmed, Resolved, or Removed because its resource is gone."""

from dataclasses import dataclass

from apiward_core.errors import MissingError
from apiward_playbooks import comments
from apiward_playbooks.engine import Settled
from apiward_playbooks.findings import Findings, FindingState
from apiward_playbooks.incidents import Classification, Incidents, IncidentSummary
from apiward_playbooks.runs import Run, State
from apiward_playbooks.store import RunStore


@dataclass(frozen=True)
class Verdict:
    """Whether an incident may close, and the findings that it is about."""

    may_close: bool
    how: str
    findings: tuple[FindingState, ...] = ()


class Closer:
    """Decides about incidents and closes those that may close."""

    def __init__(
        self, *, incidents: Incidents, findings: Findings, store: RunStore, classification: Classification
    ) -> None:
        self._incidents = incidents
        self._findings = findings
        self._store = store
        self._classification = classification

    def judge(self, incident: str) -> Verdict:
        """Whether the incident of that name may close."""
        groups = self._incidents.groups(incident)
        if groups is None:
            return Verdict(False, "an alert in it is not ours")
        found = tuple(self._findings.raised_by(groups).values())
        if not found:
            return Verdict(False, "the workspace has no findings for its alerts")
        unsettled = [finding for finding in found if not _is_settled(finding)]
        if unsettled:
            return Verdict(False, f"{len(unsettled)} of {len(found)} findings are still open", found)
        return Verdict(True, _how(found), found)

    def close_if_done(self, incident: str) -> Verdict:
        """Comment with the evidence and close the incident, if it may close."""
        verdict = self.judge(incident)
        if verdict.may_close:
            ids = {finding.finding_id for finding in verdict.findings}
            runs = [run for run in self._store.all() if run.target.finding_id in ids and run.state == State.CONFIRMED]
            message = comments.closing(verdict.findings, runs, verdict.how)
            self._incidents.comment(incident, comments.comment_id(incident, "closed"), message)
            self._incidents.close(incident, self._classification, verdict.how)
        return verdict

    def settle(self, run: Run) -> Settled:
        """Close the run's incident if it may close; a run without an incident is done."""
        name = run.incident or self.incident_of(run.target.finding_id)
        if not name:
            return Settled(True, "no incident is open for the finding")
        try:
            incident = self._incidents.get(name)
        except MissingError:
            return Settled(True, f"incident {name} was deleted")
        if incident.status == "Closed":
            return Settled(True, f"incident {incident.number} is closed")
        verdict = self.close_if_done(name)
        return Settled(verdict.may_close, f"incident {incident.number}: {verdict.how}")

    def incident_of(self, finding_id: str) -> str:
        """The name of the open incident of ours that is about the finding, "" when there is none."""
        matches = (incident for incident in self._incidents.open() if self._is_about(incident, finding_id))
        found = next(matches, None)
        return found.name if found else ""

    def _is_about(self, incident: IncidentSummary, finding_id: str) -> bool:
        groups = self._incidents.groups(incident.name)
        return bool(groups) and finding_id in self._findings.raised_by(groups or [])


def _is_settled(finding: FindingState) -> bool:
    if finding.change_type == "Removed":
        return finding.cause == "ResourceGone"
    return finding.state == "Healthy"


def _how(findings: tuple[FindingState, ...]) -> str:
    gone = sum(finding.change_type == "Removed" for finding in findings)
    healthy = len(findings) - gone
    parts = [f"{healthy} Healthy by Defender" if healthy else "", f"{gone} deleted with the resource" if gone else ""]
    return f"{len(findings)} findings: {', '.join(filter(None, parts))}"

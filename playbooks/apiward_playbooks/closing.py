"""Closing incidents: only when every finding in one is Confirmed, Resolved, or Removed because its resource is gone."""

from collections.abc import Iterable
from dataclasses import dataclass

from apiward_core.errors import MissingError
from apiward_playbooks import comments
from apiward_playbooks.engine import Settled
from apiward_playbooks.findings import Findings, FindingState
from apiward_playbooks.incidents import Classification, Incidents, IncidentSummary
from apiward_playbooks.runs import ENDED, Run, State, Target
from apiward_playbooks.store import RunStore


@dataclass(frozen=True)
class Verdict:
    """Whether an incident may close, the findings that it is about, and our runs on them."""

    may_close: bool
    how: str
    findings: tuple[FindingState, ...] = ()
    runs: tuple[Run, ...] = ()


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
            return Verdict(False, f"still open: {len(unsettled)} of {_count(len(found), 'finding')}", found)
        runs = self._runs_on([finding for finding in found if finding.change_type != "Removed"])
        if busy := [run for run in runs if run.state not in (State.CONFIRMED, *ENDED)]:
            return Verdict(False, f"not confirmed yet: {_count(len(busy), 'run')} on its findings", found, runs)
        return Verdict(True, _how(found), found, runs)

    def close_if_done(self, incident: str) -> Verdict:
        """Comment with the evidence and close the incident, if it may close."""
        verdict = self.judge(incident)
        if not verdict.may_close:
            return verdict
        confirmed = [run for run in verdict.runs if run.state == State.CONFIRMED]
        message = comments.closing(verdict.findings, confirmed, verdict.how)
        settled = sorted(finding.finding_id for finding in verdict.findings)
        self._incidents.comment(incident, comments.comment_id(incident, "settled", *settled), message, always=True)
        closed = self._incidents.close(
            incident, self._classification, verdict.how, may_close=lambda: self.judge(incident).may_close
        )
        return verdict if closed else self.judge(incident)

    def settle(self, run: Run) -> Settled:
        """Close the run's incident if it may close; a run without an incident is done."""
        name = run.incident or self.incident_of(run.target)
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

    def incident_of(self, target: Target) -> str:
        """The name of the open incident of ours that is about the finding, "" when there is none."""
        matches = (incident for incident in self._incidents.open() if self._is_about(incident, target))
        found = next(matches, None)
        return found.name if found else ""

    def _runs_on(self, findings: Iterable[FindingState]) -> tuple[Run, ...]:
        ids = {finding.finding_id for finding in findings}
        return tuple(run for run in self._store.all() if run.target.finding_id in ids)

    def _is_about(self, incident: IncidentSummary, target: Target) -> bool:
        groups = [
            group
            for group in self._incidents.groups(incident.name) or []
            if group.recommendation_key == target.recommendation_key and group.service_id in ("*", target.service_id)
        ]
        return target.finding_id in self._findings.raised_by(groups)


def _is_settled(finding: FindingState) -> bool:
    if finding.change_type == "Removed":
        return finding.cause == "ResourceGone"
    return finding.state == "Healthy"


def _how(findings: tuple[FindingState, ...]) -> str:
    gone = sum(finding.change_type == "Removed" for finding in findings)
    healthy = len(findings) - gone
    parts = [f"{healthy} Healthy by Defender" if healthy else "", f"{gone} deleted with the resource" if gone else ""]
    return f"{_count(len(findings), 'finding')}: {', '.join(filter(None, parts))}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

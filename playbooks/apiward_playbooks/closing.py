"""Closing incidents: only when every finding in one is settled.

That is Healthy by Defender, Removed because its resource is gone, or a risk that somebody accepted and that is still
accepted. A verdict that Defender gave before our fix was rolled back settles nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apiward_core.clock import parse_timestamp
from apiward_core.errors import GuardrailError, MissingError
from apiward_playbooks import comments
from apiward_playbooks.engine import Settled
from apiward_playbooks.findings import Findings, FindingState
from apiward_playbooks.guardrails.document import AcceptedRisk
from apiward_playbooks.incidents import Classification, Incidents, IncidentSummary
from apiward_playbooks.runs import ENDED, Run, State, Target
from apiward_playbooks.store import RunStore


@dataclass(frozen=True)
class Verdict:
    """Whether an incident may close, the findings that it is about, our runs on them, and what risks were accepted."""

    may_close: bool
    how: str
    findings: tuple[FindingState, ...] = ()
    runs: tuple[Run, ...] = ()
    risks: Mapping[str, AcceptedRisk] = field(default_factory=dict)


class Closer:
    """Decides about incidents and closes those that may close.

    `accepted_risks` finds the valid accepted risks among findings, by finding id.
    """

    def __init__(
        self,
        *,
        incidents: Incidents,
        findings: Findings,
        store: RunStore,
        classification: Classification,
        accepted_risks: Callable[[Sequence[FindingState]], Mapping[str, AcceptedRisk]],
    ) -> None:
        self._incidents = incidents
        self._findings = findings
        self._store = store
        self._classification = classification
        self._accepted_risks = accepted_risks

    def findings_of(self, number: int) -> tuple[IncidentSummary, tuple[FindingState, ...]]:
        """An incident of ours by its number, with its findings as they are now. Raises MissingError."""
        found = self._incidents.numbered(number)
        return found, self.judge(found.name).findings

    def judge(self, incident: str) -> Verdict:
        """Whether the incident of that name may close."""
        groups = self._incidents.groups(incident)
        if groups is None:
            return Verdict(False, "an alert in it is not ours")
        by_alert = self._findings.raised_by(groups)
        found = tuple({finding_id: state for alert in by_alert for finding_id, state in alert.items()}.values())
        runs = self._runs_on([finding for finding in found if finding.change_type != "Removed"])
        if not found or not all(by_alert):
            return Verdict(False, "the workspace has no findings for one of its alerts", found, runs)
        unsettled = [finding for finding in found if not _is_settled(finding, runs)]
        try:
            # what is gone without a reason is no risk that anybody could have accepted
            present = [finding for finding in unsettled if finding.change_type != "Removed"]
            risks = self._accepted_risks(present) if present else {}
        except GuardrailError as error:
            return Verdict(False, f"accepted risks are unknown: {error}", found, runs)
        if len(unsettled) > len(risks):
            still = f"still open: {len(unsettled) - len(risks)} of {_count(len(found), 'finding')}"
            return Verdict(False, still, found, runs, risks)
        if busy := [run for run in runs if run.state not in (State.CONFIRMED, *ENDED)]:
            return Verdict(False, f"not confirmed yet: {_count(len(busy), 'run')} on its findings", found, runs, risks)
        return Verdict(True, _how(found, risks), found, runs, risks)

    def close_if_done(self, incident: str) -> Verdict:
        """Comment with the evidence and close the incident, if it may close and is not closed."""
        verdict = self.judge(incident)
        if not verdict.may_close or self._incidents.get(incident).status == "Closed":
            return verdict
        fixes = [run for finding in verdict.findings for run in verdict.runs if _fixed(run, finding)]
        message = comments.closing(verdict.findings, fixes, verdict.risks, verdict.how)
        self._incidents.comment(incident, comments.comment_id(incident, "settled", message), message, always=True)
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
        return any(target.finding_id in alert for alert in self._findings.raised_by(groups))


def _is_settled(finding: FindingState, runs: Iterable[Run]) -> bool:
    if finding.change_type == "Removed":
        return finding.cause == "ResourceGone"
    return finding.state == "Healthy" and not _was_undone_since(finding, runs)


def _was_undone_since(finding: FindingState, runs: Iterable[Run]) -> bool:
    """Whether a run on it was undone after Defender's verdict, or at no known time, and no later run fixed it."""
    mine = [run for run in runs if run.target.finding_id == finding.finding_id]
    undone = max((run.rolled_back_at for run in mine), default="")
    fixed = max((run.confirmed_at for run in mine if not run.rolled_back_at), default="")
    if undone <= fixed:
        return False
    return finding.changed_at is None or finding.changed_at <= parse_timestamp(undone)


def _fixed(run: Run, finding: FindingState) -> bool:
    """Whether the run made the finding Healthy; one that ended with another incident did, if it stayed so since."""
    if run.target.finding_id != finding.finding_id or run.state not in (State.CONFIRMED, State.CLOSED):
        return False
    if run.state is State.CONFIRMED:
        return True
    return finding.changed_at is not None and finding.changed_at <= parse_timestamp(run.confirmed_at)


def _how(findings: tuple[FindingState, ...], risks: Mapping[str, AcceptedRisk]) -> str:
    gone = sum(finding.change_type == "Removed" for finding in findings)
    healthy = len(findings) - gone - len(risks)
    parts = (
        f"{healthy} Healthy by Defender" if healthy else "",
        f"{gone} deleted with the resource" if gone else "",
        f"{len(risks)} accepted as a risk" if risks else "",
    )
    return f"{_count(len(findings), 'finding')}: {', '.join(filter(None, parts))}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

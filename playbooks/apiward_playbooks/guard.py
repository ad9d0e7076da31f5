"""Stands between a run and what it wants: reads the guardrails again each time, and asks them."""

from collections.abc import Callable, Iterable, Mapping

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Catalogue
from apiward_core.clock import Clock
from apiward_core.errors import AccessError, GuardrailError, RejectedDataError
from apiward_playbooks.budget import BudgetStore
from apiward_playbooks.findings import FindingState
from apiward_playbooks.guardrails.document import AcceptedRisk, Mode
from apiward_playbooks.guardrails.limits import Guardrails, Ruling, Subject
from apiward_playbooks.remediation import Change
from apiward_playbooks.runs import Run, Target

_ANEW = "Abandon the run, then plan again under the present guardrails."


class Guard:
    """The guardrails as they are now. `read` reads them, `tags` those of a resource's service."""

    def __init__(
        self,
        *,
        read: Callable[[], Guardrails],
        tags: Callable[[ArmId], Mapping[str, str]],
        catalogue: Catalogue,
        budget: BudgetStore,
        clock: Clock,
    ) -> None:
        self._read = read
        self._tags = tags
        self._catalogue = catalogue
        self._budget = budget
        self._clock = clock

    def ruling(self, target: Target, changes: Iterable[Change]) -> Ruling:
        """What may become of a plan. Raises GuardrailError when the guardrails, or tags they need, are unreadable."""
        return self._ruling(self._read(), target, changes)

    def permit(self, run: Run, index: int, *, back: bool) -> None:
        """Let change `index` of a run be written now, and count it. Raises GuardrailError when it may not be.

        A way back is only stopped by a kill switch, or by guardrails that cannot be read, since they may hold one.
        """
        guardrails = self._read()
        guardrails.require_not_stopped()
        if back:
            return
        ruling = self._ruling(guardrails, run.target, run.plan.changes)
        _require_consent(guardrails, ruling, run)
        now = self._clock.now()
        if reasons := [*ruling.forbidden, *guardrails.pauses(now)]:
            raise GuardrailError(f"The guardrails forbid it: {'; '.join(reasons)}.", remedy="See the guardrails.")
        self._budget.take(f"{run.id}/{index}", guardrails.budget, now)

    def require_approver(self, run: Run) -> None:
        """Nothing, when who approved the run may do so, with that ticket. Raises GuardrailError otherwise."""
        _require_approver(self._read(), run)

    def accepted_risks(self, findings: Iterable[FindingState]) -> dict[str, AcceptedRisk]:
        """The valid accepted risk of each finding that one covers. Raises GuardrailError for unreadable guardrails."""
        guardrails, now = self._read(), self._clock.now()
        found = {
            finding.finding_id: guardrails.accepted(
                finding.finding_id, finding.recommendation, ArmId.read(finding.resource_id), now
            )
            for finding in findings
        }
        return {finding_id: risk for finding_id, risk in found.items() if risk}

    def _ruling(self, guardrails: Guardrails, target: Target, changes: Iterable[Change]) -> Ruling:
        resource = ArmId.parse(target.resource_id)
        subject = Subject(
            finding_id=target.finding_id,
            recommendation=self._catalogue.by_slug(target.recommendation),
            resource=resource,
            changed=tuple(ArmId.parse(change.resource_id) for change in changes),
            tags=self._service_tags(resource) if guardrails.needs_tags else {},
        )
        return guardrails.ruling(subject, self._clock.now())

    def _service_tags(self, resource: ArmId) -> Mapping[str, str]:
        try:
            return self._tags(resource)
        except (AccessError, RejectedDataError) as error:
            raise GuardrailError(f"Protected tags cannot be checked: {error.message}", remedy=error.remedy) from error


def _require_consent(guardrails: Guardrails, ruling: Ruling, run: Run) -> None:
    """Nothing, while what let the run be written still does: its mode, and its approver where it has one."""
    if ruling.mode is Mode.REPORT or ruling.mode.freedom < run.mode.freedom:
        raise GuardrailError(
            f"The guardrails allow {ruling.mode} now ({ruling.source}), and the run was planned under {run.mode}.",
            remedy=_ANEW,
        )
    if run.mode is Mode.AUTOMATIC:
        return
    try:
        _require_approver(guardrails, run)
    except GuardrailError as error:
        raise GuardrailError(f"Its approval holds no longer: {error.message}", remedy=_ANEW) from error


def _require_approver(guardrails: Guardrails, run: Run) -> None:
    guardrails.require_approver(run.id, by=run.decided_by, requested_by=run.requested_by, ticket=run.ticket)

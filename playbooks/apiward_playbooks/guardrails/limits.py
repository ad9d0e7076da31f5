"""What the guardrails say about one plan, one approval, one moment. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Recommendation
from apiward_core.errors import GuardrailError
from apiward_playbooks.guardrails.document import ANY, AcceptedRisk, Budget, Document, Mode, Rule
from apiward_playbooks.guardrails.windows import freezes_at


@dataclass(frozen=True)
class Subject:
    """What is to be changed and for which finding. `tags` are those of the service that the resource belongs to."""

    finding_id: str
    recommendation: Recommendation
    resource: ArmId
    changed: tuple[ArmId, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Ruling:
    """The mode of a subject, the words that say where it comes from, and what forbids any change of it."""

    mode: Mode
    source: str
    forbidden: tuple[str, ...] = ()

    @property
    def blocks(self) -> str:
        """Why nothing may be made of a plan, "" when something may."""
        reported = (f"the mode is report by {self.source}",) if self.mode is Mode.REPORT else ()
        return "; ".join((*reported, *self.forbidden))


class Guardrails:
    """The limits of one reading of the file. `source` names it and its hash; `stopped` says which kill switch is on."""

    def __init__(self, document: Document, *, source: str, stopped: str = "") -> None:
        self._document = document
        self._source = source
        self._stopped = stopped

    @property
    def budget(self) -> Budget:
        """How many changes may be made."""
        return self._document.budget

    @property
    def needs_tags(self) -> bool:
        """Whether a ruling depends on the tags of the service."""
        return bool(self._document.protected.tags)

    def ruling(self, subject: Subject, now: datetime) -> Ruling:
        """The mode of a subject, and what forbids any change of it."""
        mode, source = self._mode(subject)
        return Ruling(mode, f"{source} of {self._source}", tuple(self._forbidden(subject, now)))

    def pauses(self, now: datetime) -> list[str]:
        """What forbids any change for the moment: kill switch and freeze windows."""
        frozen = [f"a freeze window is open: {window}" for window in freezes_at(self._document.freeze, now)]
        return ([self._stopped] if self._stopped else []) + frozen

    def require_not_stopped(self) -> None:
        """Nothing, when no kill switch is on. Raises GuardrailError otherwise."""
        if self._stopped:
            raise GuardrailError(f"Nothing is written: {self._stopped}.", remedy="Switch it off first.")

    def accepted(self, finding_id: str, recommendation: str, resource: ArmId, now: datetime) -> AcceptedRisk | None:
        """The accepted risk that covers a finding and has not expired, None when there is none."""
        today = now.astimezone(UTC).date()
        for risk in self._document.accepted_risks:
            if today <= risk.expires and _covers(risk, finding_id, recommendation, resource):
                return risk
        return None

    def require_approver(self, run_id: str, *, by: str, requested_by: str, ticket: str) -> None:
        """Nothing, when `by` may approve the run with this ticket. Raises GuardrailError otherwise."""
        approval = self._document.approval
        if approval.four_eyes and _same(by, requested_by):
            raise GuardrailError(
                f"{by} asked for run {run_id} and cannot approve it.", remedy="Let somebody else approve."
            )
        if approval.approvers and not any(_same(by, approver) for approver in approval.approvers):
            raise GuardrailError(
                f"{by} may not approve run {run_id}: the approvers of {self._source} do not include that name.",
                remedy=f"Ask {' or '.join(approval.approvers)}.",
            )
        if approval.ticket_pattern and not re.fullmatch(approval.ticket_pattern, ticket):
            given = f", not {ticket!r}" if ticket else ""
            raise GuardrailError(
                f"Run {run_id} needs a change ticket like {approval.ticket_pattern}{given}.",
                remedy="Give it with --ticket.",
            )

    def _mode(self, subject: Subject) -> tuple[Mode, str]:
        """The strictest of the most specific rules; of two, one is more specific when it is so in scope and in name."""
        fitting = [(number, rule) for number, rule in enumerate(self._document.rules, 1) if _fits(rule, subject)]
        best = [(n, rule) for n, rule in fitting if not any(_more_specific(other, rule) for _, other in fitting)]
        if not best:
            return _capped(self._document.default, subject, named=False), "the default"
        number, rule = min(best, key=lambda numbered: numbered[1].mode.freedom)
        return _capped(rule.mode, subject, named=rule.recommendation != ANY), f"rule {number}"

    def _forbidden(self, subject: Subject, now: datetime) -> list[str]:
        changed = (subject.resource, *subject.changed)
        protected = self._document.protected
        reasons = [
            f"{scope} is protected"
            for scope in protected.ids
            if any(resource.is_within(ArmId.parse(scope)) for resource in changed)
        ]
        reasons += [f"tag {tag} protects its service" for tag in _protecting(protected.tags, subject.tags)]
        if len(subject.changed) > self.budget.run:
            reasons.append(f"it needs {len(subject.changed)} changes, and a run may make {self.budget.run}")
        slug = subject.recommendation.slug
        if risk := self.accepted(subject.finding_id, slug, subject.resource, now):
            reasons.append(f"{risk.accepted_by} accepted the risk until {risk.expires}: {risk.reason}")
        return reasons


def _fits(rule: Rule, subject: Subject) -> bool:
    named = rule.recommendation in (ANY, subject.recommendation.slug)
    return named and (rule.scope is None or subject.resource.is_within(ArmId.parse(rule.scope)))


def _more_specific(one: Rule, other: Rule) -> bool:
    mine, theirs = _specificity(one), _specificity(other)
    return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))


def _specificity(rule: Rule) -> Sequence[int]:
    return (rule.scope.count("/") if rule.scope else 0, int(rule.recommendation != ANY))


def _capped(mode: Mode, subject: Subject, *, named: bool) -> Mode:
    """What the catalogue wants approved runs by itself only where a rule names it."""
    if mode is Mode.AUTOMATIC and subject.recommendation.remediation == "approval" and not named:
        return Mode.APPROVAL
    return mode


def _covers(risk: AcceptedRisk, finding_id: str, recommendation: str, resource: ArmId) -> bool:
    if risk.finding is not None:
        return risk.finding == finding_id
    return risk.recommendation == recommendation and resource.is_within(ArmId.parse(risk.scope or ""))


def _protecting(protected: Mapping[str, str], tags: Mapping[str, str]) -> list[str]:
    """Azure compares tag names without regard to case; to be safe, so do we their values."""
    present = {name.casefold(): value.casefold() for name, value in tags.items()}
    return [
        f"{name}={value}"
        for name, value in protected.items()
        if name.casefold() in present and (value == ANY or present[name.casefold()] == value.casefold())
    ]


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()

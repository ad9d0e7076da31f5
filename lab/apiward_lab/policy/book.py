"""What is assigned and exempted, and what follows from it for a resource."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from apiward_lab.policy.model import DISABLED, Member, PolicyAssignment, PolicyDefinition, PolicyExemption, PolicySet

_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


class Standing(Enum):
    """How a policy stands for a resource."""

    ON = "on"
    OFF = "off"
    EXEMPT = "exempt"


class Scoped(Protocol):
    """What is kept at a scope."""

    @property
    def scope(self) -> str: ...


E = TypeVar("E", bound=Scoped)


class PolicyBook:
    """Definitions, assignments and exemptions by their ids in lower case.

    `scopes_above` gives the ARM ids of the management groups that a scope is in.
    """

    def __init__(
        self,
        *,
        definitions: Sequence[PolicyDefinition],
        sets: Sequence[PolicySet],
        scopes_above: Callable[[str], Sequence[str]],
    ) -> None:
        self.definitions = {entry.definition_id.lower(): entry for entry in definitions}
        self.sets = {entry.definition_id.lower(): entry for entry in sets}
        self._scopes_above = scopes_above
        self._assignments: dict[str, PolicyAssignment] = {}
        self._exemptions: dict[str, PolicyExemption] = {}

    @property
    def assignments(self) -> Sequence[PolicyAssignment]:
        """All of them, ordered by id."""
        return [self._assignments[key] for key in sorted(self._assignments)]

    @property
    def exemptions(self) -> Sequence[PolicyExemption]:
        """All of them, those that have expired included, ordered by id."""
        return [self._exemptions[key] for key in sorted(self._exemptions)]

    def assignment(self, assignment_id: str) -> PolicyAssignment | None:
        """The assignment with this id."""
        return self._assignments.get(assignment_id.lower())

    def assign(self, assignment: PolicyAssignment) -> None:
        """Add or replace an assignment."""
        self._assignments[assignment.assignment_id.lower()] = assignment

    def unassign(self, assignment: PolicyAssignment) -> None:
        """Remove an assignment."""
        del self._assignments[assignment.assignment_id.lower()]

    def exemption(self, exemption_id: str) -> PolicyExemption | None:
        """The exemption with this id."""
        return self._exemptions.get(exemption_id.lower())

    def exempt(self, exemption: PolicyExemption) -> None:
        """Add or replace an exemption."""
        self._exemptions[exemption.exemption_id.lower()] = exemption

    def unexempt(self, exemption: PolicyExemption) -> None:
        """Remove an exemption."""
        del self._exemptions[exemption.exemption_id.lower()]

    def concerning(self, entries: Sequence[E], scope: str) -> list[E]:
        """Those at the scope, above it and below it, as lists without a filter give them."""
        here = scope.lower()
        return [entry for entry in entries if self.covers(entry.scope, here) or self.covers(here, entry.scope)]

    def covers(self, outer: str, inner: str) -> bool:
        """Whether `inner` is the scope `outer` or lies below it, management groups included."""
        above, below = outer.lower(), inner.lower()
        if below == above or below.startswith(above + "/"):
            return True
        return above.startswith(_MANAGEMENT_GROUP) and above in [group.lower() for group in self._scopes_above(below)]

    def judge(self, policy: str) -> Callable[[str, datetime], Standing]:
        """A function that tells how the policy with this name stands for the resource with an id, at a time.

        A policy is on while one assignment gives it another effect than Disabled; enforcement does not matter. It is
        exempt when each of those assignments exempts the resource. The function holds until something changes.
        """
        uses = [_Use(self, assignment, member) for assignment, member in self._uses(policy)]

        def standing(resource_id: str, now: datetime) -> Standing:
            reaching = [use for use in uses if use.reaches(resource_id)]
            if not reaching:
                return Standing.OFF
            return Standing.EXEMPT if all(use.exempts(resource_id, now) for use in reaching) else Standing.ON

        return standing

    def _uses(self, policy: str) -> Iterator[tuple[PolicyAssignment, Member]]:
        """Each assignment that has the policy evaluated, and by which member of its initiative."""
        for assignment in self.assignments:
            for member in self._members(assignment.definition_id):
                if member.policy.name == policy and assignment.effect_of(member) != DISABLED:
                    yield assignment, member

    def _members(self, definition_id: str) -> Sequence[Member]:
        """The policies of an initiative; a single policy is taken for an initiative of one."""
        if definition_id in self.definitions:
            return [Member("", self.definitions[definition_id], parameter="effect")]
        return self.sets[definition_id].members


class _Use:
    """One assignment of one policy."""

    def __init__(self, book: PolicyBook, assignment: PolicyAssignment, member: Member) -> None:
        self._covers = book.covers
        self._scope = assignment.scope
        self._excluded = list(assignment.properties.get("notScopes") or ())
        wanted = assignment.assignment_id.lower()
        self._exemptions = [
            entry
            for entry in book.exemptions
            if entry.properties["policyAssignmentId"].lower() == wanted and entry.concerns(member)
        ]

    def reaches(self, resource_id: str) -> bool:
        """Whether the resource is in the scope and not excluded."""
        excluded = any(self._covers(scope, resource_id) for scope in self._excluded)
        return not excluded and self._covers(self._scope, resource_id)

    def exempts(self, resource_id: str, now: datetime) -> bool:
        """Whether an exemption that counts is for the resource."""
        return any(entry.counts(now) and self._covers(entry.scope, resource_id) for entry in self._exemptions)

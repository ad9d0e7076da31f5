"""The state of access control: definitions, assignments, and the delay until a change is felt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apiward_lab.clock import VirtualClock
from apiward_lab.rbac.roles import BUILT_IN_ROLES, Permission, RoleDefinition

PROPAGATION = timedelta(minutes=5)


@dataclass(frozen=True)
class RoleAssignment:
    """One assignment. It counts from `effective` on, and until `ends` once it has been deleted (virtual times)."""

    name: str
    scope: str
    role_id: str
    principal_id: str
    created: datetime
    created_by: str
    effective: datetime
    principal_type: str = "ServicePrincipal"
    ends: datetime | None = None

    @property
    def assignment_id(self) -> str:
        """Its ARM id."""
        return f"{self.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{self.name}"

    def counts(self, now: datetime) -> bool:
        """Whether Azure enforces it at this time."""
        return self.effective <= now and (self.ends is None or now < self.ends)


def _none_above(_scope: str) -> Sequence[str]:
    return ()


class AccessControl:
    """Who may do what. A new or deleted assignment is felt `propagation` of virtual time later, as on Azure.

    `scopes_above` gives the management groups from which a scope inherits, which its ARM id does not tell.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        propagation: timedelta = PROPAGATION,
        scopes_above: Callable[[str], Sequence[str]] = _none_above,
    ) -> None:
        self._clock = clock
        self._propagation = propagation
        self._scopes_above = scopes_above
        self._definitions = {role.role_id: role for role in BUILT_IN_ROLES}
        self._assignments: list[RoleAssignment] = []

    def is_allowed(self, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether a role of the principal at the scope or above allows the action."""
        return any(role.allows(action, data=data) for role in self._roles_at(object_id, scope))

    def permissions_at(self, object_id: str, scope: str) -> Sequence[Permission]:
        """The permissions that the principal effectively has at the scope, one entry for each of its roles there."""
        return [permission for role in self._roles_at(object_id, scope) for permission in role.permissions]

    def has_any_role(self, object_id: str, scope: str) -> bool:
        """Whether the principal has a role at the scope, above it or anywhere below."""
        return any(
            assignment.principal_id == object_id
            and (self.reaches(assignment.scope, scope) or covers(scope, assignment.scope))
            for assignment in self._counting()
        )

    def roles_of(self, object_id: str) -> Sequence[tuple[str, RoleDefinition]]:
        """The roles that count for the principal now, each with the scope at which it was given."""
        return [
            (assignment.scope, self._definitions[assignment.role_id])
            for assignment in self._counting()
            if assignment.principal_id == object_id
        ]

    def reaches(self, outer: str, scope: str) -> bool:
        """Whether what is assigned at `outer` counts at `scope`, be it through management groups."""
        return covers(outer, scope) or any(covers(outer, group) for group in self._scopes_above(scope))

    def _roles_at(self, object_id: str, scope: str) -> Sequence[RoleDefinition]:
        return [role for assigned, role in self.roles_of(object_id) if self.reaches(assigned, scope)]

    def _counting(self) -> Sequence[RoleAssignment]:
        now = self._clock.now()
        return [assignment for assignment in self._assignments if assignment.counts(now)]

    @property
    def assignments(self) -> Sequence[RoleAssignment]:
        """The assignments that exist, those that are still to be felt included."""
        return [assignment for assignment in self._assignments if assignment.ends is None]

    @property
    def definitions(self) -> Sequence[RoleDefinition]:
        """Built-in and custom roles."""
        return list(self._definitions.values())

    def definition(self, role_id: str) -> RoleDefinition | None:
        """The role with this GUID."""
        return self._definitions.get(role_id.lower())

    def define(self, role: RoleDefinition) -> None:
        """Add or replace a custom role."""
        self._definitions[role.role_id] = role

    def undefine(self, role_id: str) -> None:
        """Remove a custom role; its past assignments stop counting at once."""
        self._definitions.pop(role_id)
        self._assignments = [kept for kept in self._assignments if kept.role_id != role_id]

    def assign(
        self, name: str, *, scope: str, role_id: str, principal_id: str, by: str, at_once: bool = False
    ) -> RoleAssignment:
        """Add an assignment. `at_once` is for what is there from the beginning."""
        now = self._clock.now()
        assignment = RoleAssignment(
            name=name,
            scope=scope,
            role_id=role_id,
            principal_id=principal_id,
            created=now,
            created_by=by,
            effective=now if at_once else now + self._propagation,
        )
        self._assignments.append(assignment)
        return assignment

    def unassign(self, assignment: RoleAssignment) -> None:
        """Delete an assignment."""
        self._assignments.remove(assignment)
        self._assignments.append(replace(assignment, ends=self._clock.now() + self._propagation))


def covers(outer: str, inner: str) -> bool:
    """Whether `inner` is the scope `outer` or lies below it."""
    above, below = outer.rstrip("/").lower(), inner.rstrip("/").lower()
    return below == above or below.startswith(above + "/")

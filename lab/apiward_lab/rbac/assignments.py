"""Handlers of role assignments."""

import re
import uuid
from collections.abc import Callable, Sequence

from apiward_lab.rbac.access import AccessControl, RoleAssignment, covers
from apiward_lab.web import Call, Json, Problem, Reply, timestamp

_FILTER = re.compile(r"(principalId eq|assignedTo\()\s*'(?P<principal>[^']+)'", re.IGNORECASE)


class AssignmentHandlers:
    """List, get, create and delete. `is_principal` tells whether the tenant has an object with this id."""

    def __init__(self, access: AccessControl, *, is_principal: Callable[[str], bool]) -> None:
        self._access = access
        self._is_principal = is_principal

    def list(self, call: Call) -> Reply:
        """Assignments at, above and below the scope; "atScope()" leaves out those below."""
        scope = scope_of(call)
        wanted = call.query.get("$filter", "")
        reaches, every = self._access.reaches, self._access.assignments
        found = [entry for entry in every if reaches(entry.scope, scope) or covers(scope, entry.scope)]
        if "atscope()" in wanted.lower():
            found = [entry for entry in found if reaches(entry.scope, scope)]
        if principal := _FILTER.search(wanted):
            found = [entry for entry in found if entry.principal_id == principal["principal"].lower()]
        return Reply(body={"value": [_body(entry) for entry in found]})

    def get(self, call: Call) -> Reply:
        """One assignment by name."""
        return Reply(body=_body(self._existing(call)))

    def put(self, call: Call) -> Reply:
        """Create. The same assignment under another name is a conflict; an existing one cannot be changed."""
        scope, name = scope_of(call), _guid(call.params["name"])
        properties = (call.json() or {}).get("properties") or {}
        principal_id = str(properties.get("principalId", "")).lower()
        role_id = self._role_id(properties, scope)
        if not self._is_principal(principal_id):
            raise Problem(
                400, "PrincipalNotFound", f"Principal {principal_id} does not exist in the directory of this tenant."
            )
        if known := self._named(scope, name):
            return self._unchanged(known, role_id, principal_id)
        if self._same(scope, role_id, principal_id):
            raise Problem(409, "RoleAssignmentExists", "The role assignment already exists.")
        by = call.principal.object_id if call.principal else ""
        created = self._access.assign(name, scope=scope, role_id=role_id, principal_id=principal_id, by=by)
        return Reply(201, _body(created))

    def delete(self, call: Call) -> Reply:
        """Delete; 204 when there was none."""
        known = self._named(scope_of(call), call.params["name"].lower())
        if known is None:
            return Reply(204)
        self._access.unassign(known)
        return Reply(200, _body(known))

    def _unchanged(self, known: RoleAssignment, role_id: str, principal_id: str) -> Reply:
        if (known.role_id, known.principal_id) != (role_id, principal_id):
            raise Problem(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        return Reply(200, _body(known))

    def _role_id(self, properties: Json, scope: str) -> str:
        role_id = str(properties.get("roleDefinitionId", "")).rstrip("/").rpartition("/")[2].lower()
        role = self._access.definition(role_id)
        if role is None or not any(covers(assignable, scope) for assignable in role.assignable_scopes):
            raise Problem(
                404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role_id}' does not exist."
            )
        return role_id

    def _existing(self, call: Call) -> RoleAssignment:
        known = self._named(scope_of(call), call.params["name"].lower())
        if known is None:
            raise Problem(404, "RoleAssignmentNotFound", f"The role assignment '{call.params['name']}' is not found.")
        return known

    def _named(self, scope: str, name: str) -> RoleAssignment | None:
        here = self._at(scope)
        return next((entry for entry in here if entry.name == name), None)

    def _same(self, scope: str, role_id: str, principal_id: str) -> bool:
        return any((entry.role_id, entry.principal_id) == (role_id, principal_id) for entry in self._at(scope))

    def _at(self, scope: str) -> Sequence[RoleAssignment]:
        return [entry for entry in self._access.assignments if entry.scope.lower() == scope.lower()]


def scope_of(call: Call) -> str:
    """The scope that the path names; "/" for the tenant."""
    return "/" + call.params.get("scope", "")


def _guid(name: str) -> str:
    try:
        return str(uuid.UUID(name))
    except ValueError as error:
        raise Problem(
            400,
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
        ) from error


def _body(entry: RoleAssignment) -> Json:
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{entry.role_id}"
    subscription = re.match(r"/subscriptions/[^/]+", entry.scope)
    created = timestamp(entry.created)
    return {
        "properties": {
            "roleDefinitionId": (subscription[0] if subscription else "") + definition,
            "principalId": entry.principal_id,
            "principalType": entry.principal_type,
            "scope": entry.scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": created,
            "updatedOn": created,
            "createdBy": entry.created_by,
            "updatedBy": entry.created_by,
            "delegatedManagedIdentityResourceId": None,
            "description": None,
        },
        "id": entry.assignment_id,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": entry.name,
    }

"""Handlers of role definitions."""

import re
from collections.abc import Sequence

from apiward_lab.rbac.access import AccessControl, covers
from apiward_lab.rbac.assignments import scope_of
from apiward_lab.rbac.roles import Permission, RoleDefinition
from apiward_lab.web import Call, Json, Problem, Reply

_FILTER = re.compile(r"(?P<field>roleName|type)\s+eq\s+'(?P<value>[^']*)'", re.IGNORECASE)


class DefinitionHandlers:
    """List, get, create and delete; the built-in ones cannot be changed."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def list(self, call: Call) -> Reply:
        """Roles that can be assigned at the scope; $filter knows roleName and type."""
        scope = scope_of(call)
        found = [role for role in self._access.definitions if _is_assignable(role, scope)]
        for condition in _FILTER.finditer(call.query.get("$filter", "")):
            field, value = condition["field"].lower(), condition["value"].lower()
            found = [role for role in found if (role.name if field == "rolename" else _type(role)).lower() == value]
        return Reply(body={"value": [_body(role, scope) for role in found]})

    def get(self, call: Call) -> Reply:
        """One role by its GUID."""
        role = self._access.definition(call.params["name"])
        if role is None or not _is_assignable(role, scope_of(call)):
            raise Problem(
                404,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{call.params['name']}' does not exist.",
            )
        return Reply(body=_body(role, scope_of(call)))

    def put(self, call: Call) -> Reply:
        """Create or replace a custom role."""
        role_id = call.params["name"].lower()
        known = self._access.definition(role_id)
        if known is not None and not known.is_custom:
            raise Problem(403, "RoleDefinitionUpdateNotPermitted", "Built-in roles cannot be changed.")
        role = _parse(role_id, (call.json() or {}).get("properties") or {})
        self._refuse_second_name(role)
        self._access.define(role)
        return Reply(201, _body(role, scope_of(call)))

    def delete(self, call: Call) -> Reply:
        """Delete a custom role that nobody holds; 204 when there was none."""
        role = self._access.definition(call.params["name"])
        if role is None:
            return Reply(204)
        if not role.is_custom:
            raise Problem(403, "RoleDefinitionDeleteNotPermitted", "Built-in roles cannot be deleted.")
        if any(entry.role_id == role.role_id for entry in self._access.assignments):
            raise Problem(
                400,
                "RoleDefinitionHasAssignments",
                f"There are existing role assignments referencing role (code: {role.role_id}).",
            )
        self._access.undefine(role.role_id)
        return Reply(200, _body(role, scope_of(call)))

    def _refuse_second_name(self, role: RoleDefinition) -> None:
        for other in self._access.definitions:
            if other.name.lower() == role.name.lower() and other.role_id != role.role_id:
                raise Problem(
                    409,
                    "RoleDefinitionWithSameNameExists",
                    f"A custom role with the same name already exists in this directory. Use a different name "
                    f"than '{role.name}'.",
                )


def _parse(role_id: str, properties: Json) -> RoleDefinition:
    name, scopes = properties.get("roleName"), properties.get("assignableScopes")
    if not name or not scopes:
        raise Problem(
            400, "InvalidRoleDefinition", "A custom role needs properties.roleName and properties.assignableScopes."
        )
    return RoleDefinition(
        role_id=role_id,
        name=name,
        description=properties.get("description") or "",
        permissions=[_permission(entry) for entry in properties.get("permissions") or ()],
        assignable_scopes=tuple(scopes),
        is_custom=True,
    )


def _permission(entry: Json) -> Permission:
    def patterns(field: str) -> Sequence[str]:
        return tuple(entry.get(field) or ())

    return Permission(patterns("actions"), patterns("notActions"), patterns("dataActions"), patterns("notDataActions"))


def _is_assignable(role: RoleDefinition, scope: str) -> bool:
    return any(covers(assignable, scope) for assignable in role.assignable_scopes)


def _type(role: RoleDefinition) -> str:
    return "CustomRole" if role.is_custom else "BuiltInRole"


def _body(role: RoleDefinition, scope: str) -> Json:
    subscription = re.match(r"/subscriptions/[^/]+", scope)
    return {
        "properties": {
            "roleName": role.name,
            "type": _type(role),
            "description": role.description,
            "assignableScopes": list(role.assignable_scopes),
            "permissions": [permission.body() for permission in role.permissions],
        },
        "id": (subscription[0] if subscription else "")
        + f"/providers/Microsoft.Authorization/roleDefinitions/{role.role_id}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.role_id,
    }

"""Routes of Microsoft.Authorization at api-version 2022-04-01."""

from collections.abc import Callable, Sequence
from typing import Protocol

from apiward_lab.rbac.access import AccessControl
from apiward_lab.rbac.assignments import AssignmentHandlers
from apiward_lab.rbac.definitions import DefinitionHandlers
from apiward_lab.web import Call, Problem, Reply, Route

_VERSIONS = ("2022-04-01",)
_ROOT = "/providers/Microsoft.Authorization"


class Authorization:
    """Role definitions, role assignments and effective permissions at any scope."""

    def __init__(self, access: AccessControl, *, is_principal: Callable[[str], bool]) -> None:
        self._access = access
        self._assignments = AssignmentHandlers(access, is_principal=is_principal)
        self._definitions = DefinitionHandlers(access)

    @property
    def routes(self) -> Sequence[Route]:
        """The operations, each guarded by the action that Microsoft publishes for it."""
        return [
            *_crud("roleAssignments", self._assignments),
            *_crud("roleDefinitions", self._definitions),
            Route("GET", f"/{{scope:path}}{_ROOT}/permissions", self._permissions, _VERSIONS),
        ]

    def _permissions(self, call: Call) -> Reply:
        if call.principal is None:
            raise Problem(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        granted = self._access.permissions_at(call.principal.object_id, "/" + call.params["scope"])
        return Reply(body={"value": [permission.body() for permission in granted]})


class _Handlers(Protocol):
    """The four operations that both kinds of entity have."""

    def list(self, call: Call) -> Reply:
        """All that concern the scope."""

    def get(self, call: Call) -> Reply:
        """One."""

    def put(self, call: Call) -> Reply:
        """Create one."""

    def delete(self, call: Call) -> Reply:
        """Delete one."""


def _crud(kind: str, handlers: _Handlers) -> Sequence[Route]:
    action = f"Microsoft.Authorization/{kind}"
    routes = []
    for scope in ("", "/{scope:path}"):
        many, one = f"{scope}{_ROOT}/{kind}", f"{scope}{_ROOT}/{kind}/{{name}}"
        routes += [
            Route("GET", many, handlers.list, _VERSIONS, action=f"{action}/read"),
            Route("GET", one, handlers.get, _VERSIONS, action=f"{action}/read"),
            Route("PUT", one, handlers.put, _VERSIONS, action=f"{action}/write"),
            Route("DELETE", one, handlers.delete, _VERSIONS, action=f"{action}/delete"),
        ]
    return routes

"""Handlers of policy assignments (2023-04-01)."""

from collections.abc import Mapping
from typing import Any

from apiward_lab.paging import page
from apiward_lab.policy.book import PolicyBook
from apiward_lab.policy.lists import at_scope, equals, properties_in, scope_of
from apiward_lab.policy.model import PolicyAssignment
from apiward_lab.web import Call, Json, Problem, Reply

_MODES = ("Default", "DoNotEnforce")
_WRITABLE = (
    "displayName",
    "description",
    "metadata",
    "policyDefinitionId",
    "definitionVersion",
    "notScopes",
    "parameters",
    "enforcementMode",
    "nonComplianceMessages",
    "resourceSelectors",
    "overrides",
)


class AssignmentHandlers:
    """List, get, create and delete. `page_size` is how many a page of a list holds."""

    def __init__(self, book: PolicyBook, *, page_size: int) -> None:
        self._book = book
        self._page_size = page_size

    def list(self, call: Call) -> Reply:
        """The assignments at the scope, those inherited from above it, and without a filter those below it."""
        found = at_scope(self._book, self._book.assignments, call)
        if wanted := equals(call, "policyDefinitionId"):
            found = [entry for entry in found if entry.definition_id == wanted]
        return Reply(body=page(call, found, _body, size=self._page_size))

    def get(self, call: Call) -> Reply:
        """One assignment."""
        known = self._find(call)
        if known is None:
            name, scope = call.params["name"], scope_of(call)
            message = f"The policy assignment '{name}' is not found at scope '{scope}'."
            raise Problem(404, "PolicyAssignmentNotFound", message)
        return Reply(body=_body(known))

    def put(self, call: Call) -> Reply:
        """Create or replace."""
        kept = properties_in(call, _WRITABLE)
        self._check(kept)
        assignment = PolicyAssignment(scope_of(call), call.params["name"], {**_DEFAULTS, **kept})
        self._book.assign(assignment)
        return Reply(201, _body(assignment))

    def delete(self, call: Call) -> Reply:
        """Delete; 204 when there was none."""
        known = self._find(call)
        if known is None:
            return Reply(204)
        self._book.unassign(known)
        return Reply(200, _body(known))

    def _find(self, call: Call) -> PolicyAssignment | None:
        return self._book.assignment(PolicyAssignment(scope_of(call), call.params["name"]).assignment_id)

    def _check(self, properties: Mapping[str, Any]) -> None:
        wanted = str(properties.get("policyDefinitionId", "")).lower()
        if wanted not in self._book.sets and wanted not in self._book.definitions:
            raise Problem(404, "PolicyDefinitionNotFound", f"The policy definition '{wanted}' could not be found.")
        if properties.get("enforcementMode", "Default") not in _MODES:
            raise Problem(400, "InvalidRequestContent", f"enforcementMode must be one of {', '.join(_MODES)}.")
        undefined = set(properties.get("parameters") or ()) - self._parameters(wanted)
        if undefined:
            raise Problem(
                400, "UndefinedPolicyParameter", f"The policy does not define the parameters {sorted(undefined)}."
            )

    def _parameters(self, definition_id: str) -> set[str]:
        if definition_id in self._book.definitions:
            return {"effect"}
        return {member.parameter for member in self._book.sets[definition_id].members if member.parameter}


_DEFAULTS: Mapping[str, Any] = {"notScopes": [], "enforcementMode": "Default"}


def _body(assignment: PolicyAssignment) -> Json:
    return {
        "properties": {**assignment.properties, "scope": assignment.scope},
        "id": assignment.assignment_id,
        "type": "Microsoft.Authorization/policyAssignments",
        "name": assignment.name,
    }

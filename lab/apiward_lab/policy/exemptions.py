"""Handlers of policy exemptions (2022-07-01-preview)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.paging import page
from apiward_lab.policy.book import PolicyBook
from apiward_lab.policy.lists import at_scope, equals, properties_in, scope_of
from apiward_lab.policy.model import PROVIDER, PolicyExemption
from apiward_lab.web import Call, Json, Problem, Reply, timestamp

_CATEGORIES = ("Waiver", "Mitigated")
_WRITABLE = (
    "policyAssignmentId",
    "policyDefinitionReferenceIds",
    "exemptionCategory",
    "expiresOn",
    "displayName",
    "description",
    "metadata",
    "assignmentScopeValidation",
)


class ExemptionHandlers:
    """List, get, create and delete. `page_size` is how many a page of a list holds."""

    def __init__(self, book: PolicyBook, clock: VirtualClock, *, page_size: int) -> None:
        self._book = book
        self._clock = clock
        self._page_size = page_size

    def list(self, call: Call) -> Reply:
        """The exemptions at the scope and above it, and without a filter those below it."""
        found = at_scope(self._book, self._book.exemptions, call)
        if wanted := equals(call, "policyAssignmentId"):
            found = [entry for entry in found if entry.properties["policyAssignmentId"].lower() == wanted]
        if call.query.get("$filter", "").lower() == "excludeexpired()":
            found = [entry for entry in found if entry.counts(self._clock.now())]
        return Reply(body=page(call, found, _body, size=self._page_size))

    def get(self, call: Call) -> Reply:
        """One exemption."""
        known = self._find(call)
        if known is None:
            name, scope = call.params["name"], scope_of(call)
            message = f"The policy exemption '{name}' is not found at scope '{scope}'."
            raise Problem(404, "PolicyExemptionNotFound", message)
        return Reply(body=_body(known))

    def put(self, call: Call) -> Reply:
        """Create or replace; the scope must be that of the assignment or below it."""
        kept = properties_in(call, _WRITABLE)
        scope, known, now = scope_of(call), self._find(call), self._clock.now()
        self._check(kept, scope)
        exemption = PolicyExemption(scope, call.params["name"], kept, known.created if known else now, changed=now)
        self._book.exempt(exemption)
        return Reply(200 if known else 201, _body(exemption))

    def delete(self, call: Call) -> Reply:
        """Delete; 204 when there was none."""
        known = self._find(call)
        if known is None:
            return Reply(204)
        self._book.unexempt(known)
        return Reply(200)

    def _find(self, call: Call) -> PolicyExemption | None:
        return self._book.exemption(f"{scope_of(call)}{PROVIDER}/policyExemptions/{call.params['name']}")

    def _check(self, properties: Mapping[str, Any], scope: str) -> None:
        assigned = self._book.assignment(str(properties.get("policyAssignmentId", "")))
        if assigned is None:
            raise _invalid("policyAssignmentId is not the id of a policy assignment.")
        if properties.get("exemptionCategory") not in _CATEGORIES:
            raise _invalid(f"exemptionCategory must be one of {', '.join(_CATEGORIES)}.")
        validates = properties.get("assignmentScopeValidation", "Default") == "Default"
        if validates and not self._book.covers(assigned.scope, scope):
            raise _invalid(f"The exemption must be at the scope '{assigned.scope}' of the assignment or below it.")
        if (expires := properties.get("expiresOn")) is not None and not _is_moment(expires):
            raise _invalid("expiresOn must be a time in UTC such as 2026-01-31T00:00:00Z.")


def _is_moment(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _invalid(message: str) -> Problem:
    return Problem(400, "InvalidCreatePolicyExemptionRequest", message)


def _body(exemption: PolicyExemption) -> Json:
    return {
        "properties": dict(exemption.properties),
        "systemData": {
            "createdAt": timestamp(exemption.created),
            "lastModifiedAt": timestamp(exemption.changed),
        },
        "id": exemption.exemption_id,
        "type": "Microsoft.Authorization/policyExemptions",
        "name": exemption.name,
    }

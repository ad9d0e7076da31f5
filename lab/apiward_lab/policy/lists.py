"""What the handlers of Azure Policy share: their scopes, filters and bodies."""

import re
from collections.abc import Sequence
from typing import Any

from apiward_lab.policy.book import E, PolicyBook
from apiward_lab.web import Call, Problem

_EQUALS = re.compile(r"\s*(?P<field>\w+)\s+eq\s+'(?P<value>[^']*)'\s*", re.IGNORECASE)


def scope_of(call: Call) -> str:
    """The scope that the path names; "" for the tenant."""
    scope = call.params.get("scope", "")
    return f"/{scope}" if scope else ""


def at_scope(book: PolicyBook, entries: Sequence[E], call: Call) -> list[E]:
    """The entries that concern the scope of the call, cut down by atScope() or atExactScope()."""
    scope, condition = scope_of(call), call.query.get("$filter", "").lower()
    found = book.concerning(entries, scope)
    if "atexactscope()" in condition:
        return [entry for entry in found if entry.scope.lower() == scope.lower()]
    if "atscope()" in condition:
        return [entry for entry in found if book.covers(entry.scope, scope)]
    return found


def equals(call: Call, field: str) -> str | None:
    """The value that the filter asks of a field, in lower case; None when it asks for no such thing.

    Raises Problem 400 for a filter that is not understood.
    """
    condition = call.query.get("$filter", "")
    if not condition or "scope()" in condition.lower() or condition.lower() == "excludeexpired()":
        return None
    match = _EQUALS.fullmatch(condition)
    if match is None or match["field"].lower() != field.lower():
        raise Problem(
            400, "InvalidFilterInQueryString", f"Invalid $filter '{condition}' specified in the query string."
        )
    return match["value"].lower()


def properties_in(call: Call, names: Sequence[str]) -> dict[str, Any]:
    """The properties of these names in the body, but for nulls. Raises Problem 400 when it holds no properties."""
    sent = call.json()
    properties = sent.get("properties") if isinstance(sent, dict) else None
    if not isinstance(properties, dict):
        raise Problem(400, "InvalidRequestContent", "The body must hold an object named properties.")
    return {name: properties[name] for name in names if properties.get(name) is not None}

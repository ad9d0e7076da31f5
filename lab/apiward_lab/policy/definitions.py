"""Handlers of policy definitions and policy set definitions (2023-04-01), which are read only."""

from collections.abc import Mapping, Sequence
from typing import Any

from apiward_lab.paging import page
from apiward_lab.policy.book import PolicyBook
from apiward_lab.policy.lists import equals, scope_of
from apiward_lab.policy.model import PROVIDER, Member, PolicyDefinition, PolicySet
from apiward_lab.web import Call, Json, Problem, Reply

Entry = PolicyDefinition | PolicySet


class DefinitionHandlers:
    """Get and list the definitions of one kind: `table` by id in lower case, `kind` as in an id."""

    def __init__(self, book: PolicyBook, table: Mapping[str, Entry], kind: str, *, page_size: int) -> None:
        self._book = book
        self._table = table
        self._kind = kind
        self._page_size = page_size

    def get(self, call: Call) -> Reply:
        """One definition, at the very scope where it is kept."""
        name = call.params["name"]
        found = self._table.get(f"{scope_of(call)}{PROVIDER}/{self._kind}/{name}".lower())
        if found is None:
            what = "set definition" if self._kind == "policySetDefinitions" else "definition"
            code = f"Policy{what.title().replace(' ', '')}NotFound"
            raise Problem(404, code, f"The policy {what} '{name}' could not be found.")
        return Reply(body=_body(found))

    def list(self, call: Call) -> Reply:
        """The built-in ones and those that can be assigned at the scope; $filter knows policyType."""
        scope, wanted = scope_of(call), equals(call, "policyType")
        found = [entry for entry in self._table.values() if self._is_known_at(entry, scope)]
        if wanted:
            found = [entry for entry in found if _type(entry).lower() == wanted]
        return Reply(body=page(call, found, _body, size=self._page_size))

    def _is_known_at(self, entry: Entry, scope: str) -> bool:
        return not _scope(entry) or self._book.covers(_scope(entry), scope)


def _scope(entry: Entry) -> str:
    return entry.scope if isinstance(entry, PolicySet) else ""


def _type(entry: Entry) -> str:
    return "Custom" if _scope(entry) else "BuiltIn"


def _body(entry: Entry) -> Json:
    kind = "policySetDefinitions" if isinstance(entry, PolicySet) else "policyDefinitions"
    content = _set(entry) if isinstance(entry, PolicySet) else _definition(entry)
    return {
        "properties": {"displayName": entry.display_name, "policyType": _type(entry), **content},
        "id": entry.definition_id,
        "type": f"Microsoft.Authorization/{kind}",
        "name": entry.name,
    }


def _definition(entry: PolicyDefinition) -> Json:
    """Without the condition of the rule: the lab judges by rules of its own."""
    return {
        "mode": "All",
        "policyRule": {"then": {"effect": "[parameters('effect')]"}},
        "parameters": {"effect": _parameter(entry.effects)},
    }


def _set(entry: PolicySet) -> Json:
    parameters = {member.parameter: _parameter(member.policy.effects) for member in entry.members if member.parameter}
    return {"parameters": parameters, "policyDefinitions": [_reference(member) for member in entry.members]}


def _reference(member: Member) -> Json:
    reference: dict[str, Any] = {
        "policyDefinitionId": member.policy.definition_id,
        "policyDefinitionReferenceId": member.reference_id,
    }
    if member.parameter:
        reference["parameters"] = {"effect": {"value": f"[parameters('{member.parameter}')]"}}
    return reference


def _parameter(effects: Sequence[str]) -> Json:
    return {"type": "String", "allowedValues": list(effects), "defaultValue": effects[0]}

"""Azure Policy as it applies to one subscription: what is assigned, and what the assigned definitions hold.

Microsoft.Authorization policyAssignments, policySetDefinitions and policyDefinitions, 2023-04-01.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apiward_connector.existence import Once
from apiward_connector.policies import Assignment, Initiative, Override, Reference, Rule
from apiward_connector.rest import member, text, texts
from apiward_connector.sources.arm_pages import Arm, arm_pages
from apiward_core.arm_id import ArmId
from apiward_core.errors import MissingError, RejectedDataError

_API_VERSION = "2023-04-01"
_PROVIDER = "/providers/Microsoft.Authorization"
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"
_BUILT_IN = re.compile(r"/providers/microsoft\.authorization/policy(set)?definitions/[^/\\?#%\s]+")


class PolicySource:
    """Reads assignments and definitions; made for one run, because it remembers lists of custom definitions."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._custom = Once[tuple[str, str], Mapping[str, Any]](self._list_custom)

    def assignments(self, subscription_id: str) -> tuple[Assignment, ...]:
        """The assignments at a subscription, at the management groups above it and at what is in it.

        Raises the errors of `apiward_core.errors`.
        """
        path = f"/subscriptions/{subscription_id}{_PROVIDER}/policyAssignments"
        return tuple(_assignment(raw) for page in arm_pages(self._arm, path, api_version=_API_VERSION) for raw in page)

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        """The policy set definition with that id, as the subscription sees it. Raises `apiward_core.errors`."""
        return _initiative(self._definition(definition_id, subscription_id), definition_id)

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        """The policy definition with that id, as the subscription sees it. Raises `apiward_core.errors`."""
        return _rule(self._definition(definition_id, subscription_id))

    def _definition(self, definition_id: str, subscription_id: str) -> Any:
        wanted = definition_id.lower()
        if not wanted.startswith(_MANAGEMENT_GROUP):
            path = wanted if _BUILT_IN.fullmatch(wanted) else ArmId.parse(wanted).text
            return self._arm.get(path, api_version=_API_VERSION)
        kind = wanted.rpartition("/")[0].rpartition("/")[2]
        found = self._custom((kind, subscription_id)).get(wanted)
        if found is None:
            raise MissingError(
                f"{definition_id} is not among the definitions of subscription {subscription_id}.",
                remedy="Run again; see in the portal whether it still exists.",
            )
        return found

    def _list_custom(self, key: tuple[str, str]) -> Mapping[str, Any]:
        """Those of management groups come with the subscription's list, for which no role above it is needed."""
        kind, subscription_id = key
        path = f"/subscriptions/{subscription_id}{_PROVIDER}/{kind}"
        only_custom = {"$filter": "policyType eq 'Custom'"}
        pages = arm_pages(self._arm, path, api_version=_API_VERSION, **only_custom)
        return {text(raw, "id").lower(): raw for page in pages for raw in page}


def _assignment(raw: Any) -> Assignment:
    properties = member(raw, "properties")
    if not (text(raw, "id") and text(properties, "policyDefinitionId")):  # it may be the one that is asked about
        raise RejectedDataError(
            f"A policy assignment is listed without id or policyDefinitionId: {text(raw, 'id') or 'no id'}.",
            remedy="Run again; see in the portal what is assigned.",
        )
    return Assignment(
        id=text(raw, "id"),
        scope=text(raw, "id").lower().rpartition("/providers/microsoft.authorization/")[0],
        excluded=tuple(scope.lower().rstrip("/") for scope in texts(properties, "notScopes")),
        definition_id=text(properties, "policyDefinitionId").lower(),
        parameters=_values(member(properties, "parameters")),
        overrides=tuple(_override(item) for item in _objects(member(properties, "overrides"))),
        selects=bool(member(properties, "resourceSelectors")),
    )


def _override(raw: Any) -> Override:
    selectors = list(_objects(member(raw, "selectors")))
    by_reference = [item for item in selectors if text(item, "kind").lower() == "policydefinitionreferenceid"]
    return Override(
        effect=text(raw, "value") if text(raw, "kind").lower() == "policyeffect" else "",
        only=tuple(frozenset(map(str.lower, texts(item, "in"))) for item in by_reference if texts(item, "in")),
        never=frozenset(name.lower() for item in by_reference for name in texts(item, "notIn")),
        conditional=len(by_reference) < len(selectors),
    )


def _initiative(raw: Any, definition_id: str) -> Initiative:
    properties = member(raw, "properties")
    declared, listed = member(properties, "parameters"), member(properties, "policyDefinitions")
    if not isinstance(listed, list):  # one without policies would seem to evaluate none
        raise RejectedDataError(
            f"The answer for {definition_id} is no policy set definition: it lacks the list `policyDefinitions`.",
            remedy="Run again; check that arm_endpoint is Azure Resource Manager.",
        )
    return Initiative(
        references=tuple(
            Reference(
                id=text(item, "policyDefinitionReferenceId").lower(),
                definition_id=text(item, "policyDefinitionId").lower(),
                parameters=_values(member(item, "parameters")),
            )
            for item in _objects(listed)
        ),
        defaults=_defaults(declared),
    )


def _rule(raw: Any) -> Rule:
    properties = member(raw, "properties")
    return Rule(
        effect=member(properties, "policyRule", "then", "effect"),
        defaults=_defaults(member(properties, "parameters")),
    )


def _values(parameters: Any) -> Mapping[str, Any]:
    return _each(parameters, "value")


def _defaults(parameters: Any) -> Mapping[str, Any]:
    return _each(parameters, "defaultValue")


def _each(parameters: Any, what: str) -> Mapping[str, Any]:
    found = parameters.items() if isinstance(parameters, dict) else ()
    return {name.lower(): member(entry, what) for name, entry in found if member(entry, what) is not None}


def _objects(value: Any) -> Iterable[Any]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()

"""Whether Azure Policy evaluates a policy for a resource. The arithmetic is pure, but for `Policies`, which reads."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from apiward_connector.existence import Once
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError

_BUILT_IN = "/providers/microsoft.authorization/policydefinitions/"
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"
_TENANT = "/providers/microsoft.authorization/"
_DISABLED = "disabled"
_PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Override:
    """Another effect for some policies of an initiative: those in each set of `only`, without those of `never`.

    `effect` is "" for an override of something else. `conditional` when it also depends on the resource.
    """

    effect: str
    only: tuple[frozenset[str], ...] = ()
    never: frozenset[str] = frozenset()
    conditional: bool = False

    def concerns(self, reference_id: str) -> bool:
        """Whether it is for the policy that an initiative knows by this reference id, in lower case."""
        chosen = all(reference_id in names for names in self.only)
        return bool(self.effect) and chosen and reference_id not in self.never


@dataclass(frozen=True, slots=True)
class Assignment:
    """One policy assignment; scopes, definition id and names of parameters are in lower case.

    `selects` when its resource selectors narrow down the resources that it is for.
    """

    id: str
    scope: str
    definition_id: str
    excluded: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    selects: bool = False

    def reaches(self, resource: ArmId) -> bool:
        """Whether `resource` is in its scope and in none that it excludes.

        An assignment of a management group is only known because the resource's subscription is below that group.
        """
        in_scope = self.scope.startswith(_MANAGEMENT_GROUP) or _is_within(resource.key, self.scope)
        return in_scope and not any(_is_within(resource.key, excluded) for excluded in self.excluded)

    @property
    def conditional(self) -> bool:
        """Whether it may leave out resources in a way that cannot be told from the resource's id."""
        return self.selects or any(excluded.startswith(_MANAGEMENT_GROUP) for excluded in self.excluded)


@dataclass(frozen=True, slots=True)
class Reference:
    """One policy of an initiative, and the parameters that the initiative gives to it."""

    id: str
    definition_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Initiative:
    """A policy set definition: its policies, and the defaults of its own parameters."""

    references: tuple[Reference, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy definition: the effect as its rule spells it, and the defaults of its parameters."""

    effect: Any
    defaults: Mapping[str, Any] = field(default_factory=dict)


class PolicyReader(Protocol):
    """Where assignments and definitions come from. Each method raises the errors of `apiward_core.errors`."""

    def assignments(self, subscription_id: str) -> tuple[Assignment, ...]:
        """Every assignment at a subscription, above it and in it."""
        ...

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        """A policy set definition, as the subscription sees it."""
        ...

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        """A policy definition, as the subscription sees it."""
        ...


class Policies:
    """Answers for one run whether a policy is evaluated, and reads each list and each definition once."""

    def __init__(self, reader: PolicyReader) -> None:
        self._assignments = Once(reader.assignments)
        self._initiatives = Once[tuple[str, str], Initiative](lambda key: reader.initiative(*key))
        self._rules = Once[tuple[str, str], Rule](lambda key: reader.rule(*key))
        self._effects = Once[tuple[str, int, str], tuple[str | None, ...]](self._find_effects)

    def is_off(self, policy: str, resource: ArmId) -> bool:
        """Whether no assignment makes Azure Policy evaluate `policy`, a definition's name or id, for `resource`.

        Where several are for it, the most active effect counts (Defender for Cloud, "Manage security policies"). The
        enforcement mode does not matter: without enforcement a policy is evaluated all the same (Azure Policy,
        "Disabled effect"). Raises the errors of `apiward_core.errors`, RejectedDataError when it cannot be told.
        """
        wanted = policy.lower() if "/" in policy else _BUILT_IN + policy.lower()
        subscription, doubtful = resource.subscription_id, ""
        for position, assignment in enumerate(self._assignments(subscription)):
            if not assignment.reaches(resource):
                continue
            active = set(self._effects((subscription, position, wanted))) - {_DISABLED}
            if active - {None} and not assignment.conditional:
                return False
            doubtful = assignment.id if active else doubtful
        if doubtful:
            raise RejectedDataError(
                f"Whether {doubtful} evaluates {wanted} for {resource} depends on more than its scopes and parameters.",
                remedy="See in the portal whether the policy is evaluated there.",
            )
        return True

    def _find_effects(self, key: tuple[str, int, str]) -> tuple[str | None, ...]:
        """The effects, in lower case, that an assignment gives to a policy; None stands for one that is not known."""
        subscription, position, wanted = key
        assignment = self._assignments(subscription)[position]
        if assignment.definition_id == wanted:
            rule = self._rules(_as_seen(wanted, subscription))
            return (_effect(assignment, "", rule, assignment.parameters),)
        if "/policysetdefinitions/" not in assignment.definition_id:
            return ()
        initiative = self._initiatives(_as_seen(assignment.definition_id, subscription))
        return tuple(
            _effect(assignment, reference.id, self._rules(_as_seen(wanted, subscription)), given)
            for reference, given in _parameters(assignment, initiative)
            if reference.definition_id == wanted
        )


def _as_seen(definition_id: str, subscription_id: str) -> tuple[str, str]:
    """What a definition is asked by: a built-in one is the same for every subscription."""
    return definition_id, "" if definition_id.startswith(_TENANT) else subscription_id


def _parameters(assignment: Assignment, initiative: Initiative) -> Iterator[tuple[Reference, Mapping[str, Any]]]:
    """Each policy of an initiative with the values that its parameters have under the assignment."""
    for reference in initiative.references:
        named = reference.parameters.items()
        yield reference, {name: _value(it, assignment.parameters, initiative.defaults) for name, it in named}


def _effect(assignment: Assignment, reference_id: str, rule: Rule, given: Mapping[str, Any]) -> str | None:
    overrides = [override for override in assignment.overrides if override.concerns(reference_id)]
    if overrides:
        effects = {override.effect.lower() for override in overrides}
        return effects.pop() if len(effects) == 1 and not any(it.conditional for it in overrides) else None
    effect = _value(rule.effect, given, rule.defaults)
    return effect.lower() if isinstance(effect, str) else None


def _value(spelled: Any, *given: Mapping[str, Any]) -> Any:
    """What `spelled` amounts to: itself, or the value of the parameter that it names; None when it is not known."""
    if not isinstance(spelled, str) or not spelled.startswith("["):
        return spelled
    parameter = _PARAMETER.fullmatch(spelled)
    name = parameter[1].lower() if parameter else ""
    return next((values[name] for values in given if name in values), None)


def _is_within(key: str, scope: str) -> bool:
    return key == scope or key.startswith(scope + "/")

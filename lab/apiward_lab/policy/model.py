"""What Azure Policy keeps: definitions, initiatives, assignments and exemptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apiward_lab.web import Json

PROVIDER = "/providers/Microsoft.Authorization"
DISABLED = "disabled"


@dataclass(frozen=True)
class PolicyDefinition:
    """A built-in policy with one parameter, its effect. `name` is a GUID; the first of `effects` is the default."""

    name: str
    display_name: str
    effects: Sequence[str]

    @property
    def definition_id(self) -> str:
        """Its ARM id."""
        return f"{PROVIDER}/policyDefinitions/{self.name}"


@dataclass(frozen=True)
class Member:
    """One policy of an initiative. `parameter` is the initiative's one for its effect, "" where it has none."""

    reference_id: str
    policy: PolicyDefinition
    parameter: str = ""


@dataclass(frozen=True)
class PolicySet:
    """An initiative. `scope` is where a custom one is kept, "" for a built-in one."""

    name: str
    display_name: str
    members: Sequence[Member]
    scope: str = ""

    @property
    def definition_id(self) -> str:
        """Its ARM id."""
        return f"{self.scope}{PROVIDER}/policySetDefinitions/{self.name}"


@dataclass(frozen=True)
class PolicyAssignment:
    """One assignment; `properties` are those of the REST API (2023-04-01), its scope is not among them."""

    scope: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def assignment_id(self) -> str:
        """Its ARM id."""
        return f"{self.scope}{PROVIDER}/policyAssignments/{self.name}"

    @property
    def definition_id(self) -> str:
        """What it assigns, in lower case."""
        return str(self.properties["policyDefinitionId"]).lower()

    def effect_of(self, member: Member) -> str:
        """The effect that it gives to a policy of its initiative, in lower case.

        An override of the effect comes before the parameter, and that before the initiative's default.
        """
        for override in self.properties.get("overrides") or ():
            if override["kind"] == "policyEffect" and _selects(override.get("selectors") or (), member.reference_id):
                return str(override["value"]).lower()
        given: Json = (self.properties.get("parameters") or {}).get(member.parameter) or {}
        return str(given.get("value", member.policy.effects[0])).lower()


@dataclass(frozen=True)
class PolicyExemption:
    """One exemption; `properties` are those of the REST API (2022-07-01-preview)."""

    scope: str
    name: str
    properties: Mapping[str, Any]
    created: datetime
    changed: datetime

    @property
    def exemption_id(self) -> str:
        """Its ARM id."""
        return f"{self.scope}{PROVIDER}/policyExemptions/{self.name}"

    def counts(self, now: datetime) -> bool:
        """Whether it has not expired."""
        expires = self.properties.get("expiresOn")
        return expires is None or now < datetime.fromisoformat(expires)

    def concerns(self, member: Member) -> bool:
        """Whether it is for this policy of the initiative; without reference ids it is for all."""
        named = self.properties.get("policyDefinitionReferenceIds") or ()
        return not named or member.reference_id.lower() in {name.lower() for name in named}


def _selects(selectors: Sequence[Json], reference_id: str) -> bool:
    """Whether all selectors let the policy through; the lab knows those by reference id."""
    wanted = reference_id.lower()
    for selector in selectors:
        chosen = [name.lower() for name in selector.get("in") or ()]
        if (chosen and wanted not in chosen) or wanted in [name.lower() for name in selector.get("notIn") or ()]:
            return False
    return True

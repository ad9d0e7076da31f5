"""Whether a policy is evaluated for a resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from apiward_connector.policies import Assignment, Initiative, Override, Policies, Reference, Rule
from apiward_core.arm_id import ArmId
from apiward_core.errors import AccessError, RejectedDataError
from tests.unit.connector.samples import SCOPE, SERVICE

BUILT_IN = "/providers/microsoft.authorization"
GUID = "ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
POLICY = f"{BUILT_IN}/policydefinitions/{GUID}"
OTHER = f"{BUILT_IN}/policydefinitions/0"
BENCHMARK = f"{BUILT_IN}/policysetdefinitions/benchmark"
GROUP = "/providers/microsoft.management/managementgroups/contoso"
API = ArmId.read(f"{SERVICE}/apis/echo".lower())
RESOURCE_GROUP = SERVICE.partition("/providers/")[0].lower()
WHOLE = Assignment("whole", SCOPE, BENCHMARK)
DIRECT = Assignment("direct", SCOPE, POLICY)
EFFECT = "[parameters('EncryptedEffect')]"
OFF = Override("Disabled", only=(frozenset({"encrypted"}),))


def initiative(**parameters: Any) -> Initiative:
    """Two policies; the encrypted one is given these parameters."""
    references = (Reference("first", OTHER), Reference("encrypted", POLICY, parameters))
    return Initiative(references, defaults={"encryptedeffect": "Audit", "offbydefault": "Disabled"})


@dataclass
class Tenant:
    """One subscription's policies; each read is counted."""

    assigned: tuple[Assignment, ...]
    benchmark: Initiative = field(default_factory=initiative)
    reads: list[str] = field(default_factory=list)

    def assignments(self, subscription_id: str) -> tuple[Assignment, ...]:
        self.reads.append("assignments")
        return self.assigned

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        self.reads.append(definition_id)
        return self.benchmark

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        self.reads.append(definition_id)
        return Rule("[parameters('effect')]", {"effect": "Audit"})


def is_off(*assigned: Assignment, benchmark: Initiative | None = None, policy: str = POLICY, at: ArmId = API) -> bool:
    return Policies(Tenant(assigned, benchmark or initiative())).is_off(policy, at)


@pytest.mark.parametrize(
    ("assigned", "off"),
    [
        ((), True),
        ((WHOLE,), False),
        ((DIRECT,), False),
        ((replace(WHOLE, definition_id=OTHER),), True),
        ((replace(WHOLE, scope=GROUP),), False),
        ((replace(WHOLE, scope=RESOURCE_GROUP),), False),
        ((replace(WHOLE, scope=API.key),), False),
        ((replace(WHOLE, scope=f"{API.key}2"),), True),
        ((replace(WHOLE, scope=API.key[:-1]),), True),
        ((replace(WHOLE, scope=f"{SCOPE}/resourcegroups/other"),), True),
        ((replace(WHOLE, excluded=(RESOURCE_GROUP,)),), True),
        ((replace(WHOLE, scope=GROUP, excluded=(SCOPE,)),), True),
        ((replace(WHOLE, excluded=(f"{RESOURCE_GROUP}-2",)),), False),
        ((replace(WHOLE, excluded=(RESOURCE_GROUP[:-1],)),), False),
        ((replace(WHOLE, excluded=(RESOURCE_GROUP,)), DIRECT), False),
    ],
    ids=[
        "nothing",
        "initiative",
        "policy itself",
        "another policy",
        "management group",
        "resource group",
        "resource",
        "namesake of the resource",
        "the resource's name begins with its name",
        "another resource group",
        "excluded group",
        "excluded subscription",
        "excluded namesake",
        "the group's name begins with an excluded one",
        "excluded here, assigned there",
    ],
)
def test_an_assignment_counts_in_its_scope(assigned: tuple[Assignment, ...], off: bool) -> None:
    assert is_off(*assigned) is off


@pytest.mark.parametrize(
    ("assignment", "given", "off"),
    [
        (WHOLE, {"effect": "Disabled"}, True),
        (WHOLE, {"effect": "disabled"}, True),
        (WHOLE, {"effect": EFFECT}, False),
        (WHOLE, {"effect": "[parameters('offByDefault')]"}, True),
        (
            replace(WHOLE, parameters={"encryptedeffect": "Disabled"}),
            {"effect": "[parameters('encryptedEffect')]"},
            True,
        ),
        (replace(WHOLE, parameters={"offbydefault": "Deny"}), {"effect": "[parameters('offByDefault')]"}, False),
        (replace(WHOLE, parameters={"effect": "Disabled"}), {}, False),
        (replace(DIRECT, parameters={"effect": "Disabled"}), {}, True),
        (replace(WHOLE, overrides=(OFF,)), {"effect": "Audit"}, True),
        (replace(WHOLE, overrides=(replace(OFF, effect="Audit"),)), {"effect": "Disabled"}, False),
        (replace(WHOLE, overrides=(Override("Disabled"),)), {}, True),
        (replace(WHOLE, overrides=(replace(OFF, only=(frozenset({"first"}),)),)), {}, False),
        (replace(WHOLE, overrides=(Override("Disabled", never=frozenset({"encrypted"})),)), {}, False),
        (replace(WHOLE, overrides=(replace(OFF, effect=""),)), {}, False),
    ],
    ids=[
        "literal",
        "in any case",
        "default of the initiative",
        "off by default",
        "parameter of the assignment",
        "on against the default",
        "parameter that the initiative lacks",
        "parameter of the policy itself",
        "override",
        "override on",
        "override of all",
        "override of another",
        "override of the others",
        "override of something else",
    ],
)
def test_the_effect_says_whether_it_is_evaluated(assignment: Assignment, given: Mapping[str, Any], off: bool) -> None:
    assert is_off(assignment, benchmark=initiative(**given)) is off


def test_the_most_active_of_two_effects_counts() -> None:
    switched_off = replace(WHOLE, overrides=(OFF,))
    assert is_off(switched_off, replace(DIRECT, parameters={"effect": "Disabled"}))
    assert not is_off(switched_off, DIRECT)


@pytest.mark.parametrize(
    ("assignment", "given"),
    [
        (replace(WHOLE, selects=True), {}),
        (replace(WHOLE, scope=GROUP, excluded=(f"{GROUP}-sandbox",)), {}),
        (WHOLE, {"effect": "[if(equals(parameters('x'), 'y'), 'Audit', 'Disabled')]"}),
        (WHOLE, {"effect": "[parameters('unknown')]"}),
        (replace(WHOLE, overrides=(replace(OFF, conditional=True),)), {}),
        (replace(WHOLE, overrides=(OFF, replace(OFF, effect="Audit"))), {}),
    ],
    ids=["resource selector", "excluded management group", "expression", "no value", "by location", "two overrides"],
)
def test_what_cannot_be_told_is_not_claimed(assignment: Assignment, given: Mapping[str, Any]) -> None:
    with pytest.raises(RejectedDataError, match="whole"):
        is_off(assignment, benchmark=initiative(**given))
    assert not is_off(assignment, DIRECT, benchmark=initiative(**given))
    disabled = initiative(effect="Disabled")
    assert assignment.overrides or is_off(assignment, benchmark=disabled)


def test_a_policy_is_known_by_its_name_or_its_id_in_any_case() -> None:
    for policy in (GUID, GUID.upper(), POLICY.upper()):
        assert not is_off(WHOLE, policy=policy)


def test_the_subscription_itself_is_a_resource() -> None:
    assert not is_off(WHOLE, at=ArmId.read(SCOPE))


def test_lists_and_definitions_are_read_once() -> None:
    tenant = Tenant((replace(WHOLE, overrides=(OFF,)),))
    policies = Policies(tenant)
    for number in range(3):
        assert policies.is_off(POLICY, ArmId.read(f"{SERVICE}/apis/{number}"))
    assert sorted(tenant.reads) == sorted(["assignments", BENCHMARK, POLICY])


def test_what_is_built_in_is_read_once_for_all_subscriptions() -> None:
    tenant = Tenant((replace(WHOLE, scope=GROUP),))
    policies = Policies(tenant)
    for number in range(3):
        elsewhere = SERVICE.replace(SCOPE, f"{SCOPE[:-1]}{number}")
        assert not policies.is_off(POLICY, ArmId.read(elsewhere))
    assert sorted(tenant.reads) == sorted([*["assignments"] * 3, BENCHMARK, POLICY])


def test_an_assignment_that_is_read_last_is_not_read_when_the_first_settles_it() -> None:
    tenant = Tenant((DIRECT, WHOLE))
    assert not Policies(tenant).is_off(POLICY, API)
    assert BENCHMARK not in tenant.reads


class Refusing(Tenant):
    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        raise AccessError("No role.", remedy="Grant it.")


def test_an_initiative_that_may_not_be_read_proves_nothing() -> None:
    with pytest.raises(AccessError):
        Policies(Refusing((WHOLE,))).is_off(POLICY, API)

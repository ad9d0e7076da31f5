"""Exemptions: whom they spare from which policy, and until when."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from apiward_connector.finding import Unreadable
from apiward_connector.policies import Assignment, Initiative, Reference, Rule
from apiward_connector.sources.exemptions import Exemption, ExemptionsSource
from apiward_core.clock import timestamp
from apiward_core.errors import AccessError, MissingError
from tests.unit.connector.samples import SCOPE, SERVICE, START, SUBSCRIPTION, SetClock

DEFINITIONS = "/providers/microsoft.authorization/policydefinitions"
ENCRYPTED, NAMED_VALUES = f"{DEFINITIONS}/ee7495e7", f"{DEFINITIONS}/f1cc7827"
BENCHMARK = "/providers/microsoft.authorization/policysetdefinitions/1f3afdf9"
CUSTOM = f"{SCOPE}/providers/microsoft.authorization/policysetdefinitions/ours"
GROUP = "/providers/Microsoft.Management/managementGroups/production"
ASSIGNED = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments"
BUILT_IN = f"{ASSIGNED}/SecurityCenterBuiltIn"
LATER = "2026-12-24T00:00:00Z"
UNTIL = "2026-12-24T00:00:00.000000Z"


class Policies:
    """An initiative of two policies, one policy by itself, and an initiative that is gone."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.error: Exception = MissingError("It was deleted.", remedy="none")

    def assignments(self, subscription_id: str) -> tuple[Assignment, ...]:
        assert subscription_id == SUBSCRIPTION
        self.read.append("assignments")
        assigned = {BUILT_IN: BENCHMARK, f"{ASSIGNED}/alone": NAMED_VALUES, f"{ASSIGNED}/ours": CUSTOM}
        return tuple(Assignment(id=name, scope=SCOPE, definition_id=found) for name, found in assigned.items())

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        assert subscription_id == SUBSCRIPTION
        self.read.append(definition_id)
        if definition_id == CUSTOM:
            raise self.error
        return Initiative(
            (Reference("encryptedmonitoring", ENCRYPTED), Reference("namedvaluesmonitoring", NAMED_VALUES))
        )

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        raise AssertionError("the effect of a policy does not matter to an exemption")


class Arm:
    """Lists what it is given on one page each."""

    def __init__(self, *listed: Any) -> None:
        self._listed = list(listed)
        self.paths: list[str] = []

    def get(self, path: str, *, api_version: str, **query: str) -> Mapping[str, Any]:
        assert api_version == "2022-07-01-preview"
        self.paths.append(path)
        value = [self._listed.pop(0)] if self._listed else []
        more = {"nextLink": f"https://management.azure.com{path}?$skiptoken={len(self.paths)}"} if self._listed else {}
        return {"value": value, **more}


def exemption(scope: str = SERVICE, assignment: str = BUILT_IN, **properties: Any) -> Any:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/policyExemptions/ours",
        "properties": {"policyAssignmentId": assignment, "exemptionCategory": "Waiver", **properties},
    }


def read(*listed: Any, policies: Policies | None = None) -> Sequence[Exemption | Unreadable]:
    source = ExemptionsSource(Arm(*listed), policies=policies or Policies(), clock=SetClock())
    return list(source.read(SUBSCRIPTION))


def test_an_exemption_names_policies_by_their_reference_ids() -> None:
    found = read(exemption(policyDefinitionReferenceIds=["EncryptedMonitoring"], expiresOn=LATER))
    assert found == [Exemption(SERVICE.lower(), ENCRYPTED, UNTIL)]


@pytest.mark.parametrize("named", [{}, {"policyDefinitionReferenceIds": []}], ids=["absent", "empty"])
def test_without_reference_ids_it_spares_from_the_whole_initiative(named: Any) -> None:
    assert read(exemption(**named)) == [
        Exemption(SERVICE.lower(), ENCRYPTED, ""),
        Exemption(SERVICE.lower(), NAMED_VALUES, ""),
    ]


def test_it_spares_from_a_policy_that_is_assigned_by_itself() -> None:
    assert read(exemption(assignment=f"{ASSIGNED}/ALONE".upper())) == [Exemption(SERVICE.lower(), NAMED_VALUES, "")]


def test_of_a_management_group_it_is_for_the_subscription() -> None:
    found = read(exemption(GROUP, policyDefinitionReferenceIds=["EncryptedMonitoring"]))
    assert found == [Exemption(SCOPE, ENCRYPTED, "")]


@pytest.mark.parametrize(
    ("ends", "is_there"), [(timedelta(seconds=1), True), (timedelta(0), False), (timedelta(days=-1), False)]
)
def test_one_that_has_ended_is_left_out(ends: timedelta, is_there: bool) -> None:
    assert bool(read(exemption(expiresOn=timestamp(START + ends)))) is is_there


def test_of_an_assignment_that_is_gone_it_spares_from_nothing() -> None:
    assert read(exemption(assignment=f"{ASSIGNED}/deleted"), exemption(assignment="")) == []


def test_every_page_is_read_and_each_initiative_once() -> None:
    policies = Policies()
    found = read(*[exemption(f"{SERVICE}/apis/{name}") for name in "abc"], policies=policies)
    assert len(found) == 6
    assert policies.read == ["assignments", BENCHMARK]


def test_without_exemptions_no_policy_is_read() -> None:
    policies = Policies()
    assert read(policies=policies) == []
    assert policies.read == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (7, "what it exempts"),
        ({"id": "nonsense"}, "what it exempts"),
        (exemption(expiresOn="soon"), "no time"),
        (exemption(assignment=f"{ASSIGNED}/ours"), "It was deleted"),
    ],
    ids=["no object", "no exemption", "no time", "initiative gone"],
)
def test_one_that_cannot_be_read_is_named(raw: Any, why: str) -> None:
    [found] = read(raw)
    assert isinstance(found, Unreadable)
    assert found.what
    assert why in found.why


def test_an_initiative_that_may_not_be_read_is_no_empty_one() -> None:
    policies = Policies()
    policies.error = AccessError("HTTP 403", remedy="a role")
    with pytest.raises(AccessError):
        read(exemption(assignment=f"{ASSIGNED}/ours"), policies=policies)

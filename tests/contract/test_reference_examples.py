"""Governance assignments and policy exemptions of Microsoft's OpenAPI examples, as the connector reads them.

No example of an exemption shows when it ends.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apiward_connector.policies import Assignment as PolicyAssignment
from apiward_connector.policies import Initiative, Reference, Rule
from apiward_connector.sources.exemptions import Exemption, ExemptionsSource
from apiward_connector.sources.governance import Assignment, assignment_of
from apiward_core.clock import parse_timestamp, timestamp
from tests.contract.documented_service import items
from tests.contract.openapi import shared_dir
from tests.unit.connector.samples import SetClock

_EXEMPTIONS = "resources/resource-manager/Microsoft.Authorization/preview/2022-07-01-preview/examples"
_GOVERNANCE = "security/resource-manager/Microsoft.Security/preview/2022-01-01-preview/examples/GovernanceAssignments"
_SET = "/providers/microsoft.authorization/policysetdefinitions/set"
_OF_MANAGEMENT_GROUPS = "/providers/Microsoft.Management/"
SUBSCRIPTION = "ae640e6b-ba3e-4256-9d62-2993eecfa6f2"


def shown_in(folder: str) -> list[Any]:
    """Every resource with which an example in the folder answers."""
    files = sorted((shared_dir() / "specs" / "specification" / folder).glob("*.json"))
    answers = [answer for file in files for answer in json.loads(file.read_text("utf-8-sig"))["responses"].values()]
    return [item for answer in answers for item in items(answer.get("body"))]


def test_each_governance_assignment_says_what_the_example_shows() -> None:
    found = shown_in(_GOVERNANCE)
    assert len(found) >= 4
    for document in found:
        assessment = document["id"].partition("/governanceAssignments/")[0]
        resource, _, key = assessment.partition("/providers/Microsoft.Security/assessments/")
        properties = document["properties"]
        row = {
            "id": document["id"].lower(),
            "assessment": assessment.lower(),
            "owner": properties["owner"],
            "due": properties["remediationDueDate"],
            "grace": properties["isGracePeriod"],
        }
        due = timestamp(parse_timestamp(properties["remediationDueDate"]))
        assert assignment_of(row) == Assignment(
            resource.lower(), key, properties["owner"], due, properties["isGracePeriod"]
        ), document["id"]


class Everything:
    """Whatever an exemption names is assigned as one initiative, in which each name has a policy of that name."""

    def __init__(self, documents: list[Any]) -> None:
        self._properties = [document["properties"] for document in documents]

    def assignments(self, subscription_id: str) -> tuple[PolicyAssignment, ...]:
        named = {properties["policyAssignmentId"] for properties in self._properties}
        return tuple(PolicyAssignment(id=name, scope=subscription_id, definition_id=_SET) for name in sorted(named))

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        assert definition_id == _SET, subscription_id
        named = {name for properties in self._properties for name in properties.get("policyDefinitionReferenceIds", [])}
        return Initiative(tuple(Reference(name.lower(), name) for name in sorted(named)))

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        raise AssertionError(f"nobody asks for {definition_id} in {subscription_id}")


class Listed:
    """Lists what it is given."""

    def __init__(self, *documents: Any) -> None:
        self._documents = documents

    def get(self, path: str, *, api_version: str, **query: str) -> Mapping[str, Any]:
        assert (path.rpartition("/")[2], api_version, query) == ("policyExemptions", "2022-07-01-preview", {})
        return {"value": list(self._documents)}


def test_each_exemption_says_what_the_example_shows() -> None:
    found = shown_in(_EXEMPTIONS)
    assert len(found) >= 8
    policies, clock = Everything(found), SetClock(datetime(2020, 7, 1, tzinfo=UTC))
    for document in found:
        source = ExemptionsSource(Listed(document), policies=policies, clock=clock)
        scope = document["id"].partition("/providers/Microsoft.Authorization/policyExemptions/")[0]
        if scope.startswith(_OF_MANAGEMENT_GROUPS):
            scope = f"/subscriptions/{SUBSCRIPTION}"
        properties = document["properties"]
        named = properties.get("policyDefinitionReferenceIds", ["Limit_Skus"])
        assert list(source.read(SUBSCRIPTION)) == [Exemption(scope.lower(), name, "") for name in named], document


def test_exemptions_are_shown_with_and_without_reference_ids() -> None:
    shown = [document["properties"] for document in shown_in(_EXEMPTIONS)]
    assert {"policyDefinitionReferenceIds" in properties for properties in shown} == {True, False}

"""The lab's bodies against Microsoft's OpenAPI documents and their examples."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.apim import ApiManagement
from apiward_lab.clock import VirtualClock
from apiward_lab.defender import Defender
from apiward_lab.dispatch import Dispatcher, Incoming, Service
from apiward_lab.estate import build
from apiward_lab.identities import applications, grant_seeded_roles
from apiward_lab.journal import Journal
from apiward_lab.rbac import AccessControl, Authorization
from apiward_lab.resources import Resources
from apiward_lab.web import Principal
from tests.unit.lab.openapi import example, needs_specification, violations

pytestmark = needs_specification

SECURITY = "security/resource-manager/Microsoft.Security/stable/2021-06-01"
APIM = "apimanagement/resource-manager/Microsoft.ApiManagement/stable/2024-05-01"
AUTHORIZATION = "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01"
SUBSCRIPTIONS = "resources/resource-manager/Microsoft.Resources/stable/2022-12-01"
GROUPS = "resources/resource-manager/Microsoft.Resources/stable/2024-07-01"

ESTATE = build()
SUBSCRIPTION = ESTATE.subscriptions[0].resource_id
SERVICE = f"{SUBSCRIPTION}/resourceGroups/rg-retail-api/providers/Microsoft.ApiManagement/service/apim-contoso-retail"
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"
ASSESSMENT = f"{SERVICE}/apis/stores/providers/Microsoft.Security/assessments/{ENCRYPTED}"
METADATA = "/providers/Microsoft.Security/assessmentMetadata"


@pytest.fixture(scope="module")
def dispatcher() -> Dispatcher:
    clock, apps = VirtualClock(), applications("contoso")
    access = AccessControl(clock, propagation=timedelta(0))
    grant_seeded_roles(access, ESTATE, apps)
    admin = next(app for app in apps if app.name == "admin")
    caller = Principal(admin.object_id, admin.client_id, ESTATE.tenant_id, "arm")
    services: list[Service] = [
        Defender(ESTATE, clock),
        ApiManagement(ESTATE),
        Resources(ESTATE, access),
        Authorization(access, is_principal=lambda _object_id: True),
    ]
    return Dispatcher(
        services,
        authenticate=lambda _authorization, _audience: caller,
        authoriser=access,
        clock=clock,
        journal=Journal(),
        lock=threading.RLock(),
    )


def get(dispatcher: Dispatcher, path: str, version: str, **query: str) -> Any:
    asked = Incoming("GET", path, {"api-version": version, **query}, {}, b"", "https://lab")
    reply = dispatcher.answer(asked)
    assert reply.status == 200, reply.body
    return reply.body


@pytest.mark.parametrize(
    ("path", "query", "document", "definition"),
    [
        (f"{SUBSCRIPTION}/providers/Microsoft.Security/assessments", {}, "assessments", "SecurityAssessmentList"),
        (ASSESSMENT, {"$expand": "metadata"}, "assessments", "SecurityAssessmentResponse"),
        (ASSESSMENT, {"$expand": "links"}, "assessments", "SecurityAssessmentResponse"),
        (f"{SUBSCRIPTION}{METADATA}", {}, "assessmentMetadata", "SecurityAssessmentMetadataResponseList"),
        (f"{METADATA}/{ENCRYPTED}", {}, "assessmentMetadata", "SecurityAssessmentMetadataResponse"),
    ],
)
def test_defender(dispatcher: Dispatcher, path: str, query: dict[str, str], document: str, definition: str) -> None:
    body = get(dispatcher, path, "2021-06-01", **query)
    known = [entry for entry in violations(f"{SECURITY}/{document}.json", definition, body) if not _is_extension(entry)]
    assert known == []


def _is_extension(violation: str) -> bool:
    """`metadata` of an assessment: the document types it as the request's model, the service sends the response's."""
    return violation.startswith("$.properties.metadata.") and violation.endswith("is not declared")


@pytest.mark.parametrize(
    ("path", "document", "definition"),
    [
        (f"{SERVICE}/apis", "definitions", "ApiCollection"),
        (f"{SERVICE}/apis/stores", "definitions", "ApiContract"),
        (SERVICE, "apimdeployment", "ApiManagementServiceResource"),
        (
            f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement/service",
            "apimdeployment",
            "ApiManagementServiceListResult",
        ),
    ],
)
def test_api_management(dispatcher: Dispatcher, path: str, document: str, definition: str) -> None:
    assert violations(f"{APIM}/{document}.json", definition, get(dispatcher, path, "2024-05-01")) == []


@pytest.mark.parametrize(
    ("kind", "document", "definition"),
    [
        ("roleAssignments", "authorization-RoleAssignmentsCalls", "RoleAssignmentListResult"),
        ("roleDefinitions", "authorization-RoleDefinitionsCalls", "RoleDefinitionListResult"),
        ("permissions", "authorization-RoleDefinitionsCalls", "PermissionGetResult"),
    ],
)
def test_authorization(dispatcher: Dispatcher, kind: str, document: str, definition: str) -> None:
    body = get(dispatcher, f"{SUBSCRIPTION}/providers/Microsoft.Authorization/{kind}", "2022-04-01")
    found = violations(f"{AUTHORIZATION}/{document}.json", definition, body)
    assert body["value"]
    # The service sends null for a condition that is not set; the document types it as a string without saying nullable.
    assert [entry for entry in found if not entry.endswith("None is not of type 'string'")] == []


@pytest.mark.parametrize(
    ("path", "version", "document", "definition"),
    [
        ("/subscriptions", "2022-12-01", f"{SUBSCRIPTIONS}/subscriptions.json", "SubscriptionListResult"),
        (SUBSCRIPTION, "2022-12-01", f"{SUBSCRIPTIONS}/subscriptions.json", "Subscription"),
        (f"{SUBSCRIPTION}/resourceGroups", "2024-07-01", f"{GROUPS}/resources.json", "ResourceGroupListResult"),
    ],
)
def test_resources(dispatcher: Dispatcher, path: str, version: str, document: str, definition: str) -> None:
    found = violations(document, definition, get(dispatcher, path, version))
    # The document demands a link on every page of subscriptions; the last page cannot have one.
    assert [entry for entry in found if entry != "$: 'nextLink' is a required property"] == []


def test_the_examples_pass_the_same_check_and_a_wrong_body_does_not() -> None:
    body = example(f"{SECURITY}/examples/Assessments/GetAssessment_example.json")
    document = f"{SECURITY}/assessments.json"
    assert violations(document, "SecurityAssessmentResponse", body) == []
    body["properties"]["status"]["code"] = "Fine"
    body["properties"]["verdict"] = "Fine"
    assert len(violations(document, "SecurityAssessmentResponse", body)) == 2


def test_a_listed_assessment_has_the_properties_of_the_examples(dispatcher: Dispatcher) -> None:
    listed = get(dispatcher, f"{SUBSCRIPTION}/providers/Microsoft.Security/assessments", "2021-06-01")["value"]
    shown = example(f"{SECURITY}/examples/Assessments/ListAssessments_example.json")["value"][0]
    assert set(listed[0]) == set(shown)
    assert set(listed[0]["properties"]) == set(shown["properties"])
    assert set(listed[0]["properties"]["status"]) == set(shown["properties"]["status"])

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
PRICINGS = "providers/Microsoft.Security/pricings"
COLLECTIONS = "providers/Microsoft.Security/apiCollections"
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
        ApiManagement(ESTATE, clock),
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
    """What the service may send beyond the document.

    `metadata` of an assessment is typed as the request's model, the service sends the response's. The list of
    categories is open (modelAsString).
    """
    is_metadata = violation.startswith("$.properties.metadata.") and violation.endswith("is not declared")
    return is_metadata or ".properties.categories[" in violation


@pytest.mark.parametrize(
    ("path", "version", "document", "definition"),
    [
        (f"{SUBSCRIPTION}/{PRICINGS}", "2024-01-01", "pricings", "PricingList"),
        (f"{SUBSCRIPTION}/{PRICINGS}/CloudPosture", "2024-01-01", "pricings", "Pricing"),
        (f"{SUBSCRIPTION}/{COLLECTIONS}", "2023-11-15", "apiCollections", "ApiCollectionList"),
        (f"{SERVICE}/{COLLECTIONS}/stores", "2023-11-15", "apiCollections", "ApiCollection"),
    ],
)
def test_defender_plans(dispatcher: Dispatcher, path: str, version: str, document: str, definition: str) -> None:
    body = get(dispatcher, path, version)
    assert violations(f"{SECURITY.rpartition('/')[0]}/{version}/{document}.json", definition, body) == []


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
    ("path", "definition"),
    [
        ("apis/stores/operations", "OperationCollection"),
        ("apis/stores/operations/get-store", "OperationContract"),
        ("apis/stores/products", "ProductCollection"),
        ("subscriptions", "SubscriptionCollection"),
        ("subscriptions/search-widget", "SubscriptionContract"),
        ("backends", "BackendCollection"),
        ("backends/media-origin", "BackendContract"),
        ("products", "ProductCollection"),
        ("products/storefront", "ProductContract"),
        ("products/storefront/apis", "ApiCollection"),
        ("tenant", "AccessInformationCollection"),
        ("tenant/access", "AccessInformationContract"),
    ],
)
def test_entities_of_a_service(dispatcher: Dispatcher, path: str, definition: str) -> None:
    body = get(dispatcher, f"{SERVICE}/{path}", "2024-05-01")
    assert violations(f"{APIM}/definitions.json", definition, body) == []
    assert body.get("value", [body])


@pytest.mark.parametrize("kind", ["Api", "Operation", "Subscription"])
def test_reports(dispatcher: Dispatcher, kind: str) -> None:
    period = "timestamp ge datetime'2026-01-01T00:00:00' and timestamp le datetime'2126-01-01T00:00:00'"
    body = get(dispatcher, f"{SERVICE}/reports/by{kind}", "2024-05-01", **{"$filter": period})
    shown = example(f"{APIM}/examples/ApiManagementGetReportsBy{kind}.json")["value"][0]
    assert violations(f"{APIM}/definitions.json", "ReportCollection", body) == []
    assert [set(row) for row in body["value"]] == [set(shown)] * len(body["value"])
    assert body["value"]


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

from typing import Any

import pytest

from apiward_connector.finding import Finding, Unreadable
from apiward_connector.sources.metadata import AssessmentMetadata
from tests.unit.connector.samples import (
    KEY,
    METADATA,
    OTHER_KEY,
    PORTAL,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    TENANT,
    assessment,
    finding,
    normaliser,
    with_properties,
)

MACHINE = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"


def test_an_operation_is_placed_in_its_service_and_api() -> None:
    found = finding(assessment(f"{SERVICE}/apis/echo;rev=3/operations/get-item"))
    assert found.service_id == SERVICE.lower()
    assert (found.apim_service, found.api_name, found.operation_name) == ("contoso", "echo", "get-item")
    assert found.resource_type == "microsoft.apimanagement/service/apis/operations"
    assert (found.resource_group, found.subscription_id, found.tenant_id) == ("rg-api", SUBSCRIPTION, TENANT)


def test_metadata_is_joined_by_key_in_any_case() -> None:
    found = finding({**assessment(), "name": KEY.upper()})
    assert (found.recommendation, found.severity, found.category) == ("apim-encrypted-protocols", "High", "Networking")
    assert found.recommendation_key == KEY


def test_embedded_metadata_is_read_where_that_of_the_subscription_has_none() -> None:
    embedded = with_properties(assessment(), metadata={"severity": "low", "categories": ["Data"]})
    assert finding(embedded).severity == "High"
    alone = normaliser(metadata={}).normalise(embedded)
    assert isinstance(alone, Finding)
    assert (alone.severity, alone.category) == ("Low", "Data")


def test_without_metadata_the_catalogue_tells_the_severity() -> None:
    result = normaliser(metadata={}).normalise(assessment())
    assert not isinstance(result, Unreadable | None)
    assert result.severity == "High"


def test_members_are_found_in_the_spelling_of_resource_graph() -> None:
    listed = assessment()
    graph = with_properties(listed, resourceDetails={"Source": "Azure", "Id": f"{SERVICE}/apis/echo"})
    assert finding(graph) == finding(listed)


def test_the_portal_link_opens_the_recommendation_and_nothing_that_a_key_could_smuggle_in() -> None:
    page = f"{PORTAL}/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
    assert finding(assessment()).portal_link == f"{page}/{KEY}"
    assert finding(assessment(key="../x?y#z")).portal_link == f"{page}/..%2Fx%3Fy%23z"


def test_the_case_of_ids_makes_no_difference() -> None:
    endpoint = f"{SERVICE}/apis/echo/operations/get-item"
    assert finding(assessment(endpoint)) == finding(assessment(endpoint.upper()))


def test_the_identity_differs_by_resource_and_by_key() -> None:
    keys = {
        finding(assessment(f"{SERVICE}/apis/{api}", key=key)).finding_id for api in "ab" for key in (KEY, OTHER_KEY)
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    "item",
    [
        assessment(SERVICE, key=OTHER_KEY),
        with_properties(assessment(MACHINE, key=OTHER_KEY), displayName="API endpoints in Contoso should be patched"),
        with_properties(assessment(MACHINE, key=OTHER_KEY), metadata={"categories": ["API Security"]}),
    ],
    ids=["resource in a service", "display name", "category"],
)
def test_what_is_about_apis_is_kept_though_the_catalogue_does_not_know_it(item: Any) -> None:
    assert finding(item).recommendation == "uncatalogued"


@pytest.mark.parametrize(
    "name",
    [
        "Kubernetes API servers should be configured with restricted access",
        "Azure API for FHIR should use private link",
        "API App should only be accessible over HTTPS",
        "Rapid API endpointsmith should not exist",
    ],
)
def test_the_word_api_alone_is_not_about_apis(name: str) -> None:
    assert normaliser().normalise(with_properties(assessment(MACHINE, key=OTHER_KEY), displayName=name)) is None


def test_an_unknown_key_is_catalogued_by_policy_and_by_display_name() -> None:
    policy = "/providers/Microsoft.Authorization/policyDefinitions/EE7495E7-3ba7-40b6-bfee-c29e22cc75d4"
    by_policy = normaliser({OTHER_KEY: AssessmentMetadata("x", policy, "Low", ())}).normalise(
        assessment(MACHINE, key=OTHER_KEY)
    )
    by_name = with_properties(
        assessment(MACHINE, key=OTHER_KEY),
        displayName="(Preview) API Management APIs should use only encrypted protocols",
    )
    assert not isinstance(by_policy, Unreadable | None)
    assert by_policy.recommendation == finding(by_name).recommendation == "apim-encrypted-protocols"


def test_a_subscription_can_be_the_assessed_resource() -> None:
    found = finding(assessment(SCOPE))
    assert (found.resource_type, found.service_id) == ("microsoft.resources/subscriptions", SCOPE)
    assert (found.resource_id, found.resource_name) == (SCOPE, SUBSCRIPTION)
    assert (found.apim_service, found.resource_group, found.api_name) == ("", "", "")


def test_a_site_hosts_its_endpoints() -> None:
    site = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Web/sites/Shop"
    assert finding(assessment(f"{site}/functions/order")).service_id == site.lower()


def test_additional_data_names_the_api_where_the_resource_id_does_not() -> None:
    named = {"APIManagementResourceName": "Contoso", "apiCollectionName": "Echo;rev=2"}
    found = finding(with_properties(assessment(SCOPE), additionalData=named))
    assert (found.apim_service, found.api_name) == ("contoso", "echo")


def test_the_assessed_resource_is_taken_from_the_assessment_id_when_details_lack_it() -> None:
    bare = with_properties(assessment(), resourceDetails={"source": "OnPremise"})
    assert finding(bare).resource_id == f"{SERVICE}/apis/echo".lower()


def test_an_assessment_id_in_the_details_is_cut_to_its_resource() -> None:
    whole = assessment()
    assert finding(with_properties(whole, resourceDetails={"source": "Azure", "id": whole["id"]})) == finding(whole)


def test_unknown_states_are_kept_and_known_ones_spelled_alike() -> None:
    assert finding(assessment(code="OffByMoon")).state == "OffByMoon"
    assert finding(assessment(code="unhealthy")).state == "Unhealthy"


def test_an_exemption_is_told_by_its_cause() -> None:
    assert finding(assessment(code="NotApplicable", cause="Exempt")).exempt
    assert not finding(assessment(code="NotApplicable", cause="OffByPolicy")).exempt


def test_times_are_utc_with_microseconds_and_empty_when_they_are_none() -> None:
    found = finding(assessment(statusChangeDate="2021-04-12T09:07:18.6759138Z", firstEvaluationDate="yesterday"))
    assert (found.state_changed, found.first_evaluated) == ("2021-04-12T09:07:18.675913Z", "")
    assert finding(assessment(statusChangeDate="0001-01-01T00:00:00+01:00")).state_changed == ""


def test_values_of_the_wrong_type_are_absorbed() -> None:
    odd = with_properties(assessment(), status=["Unhealthy"], additionalData="text", risk=None, metadata=[])
    found = finding(odd)
    assert (found.state, found.additional_data) == ("", {"value": "text"})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (with_properties({**assessment(), "id": None}, resourceDetails={}), "which resource"),
        (
            with_properties({**assessment(), "id": "nonsense"}, resourceDetails={"id": "/subscriptions/x/y"}),
            "no ARM id",
        ),
        ({**assessment(), "id": "", "name": None}, "no assessment key"),
        ("not an object", "which assessment"),
        ({"properties": {}}, "which assessment"),
    ],
    ids=["no id", "malformed id", "no key", "no object", "nothing"],
)
def test_what_may_be_about_apis_and_cannot_be_read_is_reported(item: Any, reason: str) -> None:
    result = normaliser(METADATA).normalise(item)
    assert isinstance(result, Unreadable)
    assert reason in result.why


@pytest.mark.parametrize("name", ["orders%20v1", "get {id}", "a|b", 'say "hi"'])
def test_an_oddly_named_api_is_recorded_under_its_name(name: str) -> None:
    found = finding(assessment(f"{SERVICE}/apis/{name}"))
    assert (found.resource_name, found.api_name, found.service_id) == (name, name, SERVICE.lower())


def test_what_is_not_about_apis_may_be_unreadable() -> None:
    assert normaliser().normalise({"name": OTHER_KEY, "properties": {"displayName": "Patch machines"}}) is None

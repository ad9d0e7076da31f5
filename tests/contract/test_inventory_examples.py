"""Every pricing and API-collection example of Microsoft's OpenAPI documents, as the connector and the SDK read it."""

from typing import Any

import pytest

from apiward_connector.reference.inventory import Collection, Inventory
from apiward_connector.sources.inventory import InventorySource, collection_of
from apiward_connector.sources.plans import Plan, PlansSource
from tests.contract.defender_examples import SUBSCRIPTION, answering, documents, listed

READ_AT = "2026-11-20T08:00:00.000000Z"
COUNTS = {
    "EndpointCount": ("numberOfApiEndpoints", "number_of_api_endpoints"),
    "ExternalCount": ("numberOfExternalApiEndpoints", "number_of_external_api_endpoints"),
    "UnauthenticatedCount": ("numberOfUnauthenticatedApiEndpoints", "number_of_unauthenticated_api_endpoints"),
    "UnusedCount": ("numberOfInactiveApiEndpoints", "number_of_inactive_api_endpoints"),
    "SensitiveCount": (
        "numberOfApiEndpointsWithSensitiveDataExposed",
        "number_of_api_endpoints_with_sensitive_data_exposed",
    ),
}


def plan_in(body: Any) -> Plan:
    """The plan that a pricing document shows, by the document's own words."""
    properties = body["properties"]
    switched_on = [item["name"] for item in properties.get("extensions", []) if item["isEnabled"] == "True"]
    return Plan(
        name=body["name"],
        enabled=properties["pricingTier"] == "Standard",
        sub_plan=properties.get("subPlan", ""),
        extensions=frozenset(name.lower() for name in switched_on),
    )


def test_each_pricing_is_the_plan_that_the_example_shows() -> None:
    found = documents("pricings")
    assert len(found) >= 32
    for document in found:
        plans = PlansSource(answering(listed([document]))).load(SUBSCRIPTION)
        assert plans.by_name == {document.body["name"].lower(): plan_in(document.body)}, document.example


def test_the_pricings_show_what_tells_plans_apart() -> None:
    shown = [plan_in(document.body) for document in documents("pricings")]
    assert {plan.enabled for plan in shown} == {True, False}
    assert any(plan.extensions for plan in shown)
    assert "P1" in {plan.sub_plan for plan in shown if plan.name == "Api"}


def row_of(raw: Any) -> dict[str, Any]:
    found = collection_of(raw)
    assert isinstance(found, Collection), found
    [made] = Inventory([found]).rows(run_id="run", observed=READ_AT)
    return made


def test_each_collection_makes_the_row_that_the_example_shows() -> None:
    found = documents("apiCollections")
    assert len(found) >= 6
    [page] = InventorySource(answering(listed(found))).pages(SUBSCRIPTION)
    for document, raw in zip(found, page, strict=True):
        row = row_of(raw)
        service, _, name = document.body["id"].partition("/providers/Microsoft.Security/apiCollections/")
        assert row["ResourceId"] == f"{service}/apis/{name}".lower(), document.example
        assert (row["ServiceId"], row["ApiName"]) == (service.lower(), name), document.example
        properties = document.body["properties"]
        assert row["BaseUrl"] == properties.get("baseUrl", ""), document.example
        assert {column: row[column] for column in COUNTS} == {
            column: properties.get(member) for column, (member, _) in COUNTS.items()
        }, document.example


def test_a_collection_has_the_counts_that_the_sdk_reads() -> None:
    found = documents("apiCollections")
    models = answering(listed(found))(SUBSCRIPTION).api_collections.list_by_subscription()
    for document, model in zip(found, models, strict=True):
        row = row_of(document.body)
        assert {column: getattr(model, name) for column, (_, name) in COUNTS.items()} == {
            column: row[column] for column in COUNTS
        }, document.example


@pytest.mark.parametrize("state", ["Succeeded", "InProgress"])
def test_collections_are_shown_before_and_after_onboarding(state: str) -> None:
    shown = [document for document in documents("apiCollections") if _state(document.body) == state]
    assert shown
    assert {row_of(document.body)["EndpointCount"] is not None for document in shown} == {state == "Succeeded"}


def _state(body: Any) -> str:
    return str(body["properties"]["provisioningState"])

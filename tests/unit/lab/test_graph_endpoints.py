"""Endpoints of watched APIs and governance assignments in Resource Graph."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.unit.lab.graph_tenant import Tenant

ENDPOINTS = "securityresources | where type == 'microsoft.security/apicollections/apiendpoints'"
FINDINGS = """securityresources | union extensibilityresources
| where type in ('microsoft.security/apicollections/apiendpoints',
    'microsoft.apisecurity/apicollections/apicollectiondetails')
| extend Authorized = properties.IsEndpointAuthorized, PII = properties.PII
| where Authorized == 'false'
| project id, Operation = properties.DisplayName, Endpoint = properties.EndPoint, PII"""
COUNTS = {
    "numberOfInactiveApiEndpoints": ("IsEndpointActive", False),
    "numberOfUnauthenticatedApiEndpoints": ("IsEndpointAuthorized", False),
    "numberOfExternalApiEndpoints": ("IsExternal", True),
    "numberOfApiEndpointsWithSensitiveDataExposed": ("PII", {"Credit Card Number": "Response"}),
}
A_MOMENT = timedelta(seconds=1)
HALF_AN_HOUR = timedelta(minutes=30)


def of_api(tenant: Tenant, api: str) -> Mapping[str, Mapping[str, Any]]:
    """The properties of the endpoints of an API, by name."""
    rows = tenant.query(f"{ENDPOINTS} and properties.CollectionName == '{api}'")["data"]
    return {row["name"]: row["properties"] for row in rows}


def test_an_endpoint_tells_its_place_and_what_calls_showed() -> None:
    tenant = Tenant()
    service = next(entry for entry in tenant.estate.services if entry.name == "apim-contoso-retail")
    collection = f"{service.resource_id}/providers/microsoft.security/apicollections/stores".lower()
    (row,) = tenant.query(f"{ENDPOINTS} and name == 'get-store'")["data"]
    assert row["id"] == f"{collection}/apiendpoints/get-store"
    assert (row["subscriptionId"], row["resourceGroup"]) == (tenant.subscriptions[0], service.group.name)
    assert row["properties"] == {
        "DisplayName": "Get store",
        "CollectionName": "stores",
        "CasApiCollectionId": collection,
        "EndPoint": "/stores/{storeId}",
        "HttpMethod": "GET",
        "DiscoveryDate": "2026-05-27T12:00:00.0000000Z",
        "IsEndpointActive": True,
        "TriggerDate": "2026-11-23T12:00:00.0000000Z",
        "IsEndpointAuthorized": False,
        "IsExternal": True,
        "PII": {},
    }


def test_of_an_endpoint_without_recent_calls_nothing_is_judged() -> None:
    silent = of_api(Tenant(), "tenders")["delete-bid"]
    assert silent["IsEndpointActive"] is False
    assert silent["TriggerDate"].startswith("2026-10-21")
    assert not {"IsEndpointAuthorized", "IsExternal", "PII"} & silent.keys()


def test_endpoints_add_up_to_what_their_collections_say() -> None:
    tenant = Tenant()
    query = "securityresources | where type == 'microsoft.security/apicollections' | project id, properties"
    collections = tenant.query(query)["data"]
    assert collections
    by_collection: dict[str, list[Any]] = defaultdict(list)
    for row in tenant.query(ENDPOINTS)["data"]:
        by_collection[row["properties"]["CasApiCollectionId"]].append(row["properties"])
    for collection in collections:
        found = by_collection[collection["id"]]
        assert collection["properties"]["numberOfApiEndpoints"] == len(found)
        for count, (name, value) in COUNTS.items():
            assert collection["properties"][count] == sum(entry.get(name) == value for entry in found), collection


def test_microsofts_own_query_for_open_endpoints_runs() -> None:
    rows = Tenant().query(FINDINGS)["data"]
    assert {row["id"].split("/apicollections/")[1].split("/")[0] for row in rows} == {"stores"}
    assert {row["Endpoint"] for row in rows} >= {"/stores", "/stores/{storeId}"}


def test_only_watched_apis_have_endpoints() -> None:
    tenant = Tenant()
    for subscription in tenant.subscriptions[1:]:
        tenant.grant("Security Reader", f"/subscriptions/{subscription}")
    rows = tenant.query(f"{ENDPOINTS} | distinct subscriptionId")["data"]
    assert {row["subscriptionId"] for row in rows} == set(tenant.subscriptions[:2])
    assert of_api(tenant, "card-tokens")
    assert of_api(tenant, "reconciliation") == {}


def test_what_changes_shows_at_the_next_half_hour() -> None:
    tenant = Tenant()
    service = next(entry for entry in tenant.estate.services if entry.name == "apim-contoso-retail")
    service.apis["stores"].properties["subscriptionRequired"] = True
    del service.onboarded["promotions"]
    tenant.clock.advance(HALF_AN_HOUR - A_MOMENT)
    assert of_api(tenant, "stores")["get-store"]["IsEndpointAuthorized"] is False
    assert of_api(tenant, "promotions")
    tenant.clock.advance(A_MOMENT)
    assert of_api(tenant, "stores")["get-store"]["IsEndpointAuthorized"] is True
    assert of_api(tenant, "promotions") == {}


def test_a_governance_assignment_names_the_assessment_that_it_is_for() -> None:
    tenant = Tenant()
    rows = tenant.query("securityresources | where type == 'microsoft.security/assessments/governanceassignments'")
    assert rows["count"] > 0
    for row in rows["data"]:
        assessment, name = row["properties"]["assignedResourceId"], row["properties"]["assignmentKey"]
        assert row["id"] == f"{assessment}/governanceassignments/{name}"
        assert assessment == assessment.lower()
        assert row["properties"]["owner"]
        assert row["subscriptionId"] == tenant.subscriptions[0]

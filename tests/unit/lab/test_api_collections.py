from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.web import Reply
from tests.unit.lab.tenant import Tenant

VERSION = "2023-11-15"
COLLECTIONS = "/providers/Microsoft.Security/apiCollections"


class Collections:
    """The API collections of one service."""

    def __init__(self, service: str = "retail") -> None:
        self.tenant = Tenant()
        self.model = self.tenant.service(service)

    def send(self, method: str, api: str, **query: str) -> Reply:
        return self.tenant.send(method, f"{self.model.resource_id}{COLLECTIONS}/{api}", VERSION, **query)

    def names(self, scope: str) -> list[str]:
        body = self.tenant.send("GET", scope + COLLECTIONS, VERSION).body
        return [row["name"] for row in body["value"]]

    def state(self, api: str) -> Any:
        return self.send("GET", api).body["properties"]["provisioningState"]


def test_most_but_not_all_apis_are_onboarded_where_the_plan_is_on() -> None:
    collections = Collections()
    estate = collections.tenant.estate
    counts = [len(collections.names(subscription.resource_id)) for subscription in estate.subscriptions]
    apis = [
        sum(api.is_current for service, api in estate.apis() if service.group.subscription_id == entry.subscription_id)
        for entry in estate.subscriptions
    ]
    assert counts[2] == 0
    assert all(2 * apis[index] / 3 < counts[index] < apis[index] for index in (0, 1))


def test_the_lists_of_a_service_and_a_group_hold_what_is_below() -> None:
    collections = Collections()
    at_service = collections.names(collections.model.resource_id)
    at_group = collections.names(collections.model.group.resource_id)
    assert {"catalogue", "stores"} <= set(at_service)
    assert "media" not in at_service
    assert set(at_service) < set(at_group)
    assert "orders-v1" in at_group


def test_the_counts_are_those_of_the_estate() -> None:
    shown = Collections().send("GET", "customers-v1").body["properties"]
    open_api = Collections().send("GET", "stores").body["properties"]
    internal = Collections("payments").send("GET", "exchange-rates").body["properties"]
    assert shown == {
        "provisioningState": "Succeeded",
        "displayName": "Customers",
        "discoveredVia": Collections().model.resource_id,
        "baseUrl": "https://apim-contoso-retail.azure-api.net/customers/v1",
        "numberOfApiEndpoints": 10,
        "numberOfInactiveApiEndpoints": 2,
        "numberOfUnauthenticatedApiEndpoints": 0,
        "numberOfExternalApiEndpoints": 8,
        "numberOfApiEndpointsWithSensitiveDataExposed": 8,
        "sensitivityLabel": "Highly Confidential",
    }
    assert open_api["numberOfUnauthenticatedApiEndpoints"] == 7
    assert internal["numberOfExternalApiEndpoints"] == 0
    assert "sensitivityLabel" not in internal


def test_onboarding_is_a_long_running_operation_at_its_own_address() -> None:
    collections = Collections()
    accepted = collections.send("PUT", "media")
    address, _, query = accepted.headers["Location"].partition("?")
    assert accepted.status == 201
    assert accepted.body["properties"] == {"provisioningState": "InProgress"}
    assert address == f"https://lab{collections.model.resource_id}{COLLECTIONS}/media"
    token = query.partition("$asyncScope=")[2]
    assert collections.send("GET", "media", **{"$asyncScope": token}).status == 202
    assert collections.state("media") == "InProgress"
    collections.tenant.clock.advance(timedelta(minutes=1))
    done = collections.send("GET", "media", **{"$asyncScope": token})
    assert (done.status, done.body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert "Location" not in done.headers
    assert collections.send("PUT", "media").status == 200


def test_an_api_that_is_being_onboarded_is_not_yet_assessed() -> None:
    collections = Collections()

    def assessed() -> int:
        return len(
            collections.tenant.defender.ledger.rows_under(f"{collections.model.resource_id}/apis/media/operations")
        )

    collections.tenant.clock.advance(timedelta(minutes=29, seconds=59.5))
    collections.send("PUT", "media")
    collections.tenant.clock.advance(timedelta(seconds=1))
    assert (collections.state("media"), assessed()) == ("InProgress", 0)
    collections.tenant.clock.advance(timedelta(minutes=31))
    assert (collections.state("media"), assessed()) == ("Succeeded", 20)


def test_offboarding_takes_the_collection_away() -> None:
    collections = Collections()
    assert collections.send("DELETE", "stores").status == 200
    assert collections.send("GET", "stores").status == 404
    assert collections.send("DELETE", "stores").status == 204


def test_a_collection_goes_with_its_api_and_with_the_plan() -> None:
    collections = Collections()
    scope = collections.tenant.estate.subscriptions[0].resource_id
    collections.tenant.send("DELETE", f"{collections.model.resource_id}/apis/stores", "2024-05-01")
    assert "stores" not in collections.names(scope)
    pricing = f"{scope}/providers/Microsoft.Security/pricings/Api"
    collections.tenant.send("PUT", pricing, "2024-01-01", {"pricingTier": "Free"})
    assert collections.names(scope) == []


@pytest.mark.parametrize(
    ("service", "api", "status"),
    [
        ("retail", "none", 404),
        ("retail", "catalogue;rev=2", 400),
        ("orders", "legacy-soap", 400),
        ("partner", "stock-feed", 400),
        ("sandbox", "petstore", 400),
    ],
)
def test_what_defender_for_apis_does_not_watch_is_refused(service: str, api: str, status: int) -> None:
    collections = Collections(service)
    assert collections.send("PUT", api).status == status
    assert collections.send("GET", api).status == 404


def test_the_documents_are_those_of_the_list() -> None:
    collections = Collections()
    subscription = collections.tenant.estate.subscriptions[0]
    listed = collections.tenant.send("GET", subscription.resource_id + COLLECTIONS, VERSION).body["value"]
    assert list(collections.tenant.defender.collection_documents(subscription.subscription_id)) == listed

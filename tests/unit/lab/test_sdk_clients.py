"""The Azure SDK clients of API Management and Defender against the lab, with the roles of its identities."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.apimanagement.models import (
    AccessInformationUpdateParameters,
    BackendTlsProperties,
    BackendUpdateParameters,
    OperationContract,
    SubscriptionUpdateParameters,
)
from azure.mgmt.security import SecurityCenter
from azure.mgmt.security.v2024_01_01.models import Pricing

from apiward_lab.apim import ApiManagement
from apiward_lab.defender import Defender
from apiward_lab.lab import Lab
from tests.contract.openapi import SHARED
from tests.lab_credential import credential_of

GROUP, SERVICE = "rg-retail-api", "apim-contoso-retail"
OPERATIONS = SHARED / "reference" / "provider-operations.tsv"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.start() as running:
        yield running


def settings(lab: Lab, name: str) -> dict[str, Any]:
    credential = credential_of(lab, name)
    return {
        "credential": credential,
        "base_url": lab.base_url,
        "credential_scopes": ["https://management.azure.com/.default"],
        "connection_verify": str(lab.ca_bundle),
        "retry_total": 0,
    }


def apim(lab: Lab, name: str = "playbooks") -> ApiManagementClient:
    return ApiManagementClient(subscription_id=lab.estate.subscriptions[0].subscription_id, **settings(lab, name))


def security(lab: Lab, name: str, index: int) -> SecurityCenter:
    return SecurityCenter(subscription_id=lab.estate.subscriptions[index].subscription_id, **settings(lab, name))


def etag_of(response: Any, _body: Any, _headers: Any) -> Any:
    return response.http_response.headers["ETag"]


def test_playbooks_narrow_a_subscription_to_the_api_that_it_uses(lab: Lab) -> None:
    now = lab.clock.now()
    period = f"timestamp ge datetime'{now - timedelta(days=90):%FT%T}' and timestamp le datetime'{now:%FT%T}'"
    with apim(lab) as client:
        found = client.reports.list_by_api(GROUP, SERVICE, f"{period} and subscriptionId eq 'search-widget'")
        (used,) = (row.api_id for row in found if row.call_count_total)
        etag: Any = client.subscription.get(GROUP, SERVICE, "search-widget", cls=etag_of)
        change = SubscriptionUpdateParameters(scope=used)
        updated = client.subscription.update(GROUP, SERVICE, "search-widget", etag, change)
        with pytest.raises(HttpResponseError, match="PreconditionFailed"):
            client.subscription.update(GROUP, SERVICE, "search-widget", etag, change)
    assert str(updated.scope).endswith(f"/{SERVICE}/apis/search")
    assert (updated.state, updated.primary_key) == ("active", None)
    assert lab.unknown_routes == ()


def test_playbooks_disable_direct_management(lab: Lab) -> None:
    with apim(lab) as client:
        before: Any = client.tenant_access.get(GROUP, SERVICE, "access", cls=etag_of)
        client.tenant_access.update(GROUP, SERVICE, "access", before, AccessInformationUpdateParameters(enabled=False))
        assert client.tenant_access.get(GROUP, SERVICE, "access").enabled is False
        assert [access.name for access in client.tenant_access.list_by_service(GROUP, SERVICE)] == [
            "access",
            "gitAccess",
        ]


def test_playbooks_change_backends_and_operations(lab: Lab) -> None:
    tls = BackendTlsProperties(validate_certificate_chain=True)
    new = OperationContract(display_name="Ping", method="GET", url_template="/ping")
    with apim(lab) as client:
        checked = client.backend.update(GROUP, SERVICE, "media-origin", "*", BackendUpdateParameters(tls=tls))
        made = client.api_operation.create_or_update(GROUP, SERVICE, "stores", "ping", new)
        client.api_operation.delete(GROUP, SERVICE, "stores", "ping", "*")
        left = [operation.name for operation in client.api_operation.list_by_api(GROUP, SERVICE, "stores", top=3)]
        products = [str(product.name) for product in client.api_product.list_by_apis(GROUP, SERVICE, "catalogue")]
        apis = [str(api.name) for api in client.product_api.list_by_product(GROUP, SERVICE, "content")]
    assert checked.tls is not None
    assert checked.tls.validate_certificate_chain is True
    assert str(made.id).endswith("/apis/stores/operations/ping")
    assert (len(left), "ping" in left) == (7, False)
    assert (products, apis) == (["content", "storefront"], ["catalogue", "media"])


def test_the_connector_reads_plans_and_collections_and_changes_none(lab: Lab) -> None:
    scope = lab.estate.subscriptions[0].resource_id
    with security(lab, "connector", 0) as client:
        plans = {plan.name: plan for plan in client.pricings.list(scope).value}
        collections = {entry.name: entry for entry in client.api_collections.list_by_subscription()}
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.pricings.update(scope, "Api", Pricing(pricing_tier="Free"))
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.api_collections.offboard_azure_api_management_api(GROUP, SERVICE, "stores")
    assert (plans["Api"].pricing_tier, plans["Api"].sub_plan) == ("Standard", "P1")
    assert collections["stores"].number_of_unauthenticated_api_endpoints == 7
    assert lab.unknown_routes == ()


def test_an_administrator_enables_the_plan_and_onboards_an_api(lab: Lab) -> None:
    where = "rg-sandbox", "apim-contoso-sandbox", "petstore"
    with security(lab, "admin", 2) as client:
        client.pricings.update(lab.estate.subscriptions[2].resource_id, "Api", Pricing(pricing_tier="Standard"))
        poller = client.api_collections.begin_onboard_azure_api_management_api(*where)
        lab.clock.advance(timedelta(minutes=1))
        assert poller.result().provisioning_state == "Succeeded"
        assert [entry.name for entry in client.api_collections.list_by_subscription()] == ["petstore"]
        client.api_collections.offboard_azure_api_management_api(*where)
        assert list(client.api_collections.list_by_subscription()) == []


@pytest.mark.skipif(not OPERATIONS.is_file(), reason="the list of provider operations is not beside this checkout")
def test_every_action_is_one_that_microsoft_publishes(lab: Lab) -> None:
    with OPERATIONS.open(encoding="utf-8", newline="") as file:
        published = {row[0].lower() for row in csv.reader(file, delimiter="\t") if row}
    routes = [*ApiManagement(lab.estate, lab.clock).routes, *Defender(lab.estate, lab.clock).routes]
    actions = {route.action for route in routes if route.action}
    assert {action for action in actions if action.lower() not in published} == set()
    assert len(actions) > 20

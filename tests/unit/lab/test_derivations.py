"""What Defender says of the API-related parts of the small estate, and what changes its mind."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_lab.defender.derivations import DERIVATIONS
from tests.contract.openapi import SHARED
from tests.unit.lab.tenant import Tenant

ALL_APIS = "44aae697-8cc1-4ed1-a136-44a644bfd51f"
DIRECT = "e2aeced9-6ef0-410e-b948-4aaa65ded9a7"
AUTHENTICATED = "91af2040-7874-4659-abf0-578e1f8d07dc"
UNUSED = "4e8c00a2-e8bc-42a8-9e12-99584a51ad10"
PLAN = "b1a3c1de-5f0e-4c55-9b1e-0a6f2f6f7c01"
NETWORK = "74e7dcff-317f-9635-41d2-ead5019acc99"
BASE = "0d7b1f52-3c64-4c1b-8a0f-6e3f5b9d2a44"
APIM_VERSION = "2024-05-01"
POLICY_LOOK, APIS_LOOK = timedelta(minutes=61), timedelta(minutes=31)


class Assessed(Tenant):
    """A tenant whose assessments are read by short names: what follows .../service/apim-contoso-."""

    def unhealthy(self, key: str) -> set[str]:
        rows = self.defender.ledger.rows
        return {_short(row.resource_id) for row in rows if row.definition.key == key and row.code == "Unhealthy"}

    def code(self, key: str, name: str) -> str | None:
        """The verdict on one resource; None when there is none."""
        rows = self.defender.ledger.rows
        codes = [row.code for row in rows if row.definition.key == key and _short(row.resource_id) == name]
        return codes[0] if codes else None

    def patch(self, name: str, properties: dict[str, Any]) -> None:
        service, _, path = name.partition("/")
        whole = f"{self.service(service).resource_id}/{path}"
        assert self.send("PATCH", whole, APIM_VERSION, properties).status == 200

    def delete(self, name: str) -> None:
        service, _, path = name.partition("/")
        assert self.send("DELETE", f"{self.service(service).resource_id}/{path}", APIM_VERSION).status in {200, 202}

    def switch_plan(self, index: int, tier: str) -> None:
        scope = self.estate.subscriptions[index].resource_id
        path = f"{scope}/providers/Microsoft.Security/pricings/Api"
        assert self.send("PUT", path, "2024-01-01", {"pricingTier": tier}).status == 200


def _short(resource_id: str) -> str:
    return resource_id.rpartition("/service/apim-contoso-")[2]


def test_what_is_wrong_from_the_beginning() -> None:
    tenant = Assessed()
    sandbox = tenant.estate.subscriptions[2].resource_id
    assert tenant.unhealthy(ALL_APIS) == {
        "retail/subscriptions/search-widget",
        "payments/subscriptions/checkout-backend",
        "merchant/subscriptions/reporting-hub",
        "partner/subscriptions/legacy-erp",
    }
    assert tenant.unhealthy(DIRECT) == {"retail/tenant/access", "partner/tenant/access"}
    assert tenant.unhealthy(PLAN) == {sandbox}
    assert tenant.unhealthy(BASE) == {
        "retail/apis/search/policies/policy",
        "merchant/apis/hooks/policies/policy",
    }
    assert tenant.unhealthy(NETWORK) == {"sandbox"}
    open_apis = Counter(name.rpartition("/operations/")[0] for name in tenant.unhealthy(AUTHENTICATED))
    assert open_apis == {"retail/apis/stores": 7, "payments/apis/exchange-rates": 4, "merchant/apis/rate-card": 4}
    unused = Counter(name.partition("/")[0] for name in tenant.unhealthy(UNUSED))
    assert unused == {"retail": 3, "partner": 6, "payments": 2}


@pytest.mark.parametrize(
    ("key", "name", "change"),
    [
        (ALL_APIS, "retail/subscriptions/search-widget", {"scope": "/apis/search"}),
        (ALL_APIS, "payments/subscriptions/checkout-backend", {"scope": "/products/checkout"}),
        (ALL_APIS, "partner/subscriptions/legacy-erp", {"state": "suspended"}),
        (ALL_APIS, "partner/subscriptions/legacy-erp", {"state": "cancelled"}),
        (DIRECT, "retail/tenant/access", {"enabled": False}),
    ],
)
def test_a_fix_is_seen_at_the_next_look_and_so_is_its_undoing(key: str, name: str, change: dict[str, Any]) -> None:
    tenant = Assessed()
    service, _, path = name.partition("/")
    before = tenant.send("GET", f"{tenant.service(service).resource_id}/{path}", APIM_VERSION).body["properties"]
    tenant.patch(name, change)
    assert tenant.code(key, name) == "Unhealthy"
    tenant.clock.advance(POLICY_LOOK)
    assert tenant.code(key, name) == "Healthy"
    tenant.patch(name, {field: before[field] for field in change})
    tenant.clock.advance(POLICY_LOOK)
    assert tenant.code(key, name) == "Unhealthy"


def test_other_scopes_and_the_built_in_subscription_are_healthy() -> None:
    tenant = Assessed()
    assert tenant.code(ALL_APIS, "retail/subscriptions/master") == "Healthy"
    assert tenant.code(ALL_APIS, "retail/subscriptions/cms-content") == "Healthy"
    assert tenant.code(ALL_APIS, "merchant/subscriptions/old-terminal") == "Healthy"
    assert tenant.code(DIRECT, "retail/tenant/gitAccess") is None


def test_a_tier_without_virtual_networks_is_healthy_as_it_is() -> None:
    tenant = Assessed()
    assert {tenant.code(NETWORK, name) for name in ("orders", "partner", "merchant")} == {"Healthy"}
    tenant.service("orders").sku = "Premium"
    tenant.clock.advance(POLICY_LOOK)
    assert tenant.code(NETWORK, "orders") == "Unhealthy"
    tenant.service("orders").virtual_network_type = "External"
    tenant.clock.advance(POLICY_LOOK)
    assert tenant.code(NETWORK, "orders") == "Healthy"


@pytest.mark.parametrize("section", ["inbound", "backend", "outbound", "on-error"])
def test_each_section_of_a_policy_has_to_begin_with_base(section: str) -> None:
    tenant = Assessed()
    reviews, name = tenant.service("retail").apis["reviews"], "retail/apis/reviews/policies/policy"
    assert tenant.code(BASE, name) == "Healthy"
    head, opened, rest = reviews.policy.partition(f"<{section}>")
    reviews.policy = f"{head}{opened}<trace />{rest}"
    tenant.clock.advance(POLICY_LOOK)
    assert tenant.code(BASE, name) == "Unhealthy"


def test_defender_for_apis_looks_more_often_than_the_policies() -> None:
    tenant = Assessed()
    tenant.patch("retail/apis/stores", {"subscriptionRequired": True})
    tenant.patch("retail/tenant/access", {"enabled": False})
    tenant.clock.advance(APIS_LOOK)
    assert tenant.code(AUTHENTICATED, "retail/apis/stores/operations/get-store") == "Healthy"
    assert tenant.code(DIRECT, "retail/tenant/access") == "Unhealthy"


def test_a_token_that_the_policy_validates_is_authentication() -> None:
    assert Assessed().code(AUTHENTICATED, "retail/apis/reviews/operations/get-review") == "Healthy"


def test_without_calls_in_thirty_days_there_is_no_verdict_on_authentication() -> None:
    tenant = Assessed()
    name = "partner/apis/edi-inbox/operations/get-message"
    assert tenant.code(UNUSED, name) == "Unhealthy"
    assert tenant.code(AUTHENTICATED, name) is None


def test_an_operation_becomes_unused_when_thirty_days_have_passed() -> None:
    tenant = Assessed()
    name = "payments/apis/wallet/operations/delete-wallet"
    assert (tenant.code(UNUSED, name), tenant.code(AUTHENTICATED, name)) == ("Healthy", "Healthy")
    tenant.clock.advance(timedelta(days=1) + APIS_LOOK)
    assert (tenant.code(UNUSED, name), tenant.code(AUTHENTICATED, name)) == ("Unhealthy", None)


@pytest.mark.parametrize(
    "name",
    [
        "retail/apis/media/operations/get-image",
        "sandbox/apis/echo-api/operations/get-resource",
        "orders/apis/legacy-soap/operations/CountStock",
        "partner/apis/stock-feed/operations/onHandshake",
        "retail/apis/catalogue;rev=2/operations/get-product",
    ],
)
def test_endpoints_that_nobody_watches_have_no_rows(name: str) -> None:
    tenant = Assessed()
    service, _, path = name.partition("/")
    assert tenant.send("GET", f"{tenant.service(service).resource_id}/{path}", APIM_VERSION).status == 200
    assert (tenant.code(UNUSED, name), tenant.code(AUTHENTICATED, name)) == (None, None)


def test_the_rows_of_a_deleted_operation_disappear() -> None:
    tenant = Assessed()
    name = "partner/apis/tenders/operations/delete-bid"
    tenant.delete(name)
    assert tenant.code(UNUSED, name) == "Unhealthy"
    tenant.clock.advance(APIS_LOOK)
    assert tenant.code(UNUSED, name) is None


def test_the_rows_of_an_offboarded_api_disappear() -> None:
    tenant = Assessed()
    path = f"{tenant.service('retail').resource_id}/providers/Microsoft.Security/apiCollections/stores"
    assert tenant.send("DELETE", path, "2023-11-15").status == 200
    tenant.clock.advance(APIS_LOOK)
    assert not {name for name in tenant.unhealthy(AUTHENTICATED) if name.startswith("retail")}
    assert tenant.code(UNUSED, "retail/apis/stores/operations/get-store") is None
    assert tenant.code(UNUSED, "retail/apis/reviews/operations/get-review") == "Healthy"


def test_without_the_plan_its_rows_disappear_and_the_subscription_is_unhealthy() -> None:
    tenant = Assessed()
    tenant.switch_plan(0, "Free")
    tenant.clock.advance(POLICY_LOOK)
    assert {name.partition("/")[0] for name in tenant.unhealthy(UNUSED)} == {"payments"}
    assert len(tenant.unhealthy(PLAN)) == 2
    tenant.switch_plan(0, "Standard")
    tenant.clock.advance(POLICY_LOOK)
    assert {name.partition("/")[0] for name in tenant.unhealthy(UNUSED)} == {"retail", "partner", "payments"}
    assert len(tenant.unhealthy(PLAN)) == 1


def test_a_scope_lists_itself_and_what_is_below_it() -> None:
    tenant = Assessed()
    retail = tenant.service("retail").resource_id
    rows = tenant.defender.ledger.rows_under(f"{retail.upper()}/apis/stores")
    assert {row.definition.key for row in rows} == {UNUSED, AUTHENTICATED, "741b141d-8111-4d86-a4e0-f74b06270a74"}
    assert len(rows) == 1 + 7 + 7
    subscription = tenant.estate.subscriptions[0].resource_id
    assert PLAN in {row.definition.key for row in tenant.defender.ledger.rows_under(subscription)}
    assert not tenant.defender.ledger.rows_under(retail.replace("retail", "ret"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the list of recommendations (../shared) is not beside this checkout")
def test_keys_policies_and_severities_are_those_of_the_recommendations() -> None:
    path: Path = SHARED / "reference" / "recommendations.json"
    known = {entry["name"]: entry for entry in json.loads(path.read_text())}
    listed = [derivation.definition for derivation in DERIVATIONS if derivation.definition.display_name in known]
    assert len(listed) == 7
    for definition in listed:
        entry = known[definition.display_name]
        assert (definition.policy_id, definition.severity) == (entry["policy"], entry["severity"])
        assert entry["key"] in {definition.key, None}

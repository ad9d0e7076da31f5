"""Which Defender plans a subscription has."""

from typing import Any

import pytest
from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.plans import API_POSTURE, DEFENDER_CSPM, DEFENDER_FOR_APIS, Plan, Plans, PlansSource
from apiward_core.errors import AccessError, ApiwardError, RejectedDataError, ThrottledError, TransientError
from tests.unit.connector.samples import SUBSCRIPTION
from tests.unit.connector.transport import Credential, Replies

APIS = {"name": "Api", "properties": {"pricingTier": "Standard", "subPlan": "P1"}}


def load(*pricings: Any) -> Plans:
    return source(Replies((200, {"value": list(pricings)}))).load(SUBSCRIPTION)


def source(transport: Replies) -> PlansSource:
    return PlansSource(
        lambda subscription: SecurityCenter(Credential(), subscription, transport=transport, retry_total=0)
    )


def posture(*extensions: tuple[str, Any], tier: str = "Standard") -> Any:
    listed = [{"name": name, "isEnabled": value} for name, value in extensions]
    return {"name": "CloudPosture", "properties": {"pricingTier": tier, "extensions": listed}}


def test_the_plans_of_a_subscription_are_one_request() -> None:
    transport = Replies((200, {"value": [APIS]}))
    assert source(transport).load(SUBSCRIPTION).by_name == {"api": Plan("Api", enabled=True, sub_plan="P1")}
    expected = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings?api-version=2024-01-01"
    assert [request.url for request in transport.requests] == [f"https://management.azure.com{expected}"]


@pytest.mark.parametrize(("tier", "on"), [("Standard", True), ("standard", True), ("Free", False), ("Tomorrow", False)])
def test_a_plan_is_on_in_the_standard_tier(tier: str, on: bool) -> None:
    assert load({"name": "Api", "properties": {"pricingTier": tier}}).has(DEFENDER_FOR_APIS) is on


def test_a_plan_that_is_not_listed_is_off() -> None:
    assert not load(posture()).has(DEFENDER_FOR_APIS)


@pytest.mark.parametrize(
    ("value", "on"), [("True", True), ("true", True), ("False", False), ("", False), (None, False)], ids=repr
)
def test_an_extension_is_on_by_the_text_true(value: Any, on: bool) -> None:
    assert load(posture(("apiPosture", value))).has(DEFENDER_CSPM, API_POSTURE) is on


def test_an_extension_of_a_free_plan_is_off() -> None:
    assert not load(posture(("ApiPosture", "True"), tier="Free")).has(DEFENDER_CSPM, API_POSTURE)


def test_a_plan_that_nobody_knows_yet_is_kept() -> None:
    listed = load({"name": "Quantum", "properties": {"pricingTier": "Standard", "member": {"of": "tomorrow"}}}, APIS)
    assert listed.has("quantum")
    assert listed.has(DEFENDER_FOR_APIS)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}}, AccessError),
        (429, {"error": {"code": "Throttled", "message": "slow down"}}, ThrottledError),
        (200, b'{"value": [', TransientError),
        (200, {"value": [{"name": "Api", "properties": {"enablementTime": "soon"}}]}, TransientError),
        (200, {"value": []}, RejectedDataError),
        (200, {}, RejectedDataError),
    ],
    ids=["refused", "throttled", "cut", "odd date", "no plan", "no list"],
)
def test_plans_that_cannot_be_read_are_an_error(status: int, body: Any, error: type[ApiwardError]) -> None:
    with pytest.raises(error, match=f"Defender plans of subscriptions/{SUBSCRIPTION}"):
        source(Replies((status, body))).load(SUBSCRIPTION)


@pytest.mark.parametrize(
    "pricing", [None, {}, {"properties": {"pricingTier": "Standard"}}], ids=["null", "{}", "no name"]
)
def test_a_plan_without_a_name_is_not_left_out(pricing: Any) -> None:
    with pytest.raises(RejectedDataError, match="without a name"):
        load(APIS, pricing)

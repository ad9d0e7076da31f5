from typing import Any

import pytest

from apiward_lab.web import Reply
from tests.unit.lab.tenant import Tenant


class Plans:
    """The Defender plans of one subscription."""

    def __init__(self, index: int) -> None:
        self.tenant = Tenant()
        self.subscription = self.tenant.estate.subscriptions[index]

    def send(self, method: str, plan: str = "", properties: Any = None, **query: str) -> Reply:
        path = f"{self.subscription.resource_id}/providers/Microsoft.Security/pricings"
        return self.tenant.send(method, path + (f"/{plan}" if plan else ""), "2024-01-01", properties, **query)

    def properties(self, plan: str) -> Any:
        return self.send("GET", plan).body["properties"]


def test_the_plan_is_on_in_two_subscriptions_of_three() -> None:
    assert [Plans(index).properties("Api")["pricingTier"] for index in range(3)] == ["Standard", "Standard", "Free"]


def test_switching_a_plan_on_takes_the_default_sub_plan_and_the_time() -> None:
    plans = Plans(2)
    before = plans.tenant.clock.now()
    outcome = plans.send("PUT", "Api", {"pricingTier": "Standard"})
    shown = plans.properties("api")
    assert outcome.status == 200
    assert (shown["pricingTier"], shown["subPlan"], shown["resourcesCoverageStatus"]) == (
        "Standard",
        "P1",
        "FullyCovered",
    )
    assert shown["enablementTime"] >= before.isoformat()[:19]


def test_changing_the_sub_plan_keeps_the_time() -> None:
    plans = Plans(0)
    before = plans.properties("Api")
    plans.send("PUT", "Api", {"pricingTier": "Standard", "subPlan": "P2"})
    assert plans.properties("Api") == {**before, "subPlan": "P2"}


def test_a_plan_that_is_switched_off_forgets_what_it_had() -> None:
    plans = Plans(0)
    plans.send("PUT", "CloudPosture", {"pricingTier": "Free"})
    assert set(plans.properties("CloudPosture")) == {
        "pricingTier",
        "freeTrialRemainingTime",
        "enforce",
        "resourcesCoverageStatus",
    }


def test_an_extension_is_switched_alone() -> None:
    plans = Plans(1)

    def switches() -> dict[str, str]:
        return {entry["name"]: entry["isEnabled"] for entry in plans.properties("CloudPosture")["extensions"]}

    before = switches()
    sent = {"pricingTier": "Standard", "extensions": [{"name": "ApiPosture", "isEnabled": "False"}]}
    plans.send("PUT", "CloudPosture", sent)
    assert before["ApiPosture"] == "True"
    assert switches() == {**before, "ApiPosture": "False"}


@pytest.mark.parametrize(
    ("plan", "properties", "words"),
    [
        ("Api", {"pricingTier": "Premium"}, "pricingTier"),
        ("Api", {"subPlan": "P2"}, "pricingTier"),
        ("Api", {"pricingTier": "Standard", "subPlan": "P9"}, "P9"),
        ("Api", {"pricingTier": "Standard", "enforce": True}, "enforce"),
        (
            "CloudPosture",
            {"pricingTier": "Standard", "extensions": [{"name": "ApiPosture", "isEnabled": True}]},
            "ApiPosture",
        ),
        ("Api", {"pricingTier": "Standard", "extensions": [{"name": "ApiPosture", "isEnabled": "True"}]}, "ApiPosture"),
        ("Api", None, "properties"),
    ],
)
def test_what_is_not_valid_is_named_and_changes_nothing(plan: str, properties: Any, words: str) -> None:
    plans = Plans(0)
    before = plans.properties(plan)
    refused = plans.send("PUT", plan, properties)
    assert refused.status == 400
    assert words in refused.body["error"]["message"]
    assert plans.properties(plan) == before


def test_a_list_can_be_narrowed_by_name() -> None:
    plans = Plans(0)
    narrowed = plans.send("GET", **{"$filter": "name in (Api,CloudPosture)"}).body["value"]
    assert sorted(row["name"] for row in narrowed) == ["Api", "CloudPosture"]
    assert plans.send("GET", **{"$filter": "name eq 'Api'"}).status == 400
    assert plans.send("GET", "Nothing").status == 404


def test_the_documents_are_those_of_the_list() -> None:
    plans = Plans(0)
    documents = plans.tenant.defender.pricing_documents(plans.subscription.subscription_id)
    assert list(documents) == plans.send("GET").body["value"]
    assert plans.tenant.defender.pricing_documents("00000000-0000-0000-0000-000000000000") == []

"""ARM ids are parsed strictly, compared without case, and checked against the allowed scopes."""

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.errors import GuardrailError, RejectedDataError

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
SERVICE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-api/providers/Microsoft.ApiManagement/service/apim-orders"


def test_parts_of_a_nested_resource() -> None:
    api = ArmId.parse(f"{SERVICE}/apis/orders;rev=2")
    assert api.type == "Microsoft.ApiManagement/service/apis"
    assert api.names == ("apim-orders", "orders;rev=2")
    assert (api.subscription_id, api.resource_group) == (SUBSCRIPTION, "rg-api")
    assert api.top_level().text == SERVICE


def test_an_extension_resource_keeps_its_host() -> None:
    assessment = ArmId.parse(f"{SERVICE}/providers/Microsoft.Security/assessments/abc")
    assert assessment.type == "Microsoft.Security/assessments"
    assert assessment.top_level().text == SERVICE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"/subscriptions/{SUBSCRIPTION}", "Microsoft.Resources/subscriptions"),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg (eu) é", "Microsoft.Resources/resourceGroups"),
        (f"subscriptions/{SUBSCRIPTION}/", "Microsoft.Resources/subscriptions"),
    ],
)
def test_ids_without_a_provider(text: str, kind: str) -> None:
    assert ArmId.parse(text).type == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/subscriptions/not-a-guid",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ApiManagement/service",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ApiManagement",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/../providers/Microsoft.ApiManagement/service/a",
        f"{SERVICE}/apis/orders?api-version=1",
        f"{SERVICE}/apis/orders#x",
        f"{SERVICE}/apis/%2e%2e",
        f"{SERVICE}//apis/orders",
        f"{SERVICE}/apis/orders\\..",
        f"{SERVICE}/apis/or\nders",
        f"{SERVICE}/apis/ orders",
        f"{SERVICE}/apis /orders",
        f"{SERVICE}/apis/orders ",
        SERVICE + "/apis/" + "x" * 2048,
        f"https://example.invalid{SERVICE}",
    ],
)
def test_malformed_ids_are_refused(text: str) -> None:
    with pytest.raises(RejectedDataError, match="is no ARM id"):
        ArmId.parse(text)


def test_scopes_compare_without_case_and_by_whole_segments() -> None:
    api = ArmId.parse(f"{SERVICE}/apis/orders")
    assert api.is_within(ArmId.parse(SERVICE.upper().replace("/SUBSCRIPTIONS", "/subscriptions")))
    assert not api.is_within(ArmId.parse(SERVICE.removesuffix("rders")))


def test_an_id_outside_the_allowed_scopes_is_refused_with_both_named() -> None:
    allowed = ArmId.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other")
    with pytest.raises(GuardrailError, match=r"apim-orders is outside the allowed scopes .*rg-other"):
        ArmId.parse(SERVICE).require_within([allowed])
    with pytest.raises(GuardrailError, match="none"):
        ArmId.parse(SERVICE).require_within([])


def test_an_extension_of_an_allowed_resource_is_refused() -> None:
    allowed = ArmId.parse(SERVICE)
    prod = ArmId.parse(f"{SERVICE}/providers/Microsoft.ApiManagement/service/apim-prod/apis/payments")
    with pytest.raises(GuardrailError, match="extension of another resource"):
        prod.require_within([allowed])
    assert ArmId.parse(f"{SERVICE}/apis/orders").require_within([allowed]).name == "orders"


ODD_NAMES = ["orders%20v1", "get {id}", "a|b", 'a"b', "a^b", "a`b", "<a>", "a?b", "a#b", "a\\b", " padded "]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_can_be_read_and_not_acted_on(name: str) -> None:
    text = f"{SERVICE}/apis/{name}"
    read = ArmId.read(text)
    assert (read.text, read.names) == (text, ("apim-orders", name))
    with pytest.raises(RejectedDataError, match="is no ARM id"):
        ArmId.parse(text)
    with pytest.raises(RejectedDataError, match="is no ARM id"):
        read.require_within([ArmId.parse(SERVICE)])


@pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "..", " .. ", " ", "x" * 2048])
def test_what_is_no_name_at_all_is_not_read_either(name: str) -> None:
    with pytest.raises(RejectedDataError, match="is no ARM id"):
        ArmId.read(f"{SERVICE}/apis/{name}/operations/get")

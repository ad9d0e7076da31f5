"""Whatever JSON comes, one of three answers; and equal content gives an equal answer, however it is spelled."""

from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from apiward_connector.finding import Finding, Unreadable
from apiward_connector.place import locate, place_of
from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError
from tests.unit.connector.samples import KEY, OTHER_KEY, SERVICE, SUBSCRIPTION, columns, normaliser, read

NAMES = (
    *("id", "name", "location", "properties", "displayName", "resourceDetails", "azureResourceId", "status", "code"),
    *("cause", "description", "statusChangeDate", "firstEvaluationDate", "additionalData", "risk", "level", "metadata"),
    *("categories", "severity", "policyDefinitionId"),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=[])),  # lone surrogates, too
    st.sampled_from([KEY, OTHER_KEY, SERVICE, f"{SERVICE}/apis/a", "API endpoints", "2026-11-20T08:00:00.1234567Z"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=5),
)
LIKELY = st.fixed_dictionaries(
    {"id": VALUES, "name": st.just(KEY) | VALUES},
    optional={
        "location": VALUES,
        "properties": st.fixed_dictionaries(
            {"resourceDetails": st.fixed_dictionaries({"id": TEXTS | VALUES})},
            optional={
                "status": st.dictionaries(st.sampled_from(NAMES), VALUES),
                **dict.fromkeys(("displayName", "additionalData", "risk", "metadata"), VALUES),
            },
        ),
    },
)
PARTS = st.sampled_from(
    [
        *("apis", "operations", "apicollections", "providers", "Microsoft.Security", "microsoft.web", "sites"),
        *("echo;rev=2", "Echo", "..", "", " ", "a b", "\x07", "\N{NO-BREAK SPACE}", "backends"),
    ]
)
SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
ROOTS = st.sampled_from(
    [
        *(SERVICE, SITE, MACHINE, SERVICE.removeprefix("/"), SERVICE + "/"),
        *(MACHINE + "/providers/Microsoft.ApiManagement/service/x", SERVICE.rpartition("/")[0], f"/x{SERVICE}", ""),
    ]
)


@given(VALUES | LIKELY)
@example([])
@example({"name": KEY, "properties": {"resourceDetails": {"id": SERVICE}, "additionalData": {"a": "\ud800"}}})
def test_any_json_is_a_finding_or_unreadable_or_not_about_apis(raw: Any) -> None:
    result = read(normaliser(), raw)
    if isinstance(result, Finding):
        assert columns(result)["ResourceId"] == result.place.resource_id
    elif result is not None:
        assert isinstance(result, Unreadable)
        assert orjson.dumps(result)


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_what_is_nested_too_deeply_is_named() -> None:
    details, status = {"id": SERVICE}, {"code": "Healthy"}
    raw = {"name": KEY, "properties": {"resourceDetails": details, "status": status, "additionalData": nested(900)}}
    result = read(normaliser(), raw)
    assert isinstance(result, Unreadable)
    assert (result.what, "ecursion" in result.why) == (KEY, True)


@given(LIKELY, st.randoms(use_true_random=False))
def test_the_order_of_members_and_the_case_of_their_names_make_no_difference(raw: Any, random: Any) -> None:
    def respelled(document: Any, *, names: bool) -> Any:
        if not isinstance(document, dict):
            return document
        items = list(document.items())
        random.shuffle(items)
        return {
            (random.choice([str.upper, str.lower, str])(key) if names and key in NAMES else key): respelled(
                value, names=names and key != "additionalData"
            )
            for key, value in items
        }

    if clear(raw):
        assert read(normaliser(), respelled(raw, names=True)) == read(normaliser(), raw)


def clear(document: Any) -> bool:
    """Whether no object has two members whose names differ in case alone."""
    if not isinstance(document, dict):
        return True
    return len({key.lower() for key in document}) == len(document) and all(map(clear, document.values()))


@given(ROOTS, st.lists(PARTS, max_size=6))
@example(SERVICE, ["apis", "echo;rev=2", "operations", "get"])
@example(SERVICE + "/", ["apis", "echo"])
@example(SERVICE, ["apicollections", "echo"])
@example(SERVICE, ["providers", "echo"])
@example(SERVICE, ["apis", ".."])
@example(SERVICE, ["apis", "\x07"])
@example(SERVICE, ["apis", "x" * 3000])
@example(SITE, ["apis", "echo", "operations", "get"])
@example(MACHINE + "/providers/Microsoft.ApiManagement/service/x", ["apis", "echo"])
def test_an_id_is_placed_alike_by_its_parts_and_as_a_whole(root: str, parts: list[str]) -> None:
    resource_id = "/".join((root, *parts)).lower()
    try:
        expected = locate(ArmId.read(resource_id), {})
    except RejectedDataError:
        expected = None
    try:
        placed = place_of(resource_id)
    except RejectedDataError:
        placed = None
    assert placed == expected

"""The catalogue: every entry is whole, found by each of its names, and what it promises exists."""

from importlib.resources import files

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Recommendation, load_catalogue, normalised_name, parse_entry
from apiward_core.errors import ConfigurationError, GuardrailError
from apiward_playbooks.remediation import load_remediation
from tests.contract.openapi import shared_dir

ENTRIES = list(load_catalogue())
TEXT = (files("apiward_core") / "catalogue" / "apim-encrypted-protocols.yaml").read_text("utf-8")

each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)


@each
def test_it_has_a_remediation_of_its_name_or_says_how_to_do_it_by_hand(entry: Recommendation) -> None:
    if entry.remediation == "guided":
        with pytest.raises(GuardrailError, match="guided"):
            load_remediation(entry)
    else:
        assert load_remediation(entry).slug == entry.slug


@each
def test_it_is_found_by_key_by_policy_and_by_every_name(entry: Recommendation) -> None:
    catalogue = load_catalogue()
    unknown = "00000000-0000-4000-8000-000000000000"
    if entry.key:
        assert catalogue.by_key(entry.key.upper()) is entry
    if entry.policy_definition_id:
        policy = f"/providers/Microsoft.Authorization/policyDefinitions/{entry.policy_definition_id}"
        assert catalogue.resolve(unknown, policy_definition_id=policy, display_name="") is entry
    for name in entry.names:
        assert catalogue.resolve(unknown, policy_definition_id="", display_name=f"(Preview) {name}") is entry


@each
def test_its_permissions_are_operations_that_exist(entry: Recommendation) -> None:
    lines = (shared_dir() / "reference" / "provider-operations.tsv").read_text("utf-8").lower().splitlines()
    published = {field for line in lines for field in line.split("\t")}
    assert {action.lower() for action in (*entry.permissions.read, *entry.permissions.write)} <= published


@each
def test_its_resource_type_is_an_arm_type(entry: Recommendation) -> None:
    namespace, *types = entry.resource_type.split("/")
    names = "/".join(f"{kind}/x" for kind in types)
    subscription = "/subscriptions/11111111-2222-3333-4444-555555555555"
    assert ArmId.parse(f"{subscription}/resourceGroups/rg/providers/{namespace}/{names}").type == entry.resource_type


def test_spellings_of_a_name_are_one_name() -> None:
    name = "API Management subscriptions should not be scoped to all APIs"
    contracted = name.replace("should not", "shouldn't")
    assert normalised_name(f"(Preview) {contracted} ") == normalised_name(name)
    assert normalised_name(contracted.replace("'", "’")) == normalised_name(name)
    assert normalised_name(name.replace("not ", "")) != normalised_name(name)


def test_an_unknown_recommendation_is_none_and_an_unknown_slug_an_error() -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert load_catalogue().resolve(unknown, policy_definition_id="", display_name="Disks should be encrypted") is None
    with pytest.raises(ConfigurationError, match=r"Known are: .*apim-encrypted-protocols"):
        load_catalogue().by_slug("nothing")


@pytest.mark.parametrize(
    ("file_name", "text", "words"),
    [
        ("other.yaml", TEXT, "Name the file by its slug"),
        ("apim-encrypted-protocols.yaml", TEXT.replace("severity: High", "severity: Severe"), "severity"),
        ("apim-encrypted-protocols.yaml", TEXT.replace("exemptible", "exemptable"), "exemptable"),
        ("apim-encrypted-protocols.yaml", TEXT.replace("741b141d", "741B141D"), "key"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_file(file_name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=file_name) as refused:
        parse_entry(file_name, text)
    assert words in str(refused.value)

"""The catalogue: every entry is whole and found by each of its names, and what contradicts itself is refused."""

from importlib.resources import files

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Catalogue, Recommendation, load_catalogue, normalised_name, parse_entry
from apiward_core.errors import ConfigurationError
from apiward_rules.mitre import TACTICS_OF

ENTRIES = list(load_catalogue())
TEXT = (files("apiward_core") / "catalogue" / "apim-encrypted-protocols.yaml").read_text("utf-8")
ENCRYPTED = load_catalogue().by_slug("apim-encrypted-protocols")
UNKNOWN = "00000000-0000-4000-8000-000000000000"

each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)


def changed(old: str, new: str) -> str:
    """The text of an entry with one part replaced."""
    assert old in TEXT
    return TEXT.replace(old, new)


def twin(**changes: object) -> Recommendation:
    """The entry of encrypted protocols under another slug, with nothing in common but what is not changed."""
    own: dict[str, object] = {"slug": "twin", "key": None, "policy_definition_id": None, "names": ("Twin",)}
    return ENCRYPTED.model_copy(update=own | changes)


@each
def test_it_is_found_by_key_by_policy_and_by_every_name(entry: Recommendation) -> None:
    catalogue = load_catalogue()
    if entry.key:
        assert catalogue.by_key(entry.key.upper()) is entry
    if entry.policy_definition_id:
        policy = f"/providers/Microsoft.Authorization/policyDefinitions/{entry.policy_definition_id.upper()}"
        assert catalogue.resolve(UNKNOWN, policy_definition_id=policy, display_name="") is entry
    for name in entry.names:
        assert catalogue.resolve(UNKNOWN, policy_definition_id="", display_name=f"(Preview) {name}") is entry


@each
def test_its_tactics_and_techniques_belong_together(entry: Recommendation) -> None:
    tactics_of = [set(TACTICS_OF[technique]) for technique in entry.techniques]
    assert set(entry.tactics) <= set().union(*tactics_of)
    assert [techniques for techniques in tactics_of if not techniques & set(entry.tactics)] == []


@each
def test_its_resource_type_is_an_arm_type(entry: Recommendation) -> None:
    namespace, *types = entry.resource_type.split("/")
    names = "/".join(f"{kind}/x" for kind in types)
    subscription = "/subscriptions/11111111-2222-3333-4444-555555555555"
    assert ArmId.parse(f"{subscription}/resourceGroups/rg/providers/{namespace}/{names}").type == entry.resource_type


@each
def test_somebody_can_fix_it_by_what_it_says(entry: Recommendation) -> None:
    assert len(entry.steps) > 1
    assert entry.permissions.read
    assert entry.permissions.write
    assert entry.owasp_api
    assert entry.techniques
    texts = (entry.meaning, *entry.steps, entry.guided_because, entry.breaking, entry.irreversible)
    assert [text for text in texts if text and text != " ".join(text.split())] == []


def test_the_key_counts_before_the_policy_and_the_policy_before_the_name() -> None:
    by_key, by_policy, by_name = (
        twin(slug="a", key=UNKNOWN, names=("A",)),
        twin(slug="b", policy_definition_id=UNKNOWN, names=("B",)),
        twin(slug="c", names=("C",)),
    )
    for order in ((by_key, by_policy, by_name), (by_name, by_policy, by_key)):
        catalogue = Catalogue(order)
        assert catalogue.resolve(UNKNOWN, policy_definition_id=UNKNOWN, display_name="C") is by_key
        assert catalogue.resolve("x", policy_definition_id=UNKNOWN, display_name="C") is by_policy
        assert catalogue.resolve("x", policy_definition_id="x", display_name="C") is by_name


@pytest.mark.parametrize(
    ("shared", "words"),
    [
        ({"key": ENCRYPTED.key}, "key"),
        ({"policy_definition_id": ENCRYPTED.policy_definition_id}, "policy_definition_id"),
        ({"names": (ENCRYPTED.name.upper(),)}, "name"),
        ({"slug": ENCRYPTED.slug}, "slug"),
    ],
    ids=["key", "policy", "name", "slug"],
)
def test_two_entries_that_share_an_identity_are_refused(shared: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"have one {words}: ") as refused:
        Catalogue([ENCRYPTED, twin(**shared)])
    assert ENCRYPTED.slug in refused.value.message


def test_entries_without_key_and_policy_are_no_duplicates() -> None:
    assert len(list(Catalogue([twin(), twin(slug="triplet", names=("Triplet",))]))) == 2


def test_spellings_of_a_name_are_one_name() -> None:
    name = "API Management subscriptions should not be scoped to all APIs"
    contracted = name.replace("should not", "shouldn't")
    for spelled in (
        f"(Preview) {contracted} ",
        f"[Preview]: {name}",
        f"[Deprecated]: {name}",
        contracted.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
    ):
        assert normalised_name(spelled) == normalised_name(name)
    assert normalised_name(name.replace("not ", "")) != normalised_name(name)


def test_what_cannot_be_taken_back_is_not_reversible() -> None:
    assert ENCRYPTED.reversible
    assert not twin(irreversible="It is gone.").reversible


def test_an_unknown_recommendation_is_none_and_an_unknown_slug_an_error() -> None:
    assert load_catalogue().resolve(UNKNOWN, policy_definition_id="", display_name="Encrypt the disks") is None
    with pytest.raises(ConfigurationError, match=r"Known are: .*apim-encrypted-protocols"):
        load_catalogue().by_slug("nothing")


@pytest.mark.parametrize(
    ("file_name", "text", "words"),
    [
        ("other.yaml", TEXT, "Name the file by its slug"),
        ("apim-encrypted-protocols.yaml", changed("severity: High", "severity: Severe"), "severity"),
        ("apim-encrypted-protocols.yaml", changed("exemptible", "exemptable"), "exemptable"),
        ("apim-encrypted-protocols.yaml", changed("741b141d", "741B141D"), "key"),
        ("apim-encrypted-protocols.yaml", changed("API8:2023", "API8"), "owasp_api"),
        ("apim-encrypted-protocols.yaml", changed("plan: Foundational", "plan: Basic"), "plan"),
        ("apim-encrypted-protocols.yaml", changed("remediation: automatic", "remediation: guided"), "guided_because"),
        ("apim-encrypted-protocols.yaml", changed("because: null", "because: It is hard."), "guided_because"),
    ],
    ids=["slug", "severity", "unknown field", "key", "owasp", "plan", "guided for no reason", "reason for nothing"],
)
def test_a_wrong_entry_is_refused_with_its_file(file_name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=file_name) as refused:
        parse_entry(file_name, text)
    assert words in str(refused.value)

"""The catalogue against what was collected of Microsoft's recommendations and of the providers' RBAC operations."""

import json
from functools import cache
from typing import Any

import pytest

from apiward_core.catalogue import Recommendation, load_catalogue
from tests.contract.openapi import shared_dir

ENTRIES = list(load_catalogue())
NOT_EXEMPTIBLE = {
    "apim-api-onboarded",
    "func-endpoint-authenticated",
    "func-unused-endpoint",
    "logic-endpoint-authenticated",
    "logic-unused-endpoint",
}  # Defender for Cloud FAQ


@cache
def collected() -> dict[str, Any]:
    """What was collected of each recommendation, by slug."""
    text = (shared_dir() / "reference" / "recommendations.json").read_text("utf-8")
    return {found["id"]: found for found in json.loads(text)}


@cache
def operations() -> dict[str, str]:
    """The kind of each published operation, "action" or "dataAction", by its name in lower case."""
    lines = (shared_dir() / "reference" / "provider-operations.tsv").read_text("utf-8").splitlines()[1:]
    return {name.lower(): kind for name, kind, _ in (line.split("\t") for line in lines)}


def test_it_holds_every_collected_recommendation_and_no_other() -> None:
    assert {entry.slug for entry in ENTRIES} == set(collected())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_an_entry_is_what_was_collected(entry: Recommendation) -> None:
    found = collected()[entry.slug]
    assert (entry.key, entry.policy_definition_id, entry.severity) == (
        found["key"],
        found["policy"],
        found["severity"],
    )
    assert entry.name == found["name"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_its_permissions_are_published_operations(entry: Recommendation) -> None:
    named = {action.lower() for action in (*entry.permissions.read, *entry.permissions.write)}
    assert named - set(operations()) == set()


def test_only_the_write_to_the_vault_is_a_data_action() -> None:
    named = {action for entry in ENTRIES for action in (*entry.permissions.read, *entry.permissions.write)}
    assert {action for action in named if operations()[action.lower()] == "dataAction"} == {
        "Microsoft.KeyVault/vaults/secrets/setSecret/action"
    }


def test_five_cannot_be_exempted() -> None:
    assert {entry.slug for entry in ENTRIES if not entry.exemptible} == NOT_EXEMPTIBLE

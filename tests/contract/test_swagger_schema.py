"""Each keyword that Azure's documents use beyond JSON Schema keeps its meaning in the translation."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.swagger_schema import Direction, Node, Translator

DEFINITIONS: dict[str, Any] = {
    "Shop": {
        "type": "object",
        "required": ["id", "secret", "name"],
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "secret": {"type": "string", "x-ms-mutability": ["create", "update"]},
            "name": {"type": "string"},
            "opened": {"type": "string", "format": "date-time", "x-nullable": True},
            "owner": {"type": "string", "format": "uuid"},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            "anything": {"type": "object"},
            "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            "size": {"type": "string", "enum": ["Small"], "x-ms-enum": {"name": "Size", "modelAsString": True}},
            "state": {"type": "string", "enum": ["Open"], "x-ms-enum": {"name": "State", "modelAsString": False}},
            "pet": {"description": "the pet", "allOf": [{"$ref": "#/definitions/Pet"}]},
            "cat": {"$ref": "other.json#/definitions/Cat", "x-nullable": True},
            "branches": {"type": "array", "items": {"$ref": "#/definitions/Shop"}},
        },
    },
    "Pet": {
        "type": "object",
        "discriminator": "kind",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}, "age": {"type": "integer"}},
    },
    "Dog": {
        "type": "object",
        "x-ms-discriminator-value": "dog",
        "allOf": [{"$ref": "#/definitions/Pet"}],
        "properties": {"barks": {"type": "boolean"}},
    },
    "Puppy": {"type": "object", "allOf": [{"$ref": "#/definitions/Dog"}], "required": ["litter"], "properties": {
        "litter": {"type": "integer"}}},
}  # fmt: skip
OTHER: dict[str, Any] = {
    "Cat": {
        "type": "object",
        "allOf": [{"$ref": "main.json#/definitions/Pet"}],
        "properties": {"lives": {"type": "integer"}},
    }
}


def faults(folder: Path, value: Any, *, direction: Direction = "response", closed: bool = True) -> list[str]:
    main = folder / "main.json"
    main.write_text(json.dumps({"definitions": DEFINITIONS}), "utf-8")
    (folder / "other.json").write_text(json.dumps({"definitions": OTHER}), "utf-8")
    validator = Translator(main, direction, closed=closed).validator(Node({"$ref": "#/definitions/Shop"}, main))
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]


def shop(**more: Any) -> dict[str, Any]:
    return {"id": "1", "name": "n", **more}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"opened": None},
        {"opened": "2026-11-23T10:00:00.1234567Z"},
        {"owner": "D0CFE6B2-9ac0-4464-9919-dccaee2e48c0"},
        {"tags": {"a": "b"}},
        {"anything": 7},
        {"size": "Huge"},
        {"cat": None},
        {"cat": {"kind": "Cat", "lives": 9}},
        {"pet": {"kind": "dog", "barks": True, "age": 3}},
        {"pet": {"kind": "Puppy", "barks": True, "litter": 1}},
        {"branches": [shop()]},
    ],
)
def test_what_the_document_allows_is_accepted(tmp_path: Path, more: dict[str, Any]) -> None:
    assert faults(tmp_path, shop(**more)) == []


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"name": None}, "$.name: None is not of type 'string'"),
        ({"opened": "yesterday"}, "$.opened: 'yesterday' is not a 'date-time'"),
        ({"owner": "me"}, "$.owner: 'me' is not a 'uuid'"),
        ({"tags": {"a": 1}}, "$.tags.a: 1 is not of type 'string'"),
        ({"share": 0}, "$.share: 0 is less than or equal to the minimum of 0"),
        ({"size": "small"}, "$.size: 'small' is not one of ['Small']"),
        ({"state": "Closed"}, "$.state: 'Closed' is not one of ['Open']"),
        ({"pet": {"kind": "Dog"}}, "$.pet.kind: 'Dog' is not one of ['Cat', 'Puppy', 'dog']"),
        ({"pet": {"kind": "dog", "barks": 1}}, "$.pet.barks: 1 is not of type 'boolean'"),
        ({"pet": {"kind": "Puppy"}}, "$.pet: 'litter' is a required property"),
        ({"pet": {"kind": "Cat", "barks": True}},
         "$.pet: Additional properties are not allowed ('barks' was unexpected)"),
        ({"cat": {"kind": "dog"}}, "$.cat.kind: 'dog' is not one of ['Cat']"),
        ({"branches": [shop(colour="red")]},
         "$.branches[0]: Additional properties are not allowed ('colour' was unexpected)"),
    ],
)  # fmt: skip
def test_what_the_document_forbids_is_refused(tmp_path: Path, more: dict[str, Any], fault: str) -> None:
    assert faults(tmp_path, shop(**more)) == [fault]


def test_a_request_carries_what_only_the_client_knows(tmp_path: Path) -> None:
    assert faults(tmp_path, {"name": "n", "secret": "s"}, direction="request") == []
    assert faults(tmp_path, {"name": "n"}, direction="request") == ["$: 'secret' is a required property"]


def test_an_answer_carries_what_only_the_service_knows(tmp_path: Path) -> None:
    assert faults(tmp_path, {"name": "n"}) == ["$: 'id' is a required property"]


def test_an_open_translation_accepts_undeclared_properties(tmp_path: Path) -> None:
    assert faults(tmp_path, shop(colour="red"), closed=False) == []

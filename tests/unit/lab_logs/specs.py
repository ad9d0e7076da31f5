"""Compares answers with Microsoft's OpenAPI documents, where these are at hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.contract.openapi import SHARED

SPECIFICATION = SHARED / "specs" / "specification"

needs_specs = pytest.mark.skipif(not SPECIFICATION.is_dir(), reason="the OpenAPI documents are not at ../shared/specs")


def faults(document: str, definition: str, body: Any) -> list[str]:
    """What is wrong with a body by a definition: broken schemas and properties that it does not know.

    Nulls are left out first: the service sends them, the documents rarely allow them.
    """
    path = SPECIFICATION / document
    known = _without_nulls(body)
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]
    validator = Draft4Validator({"$ref": f"{path.as_uri()}#/definitions/{definition}"}, registry=registry)
    broken = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(known)]
    return broken + _unknown(path, json.loads(path.read_text())["definitions"][definition], known, definition)


def _retrieve(uri: str) -> Resource[Any]:
    return DRAFT4.create_resource(json.loads(Path(uri.removeprefix("file://")).read_text()))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list | tuple) else value


def _unknown(path: Path, schema: Any, value: Any, where: str) -> list[str]:
    path, schema = _resolved(path, schema)
    if isinstance(value, list) and "items" in schema:
        return [fault for item in value for fault in _unknown(path, schema["items"], item, where)]
    properties, is_open = _properties(path, schema)
    if not isinstance(value, dict) or is_open or not properties:
        return []
    found = [f"{where}/{key}: is not in the definition" for key in value if key not in properties]
    for key, item in value.items():
        if key in properties:
            found += _unknown(*properties[key], item, f"{where}/{key}")
    return found


def _resolved(path: Path, schema: Any) -> tuple[Path, Any]:
    while "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        path = (path.parent / file).resolve() if file else path
        schema = json.loads(path.read_text())
        for step in pointer.strip("/").split("/"):
            schema = schema[step]
    return path, schema


def _properties(path: Path, schema: Any) -> tuple[dict[str, tuple[Path, Any]], bool]:
    path, schema = _resolved(path, schema)
    found = {key: (path, value) for key, value in schema.get("properties", {}).items()}
    is_open = "additionalProperties" in schema or "discriminator" in schema
    for part in schema.get("allOf", ()):
        inherited, _ = _properties(path, part)
        found |= inherited
    return found, is_open


OPERATIONS = SPECIFICATION.parents[1] / "reference" / "provider-operations.tsv"


def unpublished(actions: Iterable[str]) -> set[str]:
    """The RBAC operations among `actions` that Microsoft's list of provider operations does not hold."""
    published = {line.split("\t")[0].lower() for line in OPERATIONS.read_text().splitlines()}
    return {action for action in actions if action.lower() not in published}

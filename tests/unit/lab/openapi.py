"""Checks bodies against the OpenAPI documents that lie beside the checkout, where they do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.contract.openapi import SHARED

SPECIFICATION = SHARED / "specs" / "specification"

needs_specification = pytest.mark.skipif(
    not SPECIFICATION.is_dir(), reason="the OpenAPI documents (../shared/specs) are not beside this checkout"
)


def _document(uri: str) -> Resource[Any]:
    return Resource.from_contents(json.loads(Path(uri.removeprefix("file://")).read_text()), DRAFT4)


# attrs gives the field this argument name, which mypy does not see.
_REGISTRY: Registry[Any] = Registry(retrieve=_document)  # type: ignore[call-arg]


def example(path: str) -> Any:
    """The body of the 200 answer in an example file."""
    return json.loads((SPECIFICATION / path).read_text())["responses"]["200"]["body"]


def violations(document: str, definition: str, body: Any) -> list[str]:
    """What the definition does not allow in a body: wrong types and values, and properties that it does not have."""
    uri = (SPECIFICATION / document).as_uri()
    schema = {"$ref": f"{uri}#/definitions/{definition}"}
    validator = jsonschema.Draft4Validator(schema, registry=_REGISTRY)
    wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    return wrong + list(_undeclared(uri, definition, body))


def _undeclared(uri: str, definition: str, body: Any, where: str = "$") -> Iterator[str]:
    yield from _walk(uri, _document(uri).contents["definitions"][definition], body, where)


def _walk(uri: str, schema: dict[str, Any], body: Any, where: str) -> Iterator[str]:
    uri, schema = _resolved(uri, schema)
    if isinstance(body, list) and "items" in schema:
        for index, item in enumerate(body):
            yield from _walk(uri, schema["items"], item, f"{where}[{index}]")
    if not isinstance(body, dict):
        return
    uri, schema = _specialised(uri, schema, body)
    declared = dict(_properties(uri, schema))
    if not declared or "additionalProperties" in schema:
        return
    for name, value in body.items():
        if name not in declared:
            yield f"{where}.{name} is not declared"
        else:
            yield from _walk(*declared[name], value, f"{where}.{name}")


def _specialised(uri: str, schema: dict[str, Any], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The definition that the discriminator's value names, where there is a discriminator."""
    value = body.get(schema.get("discriminator", ""))
    for candidate in _document(uri).contents["definitions"].values():
        if value is not None and candidate.get("x-ms-discriminator-value") == value:
            return uri, candidate
    return uri, schema


def _properties(uri: str, schema: dict[str, Any]) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    uri, schema = _resolved(uri, schema)
    for name, value in schema.get("properties", {}).items():
        yield name, (uri, value)
    for parent in schema.get("allOf", ()):
        yield from _properties(uri, parent)


def _resolved(uri: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    while "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        if file:
            uri = (Path(uri.removeprefix("file://")).parent / file).resolve().as_uri()
        schema = _document(uri).contents
        for part in pointer.strip("/").split("/"):
            schema = schema[part]
    return uri, schema

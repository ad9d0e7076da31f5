"""Turns a schema of an OpenAPI 2.0 document into a JSON Schema that says the same, discriminators included.

Inheritance by `allOf` is flattened, so that an object is closed over exactly the properties that it declares, and a
base type becomes a choice of its subtypes by the value of the discriminator.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
Direction = Literal["request", "response"]

_KEPT = (
    "type", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "multipleOf",
    "minimum", "maximum",
)  # fmt: skip
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

formats = FormatChecker(formats=())
formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(_DATE_TIME.fullmatch(value)))
formats.checks("uuid")(lambda value: not isinstance(value, str) or bool(_UUID.fullmatch(value)))


@cache
def load(path: Path) -> Any:
    """The parsed JSON document at `path`."""
    return json.loads(path.read_text("utf-8-sig"))


@dataclass(frozen=True)
class Node:
    """A place in a document: the value there, the file, and the JSON pointer when a $ref can name it."""

    value: Json
    path: Path
    pointer: str = ""

    @property
    def name(self) -> str:
        """The last step of the pointer: a definition's name."""
        return self.pointer.rsplit("/", 1)[-1]

    def at(self, value: Json) -> "Node":
        """`value`, which stands somewhere below this node."""
        return Node(value, self.path)

    def resolved(self) -> "Node":
        """The node itself, or what its $ref leads to."""
        node = self
        while "$ref" in node.value:
            file, _, pointer = node.value["$ref"].partition("#")
            path = (node.path.parent / file).resolve() if file else node.path
            value = load(path)
            for step in pointer.strip("/").split("/") if pointer.strip("/") else []:
                value = value[step.replace("~1", "/").replace("~0", "~")]
            node = Node(value, path, pointer)
        return node


@dataclass
class Shape:
    """An object type with everything that it inherits."""

    properties: dict[str, Node] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    additional: Node | bool | None = None
    discriminator: str | None = None


def shape_of(node: Node) -> Shape:
    """`node`, which may be a reference, flattened with its ancestors."""
    node = node.resolved()
    shape = Shape()
    for parent in node.value.get("allOf", []):
        inherited = shape_of(node.at(parent))
        shape.properties |= inherited.properties
        shape.required |= inherited.required
        shape.additional = inherited.additional if shape.additional is None else shape.additional
        shape.discriminator = inherited.discriminator or shape.discriminator
    shape.properties |= {name: node.at(value) for name, value in node.value.get("properties", {}).items()}
    shape.required |= set(node.value.get("required", []))
    additional = node.value.get("additionalProperties")
    if additional is not None:
        shape.additional = additional if isinstance(additional, bool) else node.at(additional)
    shape.discriminator = node.value.get("discriminator", shape.discriminator)
    return shape


@cache
def _definitions(folder: Path) -> tuple[Node, ...]:
    return tuple(
        Node(value, path, f"/definitions/{name}")
        for path in sorted(folder.glob("*.json"))
        for name, value in load(path).get("definitions", {}).items()
    )


@cache
def _children(path: Path, pointer: str, folders: frozenset[Path]) -> tuple[Node, ...]:
    parents = ((node, node.at(parent).resolved()) for folder in sorted(folders) for node in _definitions(folder)
               for parent in node.value.get("allOf", []) if "$ref" in parent)  # fmt: skip
    return tuple(node for node, parent in parents if (parent.path, parent.pointer) == (path, pointer))


def descendants(node: Node, folders: frozenset[Path]) -> Iterator[Node]:
    """Every definition in `folders` that inherits from `node`."""
    for child in _children(node.path, node.pointer, folders):
        yield child
        yield from descendants(child, folders)


class Translator:
    """Collects the JSON Schema definitions that one body needs.

    `direction` decides about required properties: a request need not carry readOnly ones, an answer need not carry
    those that cannot be read. With `closed`, an object must not carry properties that its type does not declare.
    """

    def __init__(self, document: Path, direction: Direction, *, closed: bool) -> None:
        self._document = document
        self._direction = direction
        self._closed = closed
        self._definitions: dict[str, Json] = {}

    def validator(self, node: Node) -> Draft202012Validator:
        """A validator for values of the type at `node`."""
        schema = self.schema(node)
        return Draft202012Validator({**schema, "$defs": self._definitions}, format_checker=formats)

    def schema(self, node: Node) -> Json:
        """The JSON Schema of `node`; what it refers to goes into the definitions."""
        target = node.resolved()
        result = self._reference(target) if target.pointer else self._inline(target)
        if node.value.get("x-nullable", target.value.get("x-nullable", False)):
            return {"if": {"not": {"type": "null"}}, "then": result}
        return result

    def _reference(self, node: Node) -> Json:
        key = f"{node.path}{node.pointer}".replace("/", ".")
        if key not in self._definitions:
            self._definitions[key] = {}  # a type may contain itself
            self._definitions[key] = self._inline(node)
        return {"$ref": f"#/$defs/{key}"}

    def _inline(self, node: Node) -> Json:
        value = node.value
        only_parent = value.get("allOf", [None])[0] if len(value.get("allOf", ())) == 1 else None
        if only_parent and not node.pointer and "properties" not in value:
            return self.schema(node.at(only_parent))  # a reference with a description, not inheritance
        if "properties" in value or "allOf" in value or "additionalProperties" in value:
            return self._object(node)
        return self._value(node)

    def _value(self, node: Node) -> Json:
        value = node.value
        if value.get("type") in ("object", "file"):
            return {}  # without properties "object" means any value at all, as the SDKs read it
        result = {name: value[name] for name in _KEPT if name in value}
        if value.get("x-ms-enum", {}).get("modelAsString") and "enum" in result:
            result |= _open_enumeration(result.pop("enum"))
        for bound in ("Minimum", "Maximum"):
            if value.get(f"exclusive{bound}"):
                result[f"exclusive{bound}"] = result.pop(bound.lower())
        if value.get("format") in ("date-time", "uuid"):
            result["format"] = value["format"]
        if "items" in value:
            result["items"] = self.schema(node.at(value["items"]))
        return result

    def _object(self, node: Node) -> Json:
        shape = shape_of(node)
        if not shape.discriminator or not node.pointer:
            return self._flat(shape)
        folders = frozenset({self._document.parent, node.path.parent})
        subtypes = {_tag(child): child for child in descendants(node, folders)}
        own = self._flat(shape)
        tag = shape.discriminator
        declared = shape.properties[tag].resolved().value.get("enum", []) if tag in shape.properties else []
        known = [*subtypes, *declared] if "discriminator" in node.value else [*subtypes, _tag(node)]
        cases = [_when(tag, value, self._reference_flat(child)) for value, child in subtypes.items()]
        otherwise = {"if": _has(tag, list(subtypes)), "else": own}
        return {"type": "object", "properties": {tag: {"enum": sorted(set(known))}}, "allOf": [*cases, otherwise]}

    def _reference_flat(self, node: Node) -> Json:
        key = f"{node.path}{node.pointer}.own".replace("/", ".")
        if key not in self._definitions:
            self._definitions[key] = {}
            self._definitions[key] = self._flat(shape_of(node))
        return {"$ref": f"#/$defs/{key}"}

    def _flat(self, shape: Shape) -> Json:
        demanded = (
            name for name in shape.required if name not in shape.properties or self._sent(shape.properties[name])
        )
        result: Json = {
            "type": "object",
            "properties": {name: self.schema(node) for name, node in shape.properties.items()},
            "required": sorted(demanded),
        }
        if isinstance(shape.additional, Node):
            result["additionalProperties"] = self.schema(shape.additional)
        elif shape.additional is not None:
            result["additionalProperties"] = shape.additional
        elif self._closed and shape.properties:
            result["additionalProperties"] = False
        return result

    def _sent(self, node: Node) -> bool:
        settings = {**node.resolved().value, **node.value}
        if self._direction == "request":
            return not settings.get("readOnly")
        return "read" in settings.get("x-ms-mutability", ["read"])


def _tag(node: Node) -> str:
    return str(node.value.get("x-ms-discriminator-value", node.name))


def _open_enumeration(values: list[str]) -> Json:
    """New values may come, but a known one is spelt as declared."""
    any_case = "|".join(re.escape(str(value)) for value in values)
    return {"if": {"type": "string", "pattern": f"^(?i:{any_case})$"}, "then": {"enum": values}}


def _has(tag: str, values: list[str]) -> Json:
    return {"properties": {tag: {"enum": values}}, "required": [tag]}


def _when(tag: str, value: str, then: Json) -> Json:
    return {"if": _has(tag, [value]), "then": then}

"""Judges an HTTP exchange by Microsoft's OpenAPI documents: the operation is found by its URL, and everything that the
document says about the request and the answer is checked.

What the documents leave open is read as Azure Resource Manager means it: an object carries no property that its type
does not declare; a declared ETag is always sent; an answer 202 names one of its declared addresses for polling.
"""

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.contract.swagger_schema import Direction, Node, Translator, load

POLLING = frozenset({"location", "azure-asyncoperation"})
_LOGS_QUERY = ("operationalinsights", "data-plane", "Microsoft.OperationalInsights")
_ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("APIWARD_SHARED", _ROOT.parent / "shared"))
_PARAMETER = re.compile(r"\{([^}]+)\}")
_ESCAPED_PARAMETER = re.compile(r"\\\{.+?\\\}")


@dataclass(frozen=True)
class Exchange:
    """One HTTP request and its answer. Bodies are as sent, after content encodings; None when there is none."""

    method: str
    url: str
    status: int
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request_body: bytes | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: bytes | None = None


def shared_dir() -> Path:
    """The folder of the OpenAPI documents: APIWARD_SHARED, or `shared` beside the checkout. Skips the test without."""
    if not (SHARED / "specs" / "OPERATIONS.tsv").is_file():
        pytest.skip(f"no OpenAPI documents in {SHARED}: set APIWARD_SHARED")
    return SHARED


@dataclass(frozen=True)
class Operation:
    """One operation of a document."""

    operation_id: str
    api_version: str
    method: str
    template: str
    document: Path

    @property
    def node(self) -> Node:
        """The operation object."""
        return Node(load(self.document)["paths"][self.template][self.method.lower()], self.document)

    @property
    def prefix(self) -> str:
        """What stands before the template in a URL. A service that has it takes no api-version in the query."""
        return "/v1" if self.document.parts[-6:-3] == _LOGS_QUERY else ""

    def parameters(self) -> list[Node]:
        """The parameters of the path and of the operation, references followed."""
        shared = load(self.document)["paths"][self.template].get("parameters", [])
        return [self.node.at(value).resolved() for value in [*shared, *self.node.value.get("parameters", [])]]

    def answer(self, status: int) -> Node | None:
        """The declared answer for `status`; errors fall back to the default one."""
        answers = self.node.value["responses"]
        found = answers.get(str(status)) or (answers.get("default") if status >= 400 else None)
        return self.node.at(found).resolved() if found else None


@cache
def operations(specs: Path) -> tuple[Operation, ...]:
    """Every operation of the documents below `specs`."""
    with (specs / "OPERATIONS.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return tuple(
        Operation(
            row["operationId"], row["api-version"], row["method"], row["path"], specs / "specification" / row["file"]
        )
        for row in rows
        if "?" not in row["path"]  # x-ms-paths: told apart by the query, and none of them is called
    )


@cache
def _pattern(prefix: str, template: str) -> re.Pattern[str]:
    pattern = _ESCAPED_PARAMETER.sub("([^/]+)", re.escape(template))
    if template.startswith("/{"):  # a scope or a resource id, which holds slashes
        pattern = pattern.replace("([^/]+)", "(.+)", 1)
    return re.compile(f"{prefix}{pattern}/?", re.IGNORECASE)


def find_operation(specs: Path, method: str, url: str) -> tuple[Operation, dict[str, str]] | str:
    """The operation that `method url` calls with the values of its path parameters, or a sentence why there is none."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query)).get("api-version")
    path = "/" + parts.path.lstrip("/")
    hits = [
        (operation, found)
        for operation in operations(specs)
        if operation.method == method and (found := _pattern(operation.prefix, operation.template).fullmatch(path))
    ]
    fitting = [(operation, found) for operation, found in hits if operation.prefix or operation.api_version == asked]
    if not fitting:
        known = ", ".join(sorted({operation.api_version for operation, _ in hits})) or "none"
        return f"{method} {path}: no document for api-version {asked}; versions of this path: {known}"
    # The most literal template wins; of the two query documents the dated one, which types the cells of a row rightly.
    operation, found = min(fitting, key=lambda hit: (sum(map(len, hit[1].groups())), hit[0].api_version))
    names = _PARAMETER.findall(operation.template)
    return operation, {name: unquote(value) for name, value in zip(names, found.groups(), strict=True)}


def validate_exchange(exchange: Exchange, *, allow_undeclared: bool = False) -> list[str]:
    """What is wrong with `exchange`, a sentence each; empty when it conforms.

    A sentence names the operation, the JSON path or header, and what was expected. `allow_undeclared` accepts
    properties that no document declares. Skips the test where the documents are absent.
    """
    found = find_operation(shared_dir() / "specs", exchange.method, exchange.url)
    if isinstance(found, str):
        return [found]
    operation, path_values = found
    wrong = [
        *_parameter_faults(operation, exchange, path_values),
        *_request_faults(operation, exchange, closed=not allow_undeclared),
        *_answer_faults(operation, exchange, closed=not allow_undeclared),
    ]
    return [f"{operation.operation_id} ({operation.api_version}): {fault}" for fault in wrong]


def _parameter_faults(operation: Operation, exchange: Exchange, path_values: dict[str, str]) -> Iterator[str]:
    places = {
        "path": path_values,
        "query": dict(parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True)),
        "header": dict(exchange.request_headers),
    }
    for parameter in operation.parameters():
        place, name = parameter.value["in"], parameter.value["name"]
        if place not in places:
            continue
        value = {key.lower(): sent for key, sent in places[place].items()}.get(name.lower())
        if value is not None:
            yield from (f"request {place} {name}: {fault}" for fault in _value_faults(operation, parameter, value))
        elif parameter.value.get("required") and place != "path":
            yield f"request {place} {name}: is required"


def _value_faults(operation: Operation, parameter: Node, value: str) -> Iterator[str]:
    if parameter.value["type"] == "string":
        validator = _validator(operation, json.dumps(parameter.value), parameter.path, "request", closed=True)
        yield from (_sentence(fault) for fault in validator.iter_errors(value))


def _request_faults(operation: Operation, exchange: Exchange, *, closed: bool) -> Iterator[str]:
    declared = next((node for node in operation.parameters() if node.value["in"] == "body"), None)
    if declared is None:
        if exchange.request_body:
            yield "request body: the operation takes none"
    elif exchange.request_body:
        schema = declared.at(declared.value["schema"])
        yield from _body_faults(operation, schema, exchange.request_body, "request", closed=closed)
    elif declared.value.get("required"):
        yield "request body: is required"


def _answer_faults(operation: Operation, exchange: Exchange, *, closed: bool) -> Iterator[str]:
    declared = operation.answer(exchange.status)
    if declared is None:
        yield f"status {exchange.status}: declared are {', '.join(operation.node.value['responses'])}"
        return
    yield from _header_faults(declared, exchange)
    schema = declared.value.get("schema")
    if schema is None:
        if exchange.response_body:
            yield f"{exchange.status} body: the document declares none"
    elif not exchange.response_body:
        if exchange.method != "HEAD":
            yield f"{exchange.status} body: is missing"
    else:
        yield from _body_faults(operation, declared.at(schema), exchange.response_body, "response", closed=closed)


def _header_faults(declared: Node, exchange: Exchange) -> Iterator[str]:
    sent = {name.lower() for name in exchange.response_headers}
    named = {name.lower() for name in declared.value.get("headers", {})}
    if "etag" in named - sent:
        yield f"{exchange.status} header ETag: is missing"
    if exchange.status == 202 and named & POLLING and not sent & POLLING:
        yield f"{exchange.status} header {' or '.join(sorted(named & POLLING))}: is missing"


def _body_faults(
    operation: Operation, schema: Node, body: bytes, direction: Direction, *, closed: bool
) -> Iterator[str]:
    validator = _validator(operation, json.dumps(schema.value), schema.path, direction, closed=closed)
    place = "request body" if direction == "request" else "answer body"
    if schema.resolved().value.get("type") == "file":
        return
    try:
        value: Any = json.loads(body)
    except ValueError as error:
        yield f"{place}: is no JSON ({error})"
        return
    for fault in sorted(validator.iter_errors(value), key=lambda error: error.json_path):
        yield f"{place} {fault.json_path}: {_sentence(fault)}"


@cache
def _validator(
    operation: Operation, schema: str, path: Path, direction: Direction, *, closed: bool
) -> Draft202012Validator:
    return Translator(operation.document, direction, closed=closed).validator(Node(json.loads(schema), path))


def _sentence(fault: ValidationError) -> str:
    if fault.validator == "format":
        return f"{fault.instance!r} is no {fault.validator_value}"
    return fault.message

"""The examples that Microsoft's OpenAPI documents carry, as exchanges."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from tests.contract.openapi import Exchange, Operation


def examples(operation: Operation) -> Iterator[tuple[str, Exchange]]:
    """Every example of `operation` with its title, an exchange for each answer that it shows.

    Examples rarely show headers, so those that the document declares are filled in.
    """
    for title, reference in operation.node.value.get("x-ms-examples", {}).items():
        example = operation.node.at(reference).resolved().value
        for status, answer in example["responses"].items():
            declared = operation.answer(int(status))
            headers = dict.fromkeys(declared.value.get("headers", {}), "filled in") if declared else {}
            yield (
                title,
                Exchange(
                    method=operation.method,
                    url=_url(operation, example["parameters"]),
                    status=int(status),
                    request_headers=_values(operation, example["parameters"], "header"),
                    request_body=_request_body(operation, example["parameters"]),
                    response_headers=headers | answer.get("headers", {}),
                    response_body=_encoded(answer.get("body")),
                ),
            )


def _url(operation: Operation, given: dict[str, Any]) -> str:
    path = operation.template
    for name, value in _values(operation, given, "path").items():
        begins = path.startswith("/{" + name)
        path = path.replace("{" + name + "}", value.strip("/") if begins else quote(value, safe=""))
    return f"https://service.example{operation.prefix}{path}?{urlencode(_values(operation, given, 'query'))}"


def _values(operation: Operation, given: dict[str, Any], place: str) -> dict[str, str]:
    named = {name.lower(): value for name, value in given.items()}
    names = [node.value["name"] for node in operation.parameters() if node.value["in"] == place]
    return {name: _text(named[name.lower()]) for name in names if name.lower() in named}


def _request_body(operation: Operation, given: dict[str, Any]) -> bytes | None:
    return next(
        (_encoded(given.get(node.value["name"])) for node in operation.parameters() if node.value["in"] == "body"), None
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _encoded(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()

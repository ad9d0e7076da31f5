"""Azure as Microsoft's documents show it, for clients that only read."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from azure.core.pipeline.transport import HttpRequest, HttpTransport

from tests.contract.openapi import Operation, find_operation
from tests.contract.spec_examples import examples
from tests.unit.connector.transport import Answer

ETAG = '"AAAAAAAAD4g="'
_EXAMPLES = "specification/apimanagement/resource-manager/Microsoft.ApiManagement/stable/2024-05-01/examples"


class DocumentedService(HttpTransport[Any, Any]):
    """Answers a GET of the `resource` with it, and every other GET with the first example of its operation.

    `instead` holds answers by operation id for which no example is wanted. Answers have an ETag where the document
    declares one. `operations` are those that were called. Any other request is a fault of the caller and raises
    AssertionError.
    """

    def __init__(self, specs: Path, resource: Mapping[str, Any], *, instead: Mapping[str, Any] | None = None) -> None:
        self._specs = specs
        self._resource = resource
        self._instead = instead or {}
        self.operations: list[Operation] = []

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        found = find_operation(self._specs, request.method, request.url)
        assert not isinstance(found, str), found
        operation, _ = found
        assert operation.method == "GET", f"{operation.operation_id} is no read"
        self.operations.append(operation)
        declared = operation.answer(200)
        headers = {"ETag": ETAG} if declared and "ETag" in declared.value.get("headers", {}) else {}
        return Answer(request, 200, self._body(request, operation), headers)

    def _body(self, request: HttpRequest, operation: Operation) -> bytes:
        if unquote(urlsplit(request.url).path).lower() == self._resource["id"].lower():
            return json.dumps(self._resource).encode()
        if operation.operation_id in self._instead:
            return json.dumps(self._instead[operation.operation_id]).encode()
        shown = (exchange.response_body for _, exchange in examples(operation) if exchange.status == 200)
        return next(body for body in shown if body)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def resources(specs: Path, is_wanted: Callable[[str], bool]) -> list[tuple[str, Any]]:
    """Each resource of API Management 2024-05-01 in an example's answer whose id is wanted, with the file's name."""
    return [
        (path.name, item)
        for path in sorted((specs / _EXAMPLES).glob("*.json"))
        for answer in json.loads(path.read_text("utf-8-sig"))["responses"].values()
        for item in items(answer.get("body"))
        if is_wanted(str(item.get("id")))
    ]


def answer_of(specs: Path, file: str) -> Any:
    """The body of the answer 200 in an example of API Management 2024-05-01."""
    return json.loads((specs / _EXAMPLES / file).read_text("utf-8-sig"))["responses"]["200"]["body"]


def items(body: Any) -> list[Any]:
    """The resources in an answer: those of a list, or the one that it is."""
    listed = body.get("value", [body]) if isinstance(body, dict) else []
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def action(operation: Operation) -> str:
    """The RBAC action of a read: the types in its path without their names."""
    namespace, _, rest = operation.template.rpartition("/providers/")[2].partition("/")
    return "/".join((namespace, *rest.split("/")[::2], "read"))

"""The operations of an API, from the entities that it handles."""

from collections.abc import Iterator
from typing import Any

from apiward_lab.estate.apis import Operation
from apiward_lab.estate.rows import ApiRow

# verb, HTTP method, whether it addresses one entity
_VIEWING = (("list", "GET", False), ("get", "GET", True))
_HANDLING = (*_VIEWING, ("create", "POST", False), ("update", "PUT", True), ("delete", "DELETE", True))


def operations(row: ApiRow) -> Iterator[Operation]:
    """The operations that the row describes; a WebSocket API has its handshake alone."""
    if row.api_type == "websocket":
        yield _operation("onHandshake", "onHandshake", "GET", "/")
    for nouns, verbs in ((row.entities, _HANDLING), (row.views, _VIEWING)):
        for noun in nouns:
            yield from (_handling(noun, *verb) for verb in verbs)
    for action in row.actions:
        yield _operation(action, action, "POST", f"/?soapAction=http://warehouse.contoso.example/{action}")


def _handling(noun: str, verb: str, method: str, addresses_one: bool) -> Operation:
    many = _plural(noun)
    subject = many if verb == "list" else noun
    label = f"{verb} {subject}".replace("-", " ").capitalize()
    if not addresses_one:
        return _operation(f"{verb}-{subject}", label, method, f"/{many}")
    key = f"{noun.title().replace('-', '')}Id"
    key = key[0].lower() + key[1:]
    parameter = {"name": key, "type": "string", "required": True, "values": []}
    return _operation(f"{verb}-{subject}", label, method, f"/{many}/{{{key}}}", parameter)


def _operation(name: str, label: str, method: str, url_template: str, *parameters: dict[str, Any]) -> Operation:
    properties = {"displayName": label, "method": method, "urlTemplate": url_template}
    return Operation(name, {**properties, "templateParameters": list(parameters), "responses": []})


def _plural(noun: str) -> str:
    if noun.endswith(("y", "x", "s")):
        return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es"
    return f"{noun}s"

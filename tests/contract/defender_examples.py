"""What Defender answers in the examples of all OpenAPI documents, and clients to which the service answers so."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from azure.mgmt.security import SecurityCenter

from tests.contract.documented_service import items
from tests.contract.openapi import shared_dir
from tests.unit.connector.transport import Credential, Replies

SUBSCRIPTION = "20ff7fc3-e762-44dd-bd96-b71116dcdc23"


@dataclass(frozen=True)
class Document:
    """One resource in an answer: where the example stands, below the folder of the specifications, and its body."""

    example: str
    body: Any

    @property
    def api_version(self) -> str:
        """The api-version of the example."""
        return self.example.split("/")[-4]


def documents(kind: str) -> Sequence[Document]:
    """Every Microsoft.Security resource of that type that any example answers with, lists taken apart."""
    specs = shared_dir() / "specs" / "specification"
    is_one = re.compile(rf".*providers/Microsoft\.Security/{kind}/[^/]+", re.IGNORECASE)
    return [
        Document(str(path.relative_to(specs)), item)
        for path in sorted(specs.rglob("examples/**/*.json"))
        if kind in (text := path.read_text("utf-8-sig"))
        for answer in json.loads(text)["responses"].values()
        for item in items(answer.get("body"))
        if is_one.fullmatch(str(item.get("id")))
    ]


def answering(*bodies: Any) -> Callable[[str], SecurityCenter]:
    """What makes the real client of a subscription, to which the service answers with these bodies in turn."""
    transport = Replies(*((200, body) for body in bodies))
    return lambda subscription: SecurityCenter(Credential(), subscription, transport=transport, retry_total=0)


def listed(found: Sequence[Document]) -> Any:
    """One page that lists the documents."""
    return {"value": [document.body for document in found]}

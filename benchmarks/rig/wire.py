"""HTTP, as far as the parts of the service need to know of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Self

Part = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` without the query, `query` with the last value of each name."""

    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Message


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, its body in parts so that a page need not be copied."""

    status: int
    parts: tuple[Part, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """A document as JSON."""
        return cls.json(json.dumps(document).encode(), status=status, headers=headers)

    @classmethod
    def json(cls, *parts: Part, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """JSON that has been written already."""
        return cls(status, parts, {"Content-Type": "application/json", **(headers or {})})

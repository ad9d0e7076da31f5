"""An HTTP transport with prepared answers, for real SDK clients without a network."""

from types import TracebackType
from typing import Any, Self

import orjson
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpRequest, HttpResponse, HttpTransport


class Answer(HttpResponse):
    def __init__(self, request: HttpRequest, status: int, body: bytes) -> None:
        super().__init__(request, None)
        self.status_code = status
        self.reason = ""
        self.headers = {"Content-Type": "application/json"}
        self.content_type = "application/json"
        self._content = body

    def body(self) -> bytes:
        return self._content


class Replies(HttpTransport[Any, Any]):
    """Answers one request after the other, and keeps the requests. A body is bytes or a value that becomes JSON."""

    def __init__(self, *replies: tuple[int, Any]) -> None:
        self._replies = list(replies)
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        self.requests.append(request)
        status, body = self._replies.pop(0)
        return Answer(request, status, body if isinstance(body, bytes) else orjson.dumps(body))

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Credential:
    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("token", 2**31)

"""An HTTP transport with prepared answers, for real SDK clients without a network."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import orjson
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpRequest, HttpResponse, HttpTransport
from requests.structures import CaseInsensitiveDict


class Answer(HttpResponse):
    def __init__(self, request: HttpRequest, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(request, None)
        self.status_code = status
        self.reason = ""
        self.headers = CaseInsensitiveDict({"Content-Type": "application/json", **headers})
        self.content_type = "application/json"
        self._content = body

    def body(self) -> bytes:
        return self._content


class Replies(HttpTransport[Any, Any]):
    """Answers one request after the other, and keeps the requests.

    A reply is a status and a body, bytes or a value that becomes JSON, and headers where they matter; or an error of
    the transport.
    """

    def __init__(self, *replies: tuple[int, Any] | tuple[int, Any, Mapping[str, str]] | AzureError) -> None:
        self._replies = list(replies)
        self.requests: list[HttpRequest] = []
        self.slept: list[float] = []

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        self.requests.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, AzureError):
            raise reply
        status, body, *headers = reply
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return Answer(request, status, data, headers[0] if headers else {})

    def sleep(self, duration: float) -> None:
        """Retries wait here, and need not."""
        self.slept.append(duration)

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

"""A transport for Azure SDK clients that keeps every exchange it carries."""

import gzip
import io
from types import TracebackType
from typing import Any, Self, TypeAlias

from azure.core.pipeline.transport import HttpRequest, HttpTransport, RequestsTransport
from azure.core.rest import HttpRequest as RestRequest

from tests.contract.openapi import Exchange

Request: TypeAlias = HttpRequest | RestRequest


class RecordingTransport(HttpTransport[Any, Any]):
    """Sends through `inner` (requests, when not given) and appends to `exchanges`.

    Pass it as `transport=` to any synchronous client. A body that can be read once only is read here and sent as
    bytes; gzip is undone in the record and left alone on the wire.
    """

    def __init__(self, inner: HttpTransport[Any, Any] | None = None) -> None:
        self._inner = inner or RequestsTransport()
        self.exchanges: list[Exchange] = []

    def send(self, request: Request, **kwargs: Any) -> Any:
        """Send `request`, record it with its answer, and return the answer unread as far as the client can tell."""
        sent = _request_body(request)
        response = self._inner.send(request, **kwargs)
        received = response.read() if hasattr(response, "read") else response.body()
        self.exchanges.append(
            Exchange(
                method=request.method,
                url=request.url,
                status=response.status_code,
                request_headers=dict(request.headers),
                request_body=_decoded(sent, dict(request.headers)) or None,
                response_headers=dict(response.headers),
                response_body=received or None,
            )
        )
        return response

    def open(self) -> None:
        """Open the inner transport."""
        self._inner.open()

    def close(self) -> None:
        """Close the inner transport; the record stays."""
        self._inner.close()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._inner.__exit__(exc_type, exc_value, traceback)


def _request_body(request: Any) -> bytes:
    data = request.data
    if isinstance(data, str):
        return data.encode()
    if data is None or isinstance(data, bytes | dict):
        return data if isinstance(data, bytes) else b""
    if isinstance(data, io.IOBase) and data.seekable():
        start = data.tell()
        content: bytes = data.read()
        data.seek(start)
        return content
    request.data = data.read() if hasattr(data, "read") else b"".join(data)
    return bytes(request.data)


def _decoded(body: bytes, headers: dict[str, str]) -> bytes:
    encodings = {name.lower(): value for name, value in headers.items()}.get("content-encoding", "")
    return gzip.decompress(body) if body and encodings.lower() == "gzip" else body

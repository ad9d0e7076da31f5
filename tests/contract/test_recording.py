"""The recording transport keeps what went over the wire and changes nothing of it."""

import gzip
import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.pipeline.transport import HttpRequest as LegacyRequest
from azure.core.rest import HttpRequest

from tests.contract.recording import RecordingTransport


class Echo(BaseHTTPRequestHandler):
    """Answers 201 with the body that it received, chunked or not."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def transport() -> Iterator[RecordingTransport]:
    with RecordingTransport() as recording:
        yield recording


@pytest.fixture
def send(url: str, transport: RecordingTransport) -> Callable[..., Any]:
    client: PipelineClient[HttpRequest, Any] = PipelineClient(url, transport=transport, policies=[])

    def post(content: Any, *, stream: bool = False, **headers: str) -> Any:
        request = HttpRequest("POST", f"{url}/rows?api-version=1", content=content, headers=headers)
        return client.send_request(request, stream=stream)

    return post


@pytest.mark.parametrize(
    "content",
    [b'{"a": 1}', '{"a": 1}', io.BytesIO(b'{"a": 1}'), iter([b'{"a"', b": 1}"])],
    ids=["bytes", "text", "file", "generator"],
)
def test_a_body_of_any_kind_is_recorded_and_sent(
    send: Callable[..., Any], transport: RecordingTransport, content: Any
) -> None:
    response = send(content)
    (exchange,) = transport.exchanges
    assert (exchange.method, exchange.status) == ("POST", 201)
    assert exchange.url.endswith("/rows?api-version=1")
    assert exchange.request_body == exchange.response_body == response.read() == b'{"a": 1}'
    assert exchange.response_headers["Content-Length"] == "8"


def test_a_gzip_body_is_readable_in_the_record_and_untouched_on_the_wire(
    send: Callable[..., Any], transport: RecordingTransport
) -> None:
    packed = gzip.compress(b"[]")
    response = send(io.BytesIO(packed), **{"Content-Encoding": "gzip"})
    assert transport.exchanges[0].request_body == b"[]"
    assert response.read() == packed


def test_a_streamed_answer_can_still_be_streamed(send: Callable[..., Any], transport: RecordingTransport) -> None:
    response = send(b"streamed", stream=True)
    assert b"".join(response.iter_bytes()) == b"streamed"
    assert transport.exchanges[0].response_body == b"streamed"


def test_a_request_of_the_older_kind_is_recorded(url: str, transport: RecordingTransport) -> None:
    request = LegacyRequest("POST", f"{url}/rows")
    request.set_bytes_body(b"older")
    assert transport.send(request).body() == b"older"
    assert transport.exchanges[0].request_body == b"older"


def test_exchanges_keep_their_order(send: Callable[..., Any], transport: RecordingTransport) -> None:
    for name in (b"first", b"second"):
        send(name)
    assert [exchange.request_body for exchange in transport.exchanges] == [b"first", b"second"]

"""The transport of the clients gives what the SDK's own would, and is told by the environment where to go.

Whoever waits for an answer, a connection or the time of a retry lets other threads compute meanwhile.
"""

import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.core.exceptions import IncompleteReadError
from azure.core.pipeline.transport import HttpRequest as LegacyRequest
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from apiward_core.transport import make_transport
from apiward_core.turns import Turns

LONG = os.urandom(3_000_000)
ASK_TWICE = """
from azure.core.rest import HttpRequest
from apiward_core.transport import make_transport
with make_transport() as transport:
    for path in ("first", "second"):
        request = HttpRequest("GET", f"http://arm.invalid/{path}", headers={"Authorization": "Bearer token"})
        print(transport.send(request).content.decode())
"""


class Service(BaseHTTPRequestHandler):
    """Answers by the last word of the path; what it does not know gets what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path.rpartition("/")[2]:
            case "long":
                self._write(LONG)
            case "packed":
                self._write(gzip.compress(LONG), ("Content-Encoding", "gzip"))
            case "chunked":
                self._write(b"6\r\nin two\r\n6\r\n parts\r\n0\r\n\r\n", ("Transfer-Encoding", "chunked"))
            case "broken":
                self._write(b"part", ("Content-Length", "5"), ("Connection", "close"))
            case "cookie":
                self._write(b"", ("Set-Cookie", "affinity=1"))
            case _:
                self._write(json.dumps([self.path, *map(self.headers.get, ("Authorization", "Cookie"))]).encode())

    def do_POST(self) -> None:
        self._write(self.rfile.read(int(self.headers["Content-Length"])))

    def _write(self, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        if not {"Content-Length", "Transfer-Encoding"} & {name for name, _ in headers}:
            headers = (*headers, ("Content-Length", str(len(body))))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Late(Service):
    """Answers when another thread has computed, half of an answer sooner where it is asked for one, or at once."""

    computed: threading.Event

    def do_GET(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12"
        early = {"/half": answer[:-1], "/now": answer}.get(self.path, b"")
        self.wfile.write(early)
        if early == answer or self.computed.wait(20):
            self.wfile.write(answer.removeprefix(early))
        else:
            self.close_connection = True


class Asked:
    """A number that is asked for in the middle of something; `others` says whether another thread got a turn then."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.others: list[bool] = []

    def __index__(self) -> int:
        def compute() -> None:
            with self._turns.taken():
                pass

        with ThreadPoolExecutor(1) as pool:
            self.others.append(not wait([pool.submit(compute)], 20).not_done)
        return 0


@contextmanager
def serving(handler: type[Service], trust: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port where it answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if trust is not None:
            server.socket = trust.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Service) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def transport() -> Iterator[RequestsTransport]:
    with make_transport() as made:
        yield made


@pytest.mark.parametrize(
    ("path", "body"),
    [("long", LONG), ("packed", LONG), ("chunked", b"in two parts")],
)
def test_an_answer_comes_whole(url: str, transport: RequestsTransport, path: str, body: bytes) -> None:
    answer = transport.send(HttpRequest("GET", f"{url}/{path}"))
    assert answer.content == body
    assert transport.send(LegacyRequest("GET", f"{url}/{path}")).body() == body


def test_an_answer_may_be_streamed(url: str, transport: RequestsTransport) -> None:
    pieces = list(transport.send(HttpRequest("GET", f"{url}/long"), stream=True).iter_bytes())
    assert b"".join(pieces) == LONG
    assert 1 < len(pieces) < 10


def test_an_answer_that_breaks_off_is_an_error_of_the_sdk(url: str, transport: RequestsTransport) -> None:
    with pytest.raises(IncompleteReadError):
        transport.send(HttpRequest("GET", f"{url}/broken"))


def test_an_answer_that_is_closed_gives_its_socket_back(transport: RequestsTransport) -> None:
    pools = transport.session.get_adapter("http://").poolmanager.pool_classes_by_scheme
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answer = pools["http"].ConnectionCls.response_class(ours)
        body = answer.fp  # as one who has not read to the end may still have it
        answer.close()
        ours.close()
        theirs.setblocking(False)
        assert (body.closed, theirs.recv(1)) == (True, b"")


def test_a_long_body_arrives(url: str, transport: RequestsTransport, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(LONG)
    with (tmp_path / "body").open("rb") as body:
        assert transport.send(HttpRequest("POST", url, content=body)).content == LONG


def test_what_one_answer_left_is_not_sent_with_the_next_request(url: str, transport: RequestsTransport) -> None:
    transport.send(HttpRequest("GET", f"{url}/cookie"))
    assert json.loads(transport.send(HttpRequest("GET", f"{url}/asked")).content) == ["/asked", None, None]


def test_requests_go_by_the_proxy_of_the_environment_with_no_other_password(url: str, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine arm.invalid login ann password secret\n", encoding="ascii")
    variables = {"HTTP_PROXY": url, "http_proxy": url, "NO_PROXY": "", "no_proxy": "", "NETRC": str(tmp_path / "netrc")}
    run = subprocess.run(
        [sys.executable, "-c", ASK_TWICE], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    asked = [json.loads(line) for line in run.stdout.splitlines()]
    assert asked == [
        ["http://arm.invalid/first", "Bearer token", None],
        ["http://arm.invalid/second", "Bearer token", None],
    ]


def test_who_sleeps_lets_others_compute(transport: RequestsTransport) -> None:
    turns = Turns(patience=60)
    duration: Any = Asked(turns)
    with turns.taken():
        transport.sleep(duration)
    assert duration.others == [True]


def trusted(folder: Path) -> ssl.SSLContext:
    """What a server proves itself by to whoever trusts "ca.pem" in the folder."""
    authority, trust = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(trust)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return trust


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_connects_lets_others_compute(tmp_path: Path, scheme: str) -> None:
    trust, turns = trusted(tmp_path), Turns(patience=60)
    option = Asked(turns)
    with (
        serving(Service, trust if scheme == "https" else None) as port,
        make_transport(connection_verify=str(tmp_path / "ca.pem")) as transport,
    ):
        url = f"{scheme}://127.0.0.1:{port}/asked"
        pools = transport.session.get_adapter(url).poolmanager
        pools.connection_pool_kw["socket_options"] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, option)]
        with turns.taken():
            assert transport.send(HttpRequest("GET", url)).status_code == 200
    assert option.others == [True]


@pytest.mark.parametrize("path", ["whole", "half"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_waits_for_an_answer_or_its_rest_lets_others_compute(tmp_path: Path, scheme: str, path: str) -> None:
    class Waiting(Late):
        computed = threading.Event()

    trust, turns = trusted(tmp_path), Turns(patience=60)

    def compute() -> None:
        with turns.taken():
            Waiting.computed.set()

    with (
        serving(Waiting, trust if scheme == "https" else None) as port,
        make_transport(connection_verify=str(tmp_path / "ca.pem")) as transport,
        ThreadPoolExecutor(1) as other,
    ):
        url = f"{scheme}://127.0.0.1:{port}"
        transport.send(HttpRequest("GET", f"{url}/now"))  # connects
        with turns.taken():
            computed = other.submit(compute)
            assert transport.send(HttpRequest("GET", f"{url}/{path}")).content == b"12"
        computed.result()

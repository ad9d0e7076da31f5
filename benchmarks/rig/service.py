"""A service that costs little: it gives an estate out over HTTPS and takes rows in, in a process of its own.

    python -m rig.service ROWS_EACH SUBSCRIPTIONS

prints one line of JSON (`url` and `ca`, the file of its certificate authority) and serves until its input ends.
"""

import json
import ssl
import sys
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import trustme

from rig.azure import Azure
from rig.estate import Estate
from rig.intake import Intake
from rig.sign_in import SignIn
from rig.wire import Answer, Request

HOST = "127.0.0.1"
_NOT_FOUND = Answer.of({"error": {"code": "NotFound"}}, status=404)


class _Service(Protocol):
    def answer(self, request: Request) -> Answer | None: ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, *about: Any, services: Sequence[_Service]) -> None:
        self._services = services
        super().__init__(*about)

    def do_GET(self) -> None:
        self._write(self._find(b""))

    def do_POST(self) -> None:
        self._write(self._find(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing: a line for each request would cost more than the request."""

    def _find(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        request = Request(f"/{url.path.strip('/')}", dict(parse_qsl(url.query)), body, self.headers)
        found = (service.answer(request) for service in self._services)
        return next((answer for answer in found if answer), _NOT_FOUND)

    def _write(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(sum(len(part) for part in answer.parts)))
        self.end_headers()
        for part in answer.parts:
            self.wfile.write(part)


class _Server(ThreadingHTTPServer):
    """A thread for each connection, in which its handshake happens, too."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, trust: ssl.SSLContext, estate: Estate) -> None:
        super().__init__((HOST, 0), BaseHTTPRequestHandler)
        self._trust = trust
        self.url = f"https://{HOST}:{self.server_port}"
        services = (Intake(), SignIn(estate, url=self.url), Azure(estate, url=self.url))
        self._handle = partial(_Handler, services=services)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer what comes over one connection."""
        with self._trust.wrap_socket(request, server_side=True) as secured:
            self._handle(secured, client_address, self)


def serve(estate: Estate, folder: Path) -> None:
    """Serve `estate` until standard input ends, with the certificate authority in `folder`."""
    authority = trustme.CA()
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(trust)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with _Server(trust, estate) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"url": server.url, "ca": str(folder / "ca.pem")}), flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    with TemporaryDirectory(prefix="apiward-bench-") as made:
        serve(Estate(rows_each=int(sys.argv[1]), subscriptions=int(sys.argv[2])), Path(made))

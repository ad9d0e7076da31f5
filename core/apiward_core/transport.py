"""HTTP for the SDKs' clients, with what requests would do again for each call, or for each piece of a body, done once.

An answer is read in one piece where requests takes 10 KB at a time, and handed on by the megabyte where azure-core cuts
it into 4 KB, only to join them again. A body is sent in pieces of a megabyte, not of 16 KB: a page of Azure Resource
Manager may have several megabytes. Whoever waits for the service steps aside.
"""

from collections.abc import Iterator
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import wait_for_read

from apiward_core.turns import aside

_CONNECTIONS = 32  # kept for each host: as many as there may be scopes at work
_PIECE = 1024 * 1024  # bytes
_NEVER = Retry(total=False, redirect=False, raise_on_status=False)  # the SDKs' pipelines try again themselves


def make_transport(**config: Any) -> RequestsTransport:
    """A transport for any number of clients and threads; `config` is that of RequestsTransport, but for the session."""
    session = _Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_maxsize=_CONNECTIONS, max_retries=_NEVER))
    return _Transport(session=session, connection_data_block_size=_PIECE, **config)


class _Transport(RequestsTransport):  # type: ignore[misc]  # the SDK imports it lazily, so that it has no type
    """Steps aside while it sleeps."""

    def sleep(self, duration: float) -> None:
        """Wait before a retry."""
        with aside():
            super().sleep(duration)


class _Session(requests.Session):
    """Looks up once what the environment says of a host: its proxy, and the certificates to trust."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[Any, Any] = {}

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request that has its token: no password of a .netrc may take its place. Cookies are not sent."""
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            headers={**self.headers, **request.headers},
            data=request.data,
            files=request.files,
        )
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """The settings of a request to `url`."""
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        about = (*urlsplit(url)[:2], stream, verify, cert)
        if about not in self._settings:
            self._settings[about] = super().merge_environment_settings(url, {}, stream, verify, cert)
        return dict(self._settings[about])


class _Adapter(HTTPAdapter):
    """Sends and reads in large pieces. An answer that the caller wants to stream is left to the caller."""

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*sizes, **options, blocksize=_PIECE)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """The pools of connections by way of a proxy. Those to a SOCKS proxy are of a kind of their own."""
        manager: PoolManager = super().proxy_manager_for(proxy, **options)
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *about: Any, **options: Any
    ) -> requests.Response:
        """Send a request."""
        response = super().send(request, stream, *about, **options)
        if not stream:
            response.raw = _Whole(response.raw)
        return response


class _Whole:
    """The body of an answer, in one piece for whoever would stream it."""

    def __init__(self, body: BaseHTTPResponse) -> None:
        self._body = body

    def stream(self, amt: int, decode_content: bool) -> Iterator[bytes]:
        """All of the body."""
        del amt
        yield self._body.read(decode_content=decode_content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class _Incoming(RawIOBase):
    """What comes over a socket; whoever has to wait for it steps aside."""

    def __init__(self, stream: RawIOBase, sock: socket) -> None:
        super().__init__()
        self._stream = stream
        self._sock = sock
        self._decrypted = getattr(sock, "pending", int)  # bytes that a TLS socket has taken in already

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read some bytes."""
        if self._decrypted() or wait_for_read(self._sock, timeout=0):
            return self._stream.readinto(buffer)
        with aside():
            return self._stream.readinto(buffer)

    def close(self) -> None:
        """Give the socket back."""
        self._stream.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket, *about: Any, **options: Any) -> None:
        super().__init__(sock, *about, **options)
        self.fp = BufferedReader(_Incoming(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Answer

    def connect(self) -> None:
        """Connect."""
        with aside():
            super().connect()


class _SecureConnection(HTTPSConnection):
    response_class = _Answer

    def connect(self) -> None:
        """Connect, and agree on keys."""
        with aside():
            super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}

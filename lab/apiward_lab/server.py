"""HTTPS on 127.0.0.1: hands every request to one function, in a thread pool, and ticks once a second."""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from aiohttp import web

from apiward_lab.dispatch import Incoming
from apiward_lab.web import Json, Reply

_LARGEST_BODY = 64 * 1024 * 1024
_TICK_SECONDS = 1.0
_GRACE_SECONDS = 1.0
_AT_ONCE = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection


class Server:
    """One HTTPS server in a thread of its own.

    `answer` is called in a pool of `workers` threads, `tick` about once a second in one of them. `port` 0 takes a free
    one. Start with `start()` or as a context manager; raises OSError when the port is taken.
    """

    def __init__(
        self,
        answer: Callable[[Incoming], Reply],
        *,
        tls: ssl.SSLContext,
        port: int = 0,
        tick: Callable[[], object] = lambda: None,
        workers: int = 16,
    ) -> None:
        self._answer = answer
        self._tls = tls
        self._port = port
        self._tick = tick
        self._workers = workers
        self._bound: Future[int] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="apiward-lab", daemon=True)

    @property
    def base_url(self) -> str:
        """The address, without a trailing slash. Waits until the server listens."""
        return f"https://127.0.0.1:{self._bound.result()}"

    def start(self) -> None:
        """Listen. Returns when requests are accepted."""
        self._thread.start()
        self._bound.result()

    def stop(self) -> None:
        """Stop listening, let running requests end, and wait for the thread."""
        if self._loop is not None and self._closing is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="apiward-lab")
        self._loop.set_default_executor(pool)
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handler())
        # Bodies stay as they came: the size limits of Logs Ingestion apply to the compressed bytes too.
        runner = web.AppRunner(application, auto_decompress=False, access_log=None, shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        try:
            if await self._listen(runner):
                await self._tick_until_closing(self._closing)
        finally:
            await _close(runner)

    async def _listen(self, runner: web.AppRunner) -> bool:
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._tls).start()
        except (OSError, OverflowError) as error:  # the latter for a port that is none
            self._bound.set_exception(error)
            return False
        self._bound.set_result(runner.addresses[0][1])
        return True

    async def _tick_until_closing(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            await asyncio.to_thread(self._tick)
            try:
                await asyncio.wait_for(closing.wait(), _TICK_SECONDS)
            except TimeoutError:
                continue

    def _handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            incoming = Incoming(
                method=request.method,
                path=_without_repeated_slashes(request.rel_url.raw_path),
                query=dict(request.rel_url.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
                base_url=self.base_url,
            )
            reply = await asyncio.to_thread(self._answer, incoming)
            response = _response(reply)
            return await _broken_off(request, response, reply.broken) if reply.broken else response

        return handle


async def _close(runner: web.AppRunner) -> None:
    """Let requests end, then drop the connections that clients keep open: nobody would answer a TLS goodbye."""
    handlers = runner.server.connections if runner.server else []
    transports = [handler.transport for handler in handlers if handler.transport]
    await runner.cleanup()
    for transport in transports:
        transport.abort()


async def _broken_off(request: web.Request, response: web.Response, how: str) -> web.StreamResponse:
    """Send half of the body under the length of the whole, or nothing, and reset the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    begun = web.StreamResponse(status=response.status, headers=response.headers)
    begun.content_length = len(body) or 1
    if how == "truncated":
        await begun.prepare(request)
        await begun.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        request.transport.abort()
    return begun


def _without_repeated_slashes(path: str) -> str:
    """Azure Resource Manager takes "//subscriptions/…", which clients send when a scope starts with a slash."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def _response(reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, headers=headers, body=reply.body)
    headers.setdefault("Content-Type", "application/json; charset=utf-8")
    return web.Response(status=reply.status, headers=headers, body=json.dumps(_without_nulls(reply.body)).encode())


def _without_nulls(body: Json) -> Json:
    """`body` without properties that are null: the OpenAPI documents declare none of them nullable."""
    if isinstance(body, dict):
        return {name: _without_nulls(value) for name, value in body.items() if value is not None}
    if isinstance(body, list):
        return [_without_nulls(item) for item in body]
    return body

"""Every call of the connector by the request that it is, and every way in which Azure fails one."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import requests
from urllib3.exceptions import ProtocolError

from tests.e2e.small_azure import CONTAINER, INGESTION, Fault, Reply, Request, refusal
from tests.unit.connector.samples import SUBSCRIPTION

Concerns = Callable[[Request], bool]


@dataclass(frozen=True)
class Kind:
    """A way to fail.

    `word` is what is said of it; nothing where it is `over` in time. `lasting` is what another try will not mend.
    """

    name: str
    spoil: Callable[[Reply], Reply]
    word: str = ""
    refused: bool = False
    times: int | None = None
    takes: timedelta = timedelta(0)
    lasting: bool = False

    @property
    def over(self) -> bool:
        """Whether the connector gets its answer all the same."""
        return self.times is not None or bool(self.takes)

    def of(self, concerns: Concerns) -> Fault:
        """This failure of some calls."""
        return Fault(concerns, self.spoil, self.refused, self.times, self.takes)


def _refused(status: int, code: str, *, word: str = "", name: str = "", **more: Any) -> Kind:
    said = refusal(status, code, {"Retry-After": "5"} if status == _THROTTLED else {})
    return Kind(name or str(status), lambda _: said, word or str(status), refused=True, **more)


def _reset(_: Reply) -> Reply:
    raise requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset")))


def _said(body: Any) -> Callable[[Reply], Reply]:
    """What stands in the place of the answer, such as that of a proxy."""
    return lambda reply: replace(reply, status=_OK, body=body)


def _cut(reply: Reply) -> Reply:
    return replace(
        reply, status=_OK if reply.status in _NO_BODY else reply.status, body=reply.content or b"{}", cut=True
    )


_OK, _THROTTLED, _NO_BODY = 200, 429, {201, 202, 204}

KINDS = [
    _refused(401, "Unauthorized", word="Unauthorized", lasting=True),
    _refused(403, "AuthorizationFailed", lasting=True),
    _refused(409, "Conflict", lasting=True),
    _refused(412, "PreconditionFailed", lasting=True),
    _refused(413, "RequestEntityTooLarge", lasting=True),
    _refused(_THROTTLED, "TooManyRequests"),
    _refused(_THROTTLED, "TooManyRequests", name="429 once", times=1),
    _refused(500, "InternalServerError"),
    _refused(503, "ServiceUnavailable"),
    _refused(503, "ServiceUnavailable", name="503 once", times=1),
    Kind("reset", _reset, "Connection reset"),
    Kind("truncated", _cut, "IncompleteRead"),
    Kind("malformed", _said(b'{"value": ['), "JSON"),
    Kind("no page", _said({"unexpected": []}), lasting=True),
    Kind("slow", lambda reply: reply, takes=timedelta(seconds=290)),
]


def get(path: str, *, later: bool = False) -> Concerns:
    """GET of a path, of which the first page or a `later` one."""
    wanted = re.compile(path.lower())

    def concerns(request: Request) -> bool:
        is_later = "$skiptoken" in request.query
        return request.method == "GET" and wanted.fullmatch(request.path) is not None and is_later is later

    return concerns


def provider(kind: str, *, later: bool = False) -> Concerns:
    """The list of something in the first subscription."""
    return get(f"/subscriptions/{SUBSCRIPTION}/providers/{kind}", later=later)


def query(kind: str, *, counts: bool = False, later: bool = False) -> Concerns:
    """A query of Resource Graph for rows of a type."""

    def concerns(request: Request) -> bool:
        if not request.path.endswith("/microsoft.resourcegraph/resources"):
            return False
        asked: Any = orjson.loads(request.body)
        text, is_later = asked["query"], "$skipToken" in asked["options"]
        return f"'{kind}'" in text and ("summarize" in text) is counts and is_later is later

    return concerns


def sending(table: str = "") -> Concerns:
    """Rows of a table on their way into the workspace."""
    return lambda request: request.host in INGESTION and request.path.endswith(table.lower())


def blob(method: str, name: str, *, lists: bool = False) -> Concerns:
    """An object of the first subscription."""
    wanted = re.compile(f"subscriptions/{SUBSCRIPTION}/{name}")

    def concerns(request: Request) -> bool:
        if request.host not in CONTAINER or request.method != method:
            return False
        if lists:
            return wanted.fullmatch(request.query.get("prefix", "").rstrip("/")) is not None
        return wanted.fullmatch(request.path.removeprefix("/state/")) is not None

    return concerns

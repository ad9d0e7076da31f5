"""What every service of the lab is written in: routes, calls, replies and errors.

A service is a list of `Route`s. A handler is a plain function from `Call` to `Reply`; it raises `Problem` for an error
answer. Authentication, role checks, api-versions and unknown routes are settled before a handler runs.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

Json = Any


@dataclass(frozen=True)
class Principal:
    """Who is calling, as the access token says."""

    object_id: str
    client_id: str
    tenant_id: str
    audience: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One request, after routing and authentication."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    base_url: str
    principal: Principal | None = None

    def json(self) -> Json:
        """The body as JSON. Raises Problem 400 when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Problem(400, "InvalidRequestContent", f"The request content was invalid: {error}") from error

    @property
    def scope(self) -> str:
        """The path as an ARM id."""
        return unquote(self.path).rstrip("/")


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is JSON unless it is bytes; None sends no body.

    `broken` is how it breaks off on the way: "reset" before anything of it is sent, "truncated" in the midst.
    """

    status: int = 200
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""


class Problem(Exception):  # noqa: N818 - an HTTP problem, not a fault of the lab
    """An error answer in the shape of ARM: {"error": {"code", "message", "details"}}; details only where given."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        details: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.details = details

    def reply(self) -> Reply:
        """The answer that this problem sends."""
        error: Json = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        return Reply(self.status, {"error": error}, self.headers)


Handler = Callable[[Call], Reply]


def timestamp(moment: datetime) -> str:
    """A time as Azure Resource Manager writes it: UTC with seven digits of a second and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


@dataclass(frozen=True)
class Route:
    """One operation.

    `path` is an ARM template such as "/subscriptions/{subscription}/resourceGroups/{group}"; "{scope:path}" matches
    several segments. Literals match without regard to case, as ARM does. `audience` names the token that is required
    ("arm", "monitor", "logs") or is None for anonymous routes. `action` is the RBAC operation that the caller needs at
    the path's scope (`data_action` for the data plane); None with an audience means any authenticated caller.
    Handlers take turns under one lock of the whole lab, unless `exclusive` is False: then the service itself must be
    safe to call from several threads.
    """

    method: str
    path: str
    handler: Handler
    api_versions: Sequence[str] = ()
    audience: str | None = "arm"
    action: str | None = None
    data_action: str | None = None
    rbac_scope: Callable[[Call], str] | None = None
    exclusive: bool = True

    def pattern(self) -> re.Pattern[str]:
        """The compiled template."""
        parts = re.split(r"(\{[^}]+\})", self.path)
        return re.compile("".join(_pattern_part(part) for part in parts) + "/?", re.IGNORECASE)


def _pattern_part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name, _, kind = part[1:-1].partition(":")
    return f"(?P<{name}>.+?)" if kind == "path" else f"(?P<{name}>[^/]+)"

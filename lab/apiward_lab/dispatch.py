"""From a request to an answer: route, api-version, token, role, handler, journal."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

from apiward_lab.clock import VirtualClock
from apiward_lab.faults import Faults
from apiward_lab.journal import Activity, Journal, Request
from apiward_lab.routing import Match, Router
from apiward_lab.web import Call, Principal, Problem, Reply, Route


class Service(Protocol):
    """Anything with routes."""

    @property
    def routes(self) -> Sequence[Route]:
        """The operations that it serves."""


class Authenticator(Protocol):
    """Turns the Authorization header into a principal."""

    def __call__(self, authorization: str | None, audience: str) -> Principal:
        """The caller. Raises Problem 401 unless the token is valid and meant for `audience`."""


class Authoriser(Protocol):
    """Answers whether a role allows an operation."""

    def is_allowed(self, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether the principal may do `action` (a data action when `data`) at the ARM id `scope`."""


@dataclass(frozen=True)
class Incoming:
    """One request as it came over the wire. `path` is still percent-encoded, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str


class Dispatcher:
    """Answers requests for a set of services."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        authenticate: Authenticator,
        authoriser: Authoriser,
        clock: VirtualClock,
        journal: Journal,
        lock: AbstractContextManager[object],
        faults: Faults | None = None,
    ) -> None:
        self._router = Router(route for service in services for route in service.routes)
        self._authenticate = authenticate
        self._authoriser = authoriser
        self._clock = clock
        self._journal = journal
        self._lock = lock
        self._faults = faults or Faults()

    def answer(self, incoming: Incoming) -> Reply:
        """The reply, with the correlation headers that Azure Resource Manager puts on every answer."""
        exchange = _Exchange(incoming)
        try:
            reply = self._serve(exchange)
        except Problem as problem:
            reply = problem.reply()
        self._journal.record(exchange.request(self._clock, reply), exchange.activity(self._clock, reply))
        return replace(reply, headers={**exchange.identifying_headers, **reply.headers})

    def _serve(self, exchange: "_Exchange") -> Reply:
        incoming = exchange.incoming
        match = self._router.find(incoming.method, incoming.path, incoming.query.get("api-version"))
        if match is None:
            raise _unknown_route(incoming)
        exchange.match = match
        exchange.principal = self._principal(match.route, incoming)
        fault = self._faults.meet(incoming.method, incoming.path)
        if fault is None:
            return self._handle(exchange.call(match), match)
        fault.before()
        return fault.after(self._handle(exchange.call(match), match))

    def _handle(self, call: Call, match: Match) -> Reply:
        with self._turn(match.route):
            self._authorise(match.route, call)
            return match.route.handler(call)

    def _principal(self, route: Route, incoming: Incoming) -> Principal | None:
        if route.audience is None:
            return None
        return self._authenticate(incoming.headers.get("authorization"), route.audience)

    def _authorise(self, route: Route, call: Call) -> None:
        scope = route.rbac_scope(call) if route.rbac_scope else call.scope
        for action, data in ((route.action, False), (route.data_action, True)):
            if action is None or call.principal is None:
                continue
            if not self._authoriser.is_allowed(call.principal.object_id, action, scope, data=data):
                raise authorization_failed(call.principal, action, scope)

    def _turn(self, route: Route) -> AbstractContextManager[object]:
        return self._lock if route.exclusive else nullcontext()


class _Exchange:
    """What is known of one request so far."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.match: Match | None = None
        self.principal: Principal | None = None
        self.correlation_id = incoming.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        self.identifying_headers = {
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": self.correlation_id,
        }

    def call(self, match: Match) -> Call:
        sent = self.incoming
        return Call(
            sent.method, sent.path, match.params, sent.query, sent.headers, sent.body, sent.base_url, self.principal
        )

    def request(self, clock: VirtualClock, reply: Reply) -> Request:
        route = self.match.route if self.match else None
        return Request(
            at=clock.now(),
            method=self.incoming.method,
            path=self.incoming.path,
            route=route.path if route else None,
            status=reply.status,
            principal=self.principal.object_id if self.principal else None,
            action=(route.action or route.data_action) if route else None,
            correlation_id=self.correlation_id,
        )

    def activity(self, clock: VirtualClock, reply: Reply) -> Activity | None:
        is_write = self.incoming.method not in {"GET", "HEAD"}
        if not (is_write and self.match and self.principal and self.match.route.audience == "arm"):
            return None
        return Activity(
            at=clock.now(),
            operation=self.match.route.action or f"{self.incoming.method} {self.match.route.path}",
            resource_id=self.call(self.match).scope,
            caller=self.principal.object_id,
            status=reply.status,
            correlation_id=self.correlation_id,
        )


def authorization_failed(principal: Principal, action: str, scope: str) -> Problem:
    """The 403 by which Azure Resource Manager refuses an operation that no role of the caller allows."""
    return Problem(
        403,
        "AuthorizationFailed",
        f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
    )


def _unknown_route(incoming: Incoming) -> Problem:
    return Problem(501, "UnknownRoute", f"The lab does not serve {incoming.method} {incoming.path}.")

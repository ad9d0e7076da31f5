import threading
from collections.abc import Sequence

from apiward_lab.clock import VirtualClock
from apiward_lab.dispatch import Dispatcher, Incoming
from apiward_lab.journal import Journal
from apiward_lab.web import Call, Principal, Problem, Reply, Route

ANNA = Principal("anna-object", "anna-client", "tenant", "https://management.azure.com/")


class Things:
    """A service with one readable, one writable and one slow thing."""

    def __init__(self) -> None:
        self.seen = threading.Event()
        self.routes: Sequence[Route] = (
            Route("GET", "/things/{name}", lambda call: Reply(body=dict(call.params)), action="Contoso/things/read"),
            Route("PUT", "/things/{name}", lambda _call: Reply(201), action="Contoso/things/write"),
            Route("GET", "/slow", self._slow, audience=None, exclusive=False),
            Route("GET", "/open", lambda _call: Reply(body={}), audience=None),
        )

    def _slow(self, _call: Call) -> Reply:
        self.seen.set()
        return Reply(body={})


class Only:
    """Allows the actions that it is told."""

    def __init__(self, *actions: str) -> None:
        self._actions = actions

    def is_allowed(self, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
        return action in self._actions


def authenticate(authorization: str | None, audience: str) -> Principal:
    if authorization is None:
        raise Problem(401, "AuthenticationFailed", "no token")
    return ANNA


class Bench:
    def __init__(self, *allowed: str) -> None:
        self.journal, self.lock, self.things = Journal(), threading.RLock(), Things()
        self._dispatcher = Dispatcher(
            [self.things],
            authenticate=authenticate,
            authoriser=Only(*allowed),
            clock=VirtualClock(),
            journal=self.journal,
            lock=self.lock,
        )

    def send(self, method: str, path: str, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._dispatcher.answer(Incoming(method, path, {}, named, b"", "https://lab"))


def test_a_role_opens_the_route_and_the_action_is_noted() -> None:
    bench = Bench("Contoso/things/read")
    assert bench.send("GET", "/things/a%20b", authorization="Bearer x").body == {"name": "a b"}
    assert bench.journal.actions_used() == {"anna-object": {"Contoso/things/read": 1}}


def test_without_the_role_the_refusal_names_caller_action_and_scope() -> None:
    bench = Bench("Contoso/things/read")
    reply = bench.send("PUT", "/things/a", authorization="Bearer x")
    assert reply.status == 403
    for part in ("anna-client", "anna-object", "Contoso/things/write", "'/things/a'"):
        assert part in reply.body["error"]["message"]
    assert bench.journal.actions_used() == {}


def test_every_answer_carries_the_callers_correlation_id() -> None:
    bench = Bench()
    sent = {"x_ms_correlation_request_id": "abc"}
    for path, status in (("/open", 200), ("/things/a", 401), ("/nowhere", 501)):
        reply = bench.send("GET", path, **sent)
        assert (reply.status, reply.headers["x-ms-correlation-request-id"]) == (status, "abc")


def test_writes_reach_the_activity_log_and_reads_do_not() -> None:
    bench = Bench("Contoso/things/read", "Contoso/things/write")
    bench.send("GET", "/things/a", authorization="Bearer x")
    bench.send("PUT", "/things/a", authorization="Bearer x")
    assert [(entry.operation, entry.resource_id) for entry in bench.journal.activities] == [
        ("Contoso/things/write", "/things/a")
    ]


def test_a_route_that_is_not_exclusive_does_not_wait_for_the_lock() -> None:
    bench = Bench()
    with bench.lock:
        other = threading.Thread(target=bench.send, args=("GET", "/slow"))
        other.start()
        assert bench.things.seen.wait(10)
    other.join()

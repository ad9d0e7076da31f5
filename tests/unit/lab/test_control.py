import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.control import Control
from apiward_lab.journal import Activity, Journal, Request
from apiward_lab.web import Call, Problem, Reply

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def request(status: int = 200, route: str | None = "/x", path: str = "/x") -> Request:
    return Request(NOW, "GET", path, route, status, "anna", "Contoso/read", "c")


class Bench:
    def __init__(self) -> None:
        self.clock, self.journal = VirtualClock(), Journal(keep=2)
        self._control = Control("key", clock=self.clock, journal=self.journal, describe=lambda: {"base_url": "x"})

    def send(self, method: str, name: str, body: Any = None, key: str = "key") -> Reply:
        path = f"/_lab/{name}"
        route = next(route for route in self._control.routes if (route.method, route.path) == (method, path))
        return route.handler(Call(method, path, {}, {}, {"x-lab-key": key}, json.dumps(body).encode(), "https://lab"))


def test_every_operation_needs_the_key() -> None:
    bench = Bench()
    for method, name in (("GET", "describe"), ("GET", "clock"), ("POST", "clock"), ("GET", "status")):
        with pytest.raises(Problem) as refused:
            bench.send(method, name, {"advance_seconds": 1}, key="clé")
        assert refused.value.status == 401
    assert bench.clock.offset.total_seconds() == 0


def test_the_clock_is_moved_by_seconds() -> None:
    bench = Bench()
    bench.send("POST", "clock", {"advance_seconds": 90.5})
    assert bench.send("GET", "clock").body["offset_seconds"] == 90.5


@pytest.mark.parametrize(
    "body",
    [{}, [], {"advance_seconds": -1}, {"advance_seconds": "1"}, {"advance_seconds": True}, {"advance_seconds": 1e30}],
)
def test_a_step_that_makes_no_sense_is_refused(body: Any) -> None:
    with pytest.raises(Problem, match=r"advance_seconds|cannot move"):
        Bench().send("POST", "clock", body)


def test_status_counts_everything_even_what_is_no_longer_kept() -> None:
    bench = Bench()
    for entry in (request(), request(), request(403), request(501, None, "/y")):
        bench.journal.record(entry)
    status = bench.send("GET", "status").body
    assert len(bench.journal.requests) == 2
    assert (status["requests"], status["by_status"]) == (4, {"200": 2, "403": 1, "501": 1})
    assert status["unknown_routes"] == ["GET /y"]
    assert status["actions_used"]["anna"]["Contoso/read"] == 3


def test_the_activity_log_can_be_read() -> None:
    bench = Bench()
    bench.journal.record(request(), Activity(NOW, "Contoso/write", "/x", "anna", 200, "c"))
    entry = bench.send("GET", "activity").body["value"][0]
    assert (entry["at"], entry["operation"]) == ("2026-11-23T00:00:00.0000000Z", "Contoso/write")


def test_the_description_is_what_the_lab_gives() -> None:
    assert Bench().send("GET", "describe").body == {"base_url": "x"}

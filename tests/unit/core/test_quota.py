"""The pace of Resource Graph queries against a service that counts as its document says."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, floor

import pytest

from apiward_core.errors import ThrottledError
from apiward_core.quota import Allowance, Query, QuotaPacer
from tests.unit.core.timers import FakeTimer

SLOW = (0.3, 0.9)
FAST = (0.01, 0.02)
GOLDEN = 0.618  # its multiples fall all over the place


@dataclass
class Service:
    """Counts queries in windows that begin with a query, or with the clock when they are `aligned`."""

    timer: FakeTimer
    quota: int = 15
    length: float = 5.0
    aligned: bool = False
    round: Callable[[float], int] = ceil
    answered: int = 0
    refused: int = 0
    _began: float = -1000.0
    _used: int = 0

    def use(self) -> bool:
        """Count a query of anybody; whether it is answered."""
        now = self.timer.now()
        if now - self._began >= self.length:
            self._began = floor(now / self.length) * self.length if self.aligned else now
            self._used = 0
        self._used += 1
        return self._used <= self.quota

    def ask(self) -> tuple[Allowance, bool]:
        """Count a query of ours; what its answer tells, and whether it is refused."""
        fits = self.use()
        self.answered, self.refused = self.answered + fits, self.refused + (not fits)
        resets_after = self.round(self._began + self.length - self.timer.now())
        return Allowance(max(0, self.quota - self._used), resets_after), not fits


@dataclass
class Client:
    """Sends queries as fast as a pacer lets it, at most eight at a time; `latency` is the least and most seconds."""

    timer: FakeTimer
    service: Service
    latency: tuple[float, float] = FAST
    tells: bool = True
    flying: int = 0
    sent: int = 0
    pacer: QuotaPacer = field(init=False)

    def __post_init__(self) -> None:
        self.pacer = QuotaPacer(self.timer, patience=300)

    def send(self, number: int) -> float:
        """Send until so many more are answered; the share of what the quota would have allowed in that time."""
        began, enough = self.timer.now(), self.service.answered + number
        while self.service.answered < enough:
            while self.flying >= 8:
                self.timer.until_next()
            self._send(self.pacer.take())
        return number / ((self.timer.now() - began) * self.service.quota / self.service.length)

    def _send(self, query: Query) -> None:
        shortest, longest = self.latency
        half = (shortest + (longest - shortest) * (self.sent * GOLDEN % 1)) / 2
        self.sent, self.flying = self.sent + 1, self.flying + 1

        def arrive() -> None:
            told, refused = self.service.ask()
            self.timer.after(half, lambda: back(told, refused))

        def back(told: Allowance, refused: bool) -> None:
            self.flying -= 1
            self.pacer.learn(query, told if self.tells else None, refused=refused)

        self.timer.after(half, arrive)


@pytest.mark.parametrize("aligned", [False, True], ids=["from the first query", "by the clock"])
@pytest.mark.parametrize(("quota", "length"), [(15, 5.0), (5, 5.0), (30, 10.0), (15, 60.0)])
@pytest.mark.parametrize("latency", [FAST, (0.05, 0.15)], ids=["fast", "slow"])
def test_nearly_all_of_the_quota_is_used_and_nothing_is_refused(
    quota: int, length: float, latency: tuple[float, float], aligned: bool
) -> None:
    timer = FakeTimer()
    service = Service(timer, quota, length, aligned)
    assert Client(timer, service, latency).send(300) >= 0.95
    assert service.refused == 0


def test_a_minute_of_the_documented_quota_is_used_but_for_a_few_queries() -> None:
    timer = FakeTimer()
    service = Service(timer)
    assert Client(timer, service).send(180) >= 0.98
    assert service.refused == 0


def test_a_first_answer_that_took_long_lets_no_query_come_too_soon() -> None:
    timer = FakeTimer()
    pacer = QuotaPacer(timer, patience=300)
    query = pacer.take()
    timer.wait(0.4)  # it connected, and came at the end of that
    begun = timer.now()
    pacer.learn(query, Allowance(2, 5))
    query = pacer.take()
    timer.wait(0.01)
    pacer.learn(query, Allowance(1, 3))
    query = pacer.take()  # the one in reserve
    assert query.sent_at >= begun + 5


def test_answers_that_take_long_cost_little() -> None:
    timer = FakeTimer()
    service = Service(timer)
    assert Client(timer, service, SLOW).send(300) >= 0.92
    assert service.refused == 0


@pytest.mark.parametrize("rounded", [floor, round], ids=["down", "to the nearest"])
def test_it_is_found_out_how_the_reset_is_rounded(rounded: Callable[[float], int]) -> None:
    timer = FakeTimer()
    service = Service(timer, round=rounded)
    assert Client(timer, service).send(300) >= 0.95
    assert service.refused <= 1


def test_caution_that_was_not_needed_is_given_up() -> None:
    timer = FakeTimer()
    service = Service(timer, round=floor)
    client = Client(timer, service)
    client.send(60)
    service.round = ceil
    client.send(60)
    assert client.send(300) >= 0.9


def test_more_than_expected_is_used_at_once() -> None:
    timer = FakeTimer()
    pacer = QuotaPacer(timer, patience=300)
    pacer.learn(pacer.take(), Allowance(5, 60))
    pacer.learn(pacer.take(), Allowance(29, 5))
    began = timer.now()
    pacer.take()
    assert timer.now() - began < 1


def test_without_headers_the_documented_quota_is_kept() -> None:
    timer = FakeTimer()
    service = Service(timer)
    assert Client(timer, service, tells=False).send(150) >= 0.9
    assert service.refused == 0


def test_what_other_tools_use_is_left_to_them() -> None:
    timer = FakeTimer()
    service = Service(timer)

    def other_tool() -> None:
        service.use()
        timer.after(1.0, other_tool)

    timer.after(0.1, other_tool)
    free = Client(timer, service).send(300) * 3 / 2
    assert free >= 0.85
    assert service.refused <= 300 * 0.03


def test_a_refusal_stops_all_until_the_reset() -> None:
    timer = FakeTimer()
    pacer = QuotaPacer(timer, patience=300)
    pacer.learn(pacer.take(), Allowance(0, 4), refused=True)
    began = timer.now()
    pacer.take()
    assert timer.now() - began >= 4


def test_a_refusal_that_comes_late_stops_all_as_well() -> None:
    timer = FakeTimer()
    pacer = QuotaPacer(timer, patience=300)
    refused = pacer.take()
    timer.wait(10)
    pacer.learn(pacer.take(), None)  # of the next window
    pacer.learn(refused, Allowance(0, 4), refused=True)
    began = timer.now()
    pacer.take()
    assert timer.now() - began >= 4


def test_a_quota_that_is_used_up_for_long_is_an_error_not_a_wait() -> None:
    timer = FakeTimer()
    pacer = QuotaPacer(timer, patience=60)
    pacer.learn(pacer.take(), Allowance(0, 3600), refused=True)
    with pytest.raises(ThrottledError, match="quota of Resource Graph"):
        pacer.take()
    assert timer.waits == []


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-ms-user-quota-remaining": "10", "x-ms-user-quota-resets-after": "00:00:03"}, Allowance(10, 3)),
        ({"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "01:02:03.5"}, Allowance(0, 3723.5)),
        ({"x-ms-user-quota-remaining": "10"}, None),
        ({"x-ms-user-quota-remaining": "many", "x-ms-user-quota-resets-after": "00:00:03"}, None),
        ({"x-ms-user-quota-remaining": "1", "x-ms-user-quota-resets-after": "soon"}, None),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], told: Allowance | None) -> None:
    assert Allowance.of(headers) == told


def test_threads_take_turns() -> None:
    class Instant:
        """Waits are over at once, and time stands where they end."""

        def __init__(self) -> None:
            self.time = 0.0

        def now(self) -> float:
            return self.time

        def wait(self, seconds: float) -> None:
            self.time += seconds

    timer = Instant()
    pacer = QuotaPacer(timer, patience=300)
    taken: list[float] = []

    def work() -> None:
        taken.extend(pacer.take().sent_at for _ in range(15))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    assert all(taken[index + 15] - taken[index] >= 5 - 1e-9 for index in range(len(taken) - 15))

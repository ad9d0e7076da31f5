"""How the clients keep to Azure's limits, through the SDKs' own pipelines."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.mgmt.resourcegraph.models import QueryRequest

from apiward_core.clients import AzureClients
from apiward_core.errors import ThrottledError, TransientError, azure_errors
from apiward_core.settings import explicit_settings
from apiward_core.throttle import ArmPace, TokenBucket
from apiward_core.turns import Turns
from tests.unit.connector.transport import Answer, Credential, Replies
from tests.unit.core.timers import FakeTimer

ONE, TWO = (f"{number:08}-0000-4000-8000-000000000000" for number in (1, 2))
EMPTY: tuple[int, Any] = (200, {"value": []})
MINUTE = {"Retry-After": "60"}
ARM = "https://management.azure.com"
INGESTION = "https://one.westeurope-1.ingest.monitor.azure.com"


def throttled(**headers: str) -> tuple[int, Any, dict[str, str]]:
    return 429, {"error": {"code": "TooManyRequests", "message": "slow down"}}, headers


class Azure(Replies):
    """Prepared answers, the last of them again and again, to clients that wait by a fake timer."""

    def __init__(self, *replies: Any) -> None:
        super().__init__(*replies[:-1])
        self._last = replies[-1]
        self.timer = FakeTimer()
        self.clients = AzureClients(
            explicit_settings(throttle_patience=300, ingestion_endpoint=INGESTION),
            credential=Credential(),
            transport=self,
            timer=self.timer,
        )

    def send(self, request: Any, **kwargs: Any) -> Answer:
        self._replies = self._replies or [self._last]
        return super().send(request, **kwargs)

    def sleep(self, duration: float) -> None:
        self.timer.wait(duration)

    def list(self, subscription: str = ONE) -> list[Any]:
        with azure_errors("listing"):
            return list(self.clients.security(subscription).assessments.list(f"subscriptions/{subscription}"))

    def get(self, subscription: str = ONE) -> Any:
        return self.clients.arm().get(f"/subscriptions/{subscription}/x", api_version="1")

    def query(self) -> None:
        with azure_errors("querying"):
            self.clients.resource_graph().resources(QueryRequest(query="q"), retry_on_methods=["POST"])

    def upload(self) -> None:
        with azure_errors("sending"):
            self.clients.ingestion().upload("dcr-1", "Custom-Rows", io.BytesIO(b"[]"))


def seconds(timer: FakeTimer, call: Callable[[], object], times: int = 1) -> float:
    began = timer.now()
    for _ in range(times):
        call()
    return timer.now() - began


def test_a_bucket_gives_what_is_in_it_and_then_as_it_fills() -> None:
    timer = FakeTimer()
    bucket = TokenBucket(250, 25.0, timer=timer, patience=300)
    assert seconds(timer, bucket.take, 250) == 0
    assert seconds(timer, bucket.take, 100) == pytest.approx(4)
    timer.wait(3600)
    assert seconds(timer, bucket.take, 250) == 0
    assert seconds(timer, bucket.take, 25) == pytest.approx(1)


def test_after_a_refusal_not_all_come_at_once() -> None:
    timer = FakeTimer()
    bucket = TokenBucket(250, 25.0, timer=timer, patience=300)
    bucket.drain(10)
    assert seconds(timer, bucket.take, 26) == pytest.approx(11)


def test_a_bucket_is_one_for_all_threads() -> None:
    class Standing(FakeTimer):
        def wait(self, seconds: float) -> None:
            self.waits.append(seconds)

    timer = Standing()
    bucket = TokenBucket(10, 2.0, timer=timer, patience=300)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bucket.take(), range(30)))
    assert sorted(timer.waits) == pytest.approx([(number + 1) / 2 for number in range(20)])


@pytest.mark.parametrize(
    ("method", "url", "same"),
    [
        ("HEAD", f"/subscriptions/{ONE}/other", True),
        ("get", f"/SUBSCRIPTIONS/{ONE.upper()}?api-version=1", True),
        ("GET", f"/subscriptions/{TWO}", False),
        ("GET", "/providers/Microsoft.Management/managementGroups/g", False),
        ("PUT", f"/subscriptions/{ONE}", False),
        ("DELETE", f"/subscriptions/{ONE}", False),
    ],
)
def test_calls_share_a_bucket_by_subscription_and_kind(method: str, url: str, same: bool) -> None:
    pace = ArmPace(FakeTimer(), patience=300)
    reads = pace.bucket("GET", f"{ARM}/subscriptions/{ONE}/x")
    assert (pace.bucket(method, ARM + url) is reads) == same


@pytest.mark.parametrize(("method", "capacity", "rate"), [("GET", 250, 25), ("POST", 200, 10), ("DELETE", 200, 10)])
def test_limits_are_those_of_azure_resource_manager(method: str, capacity: int, rate: int) -> None:
    timer = FakeTimer()
    bucket = ArmPace(timer, patience=300).bucket(method, f"{ARM}/subscriptions/{ONE}/x")
    assert seconds(timer, bucket.take, capacity) == 0
    assert seconds(timer, bucket.take, rate) == pytest.approx(1)


def test_clients_of_one_subscription_keep_one_pace() -> None:
    azure = Azure(EMPTY)
    assert seconds(azure.timer, azure.list, 200) == 0
    assert seconds(azure.timer, azure.get, 75) == pytest.approx(1)
    assert seconds(azure.timer, lambda: azure.get(TWO), 100) == 0


@pytest.mark.parametrize(("call", "answer"), [(Azure.list, EMPTY), (Azure.upload, (204, b""))])
def test_a_throttled_call_is_tried_until_it_is_taken(call: Callable[[Azure], object], answer: tuple[int, Any]) -> None:
    azure = Azure(*repeat(throttled(**{"Retry-After": "20"}), 10), answer)
    call(azure)
    assert len(azure.requests) == 11
    assert azure.timer.now() == 100 + 200


@pytest.mark.parametrize("call", [Azure.list, Azure.upload])
def test_what_is_throttled_until_the_deadline_is_an_error(call: Callable[[Azure], object]) -> None:
    azure = Azure(throttled(**MINUTE))
    with pytest.raises(ThrottledError, match="HTTP 429 while"):
        call(azure)
    assert len(azure.requests) == 6
    assert azure.timer.now() == 100 + 300


def test_throttling_that_tells_no_time_ends_as_well() -> None:
    azure = Azure(throttled())
    with pytest.raises(ThrottledError):
        azure.list()
    assert 5 < len(azure.requests) < 20
    assert azure.timer.now() <= 100 + 300


@pytest.mark.parametrize("call", [Azure.list, Azure.get, Azure.query])
def test_a_wait_beyond_the_deadline_is_not_begun(call: Callable[[Azure], None]) -> None:
    azure = Azure(throttled(**{"Retry-After": "301"}))
    with pytest.raises(ThrottledError):
        call(azure)
    assert (len(azure.requests), azure.timer.waits) == (1, [])


def test_while_one_call_has_to_wait_others_of_its_subscription_do_not_try() -> None:
    azure = Azure(throttled(**{"Retry-After": "301"}), EMPTY)
    with pytest.raises(ThrottledError):
        azure.list()
    with pytest.raises(ThrottledError, match="takes no such call for another 301 s"):
        azure.list()
    assert len(azure.requests) == 1
    assert azure.list(TWO) == []
    azure.timer.wait(301)
    assert azure.list() == []


def test_a_retry_after_that_cannot_be_read_is_none() -> None:
    azure = Azure(throttled(**{"Retry-After": "soon"}), EMPTY)
    assert azure.list() == []


def test_a_service_that_fails_is_not_tried_until_the_deadline() -> None:
    azure = Azure((500, {"error": {"code": "InternalServerError", "message": "oops"}}))
    with pytest.raises(TransientError):
        azure.list()
    assert len(azure.requests) == 4


def test_queries_keep_the_pace_of_their_quota_whichever_client_sends_them() -> None:
    body = {"totalRecords": 0, "count": 0, "resultTruncated": "false", "data": []}
    azure = Azure((200, body))
    assert seconds(azure.timer, azure.query, 30) >= 29 * 5 / 15 - 1e-6


def test_a_refused_query_waits_for_the_next_window_though_the_refusal_tells_nothing() -> None:
    azure = Azure(throttled(), (200, {"data": []}))
    assert seconds(azure.timer, azure.query) >= 5


def test_after_a_query_without_answer_it_is_still_noticed_that_the_count_begins_anew() -> None:
    def left(number: int, resets_after: str) -> tuple[int, Any, dict[str, str]]:
        told = {"x-ms-user-quota-remaining": str(number), "x-ms-user-quota-resets-after": resets_after}
        return 200, {"data": []}, told

    azure = Azure(ServiceRequestError("reset"), left(2, "00:01:00"), left(2, "00:00:05"), left(1, "00:00:02"))
    azure.query()
    azure.query()
    assert seconds(azure.timer, azure.query) < 4  # the five seconds are shared by the two that are left


@pytest.mark.parametrize(("call", "times"), [(Azure.list, 251), (Azure.query, 2)])
def test_who_waits_for_the_pace_lets_others_compute(call: Callable[[Azure], object], times: int) -> None:
    azure, turns = Azure((200, {"value": [], "data": []})), Turns(patience=60)

    def compute() -> None:
        with turns.taken():
            pass

    with ThreadPoolExecutor(1) as other, turns.taken():
        azure.timer.after(0.001, lambda: other.submit(compute).result(20))
        assert seconds(azure.timer, lambda: call(azure), times) > 0


def test_clients_of_many_subscriptions_share_their_connections() -> None:
    azure = Azure(EMPTY)
    first = azure.clients.security(ONE)
    assert azure.clients.security(ONE) is first
    for number in range(100):
        azure.clients.security(f"{number:08}-0000-4000-9000-000000000000")
    assert azure.clients.security(ONE) is not first
    assert list(first.assessments.list(f"subscriptions/{ONE}")) == []

"""Plain ARM calls: whom the token reaches, and what becomes of answers that are no JSON."""

import pytest

from apiward_core.arm import ArmClient
from apiward_core.errors import ThrottledError, TransientError
from apiward_core.throttle import DeadlineRetryPolicy
from tests.unit.connector.transport import Credential, Replies
from tests.unit.core.timers import FakeTimer
from tests.unit.core.web import JSON, Web

ARM = "https://management.azure.com"
HTML = (200, {"Content-Type": "text/html"}, b"<html>Sign in to the proxy</html>")


def client(web: Web) -> ArmClient:
    scopes = [f"{ARM}/.default"]
    return ArmClient(Credential(), base_url=ARM, credential_scopes=scopes, user_agent="x", transport=web.transport())


def test_the_token_does_not_follow_a_redirect_to_another_host() -> None:
    web = Web((307, {"Location": "https://elsewhere.example.invalid/x"}, b""), (200, JSON, b"{}"))
    with client(web) as arm:
        arm.get("/subscriptions/x", api_version="1")
    first, second = web.requests
    assert first.headers["Authorization"] == "Bearer token"
    assert second.url == "https://elsewhere.example.invalid/x"
    assert "Authorization" not in second.headers


def test_the_token_follows_a_redirect_within_the_host() -> None:
    web = Web((307, {"Location": f"{ARM}/moved"}, b""), (200, JSON, b'{"name": "moved"}'))
    with client(web) as arm:
        assert arm.get("/subscriptions/x", api_version="1") == {"name": "moved"}
    assert web.requests[1].headers["Authorization"] == "Bearer token"


@pytest.mark.parametrize("answer", [HTML, (200, JSON, b'{"name": '), (200, JSON, b"[]")], ids=["html", "cut", "list"])
def test_an_answer_that_is_no_json_object_names_the_address(answer: tuple[int, dict[str, str], bytes]) -> None:
    with client(Web(answer)) as arm, pytest.raises(TransientError, match=f"{ARM}/subscriptions/x"):
        arm.get("/subscriptions/x", api_version="1")


def test_a_write_whose_answer_is_cut_may_have_been_done() -> None:
    with client(Web((200, JSON, b'{"name": '))) as arm, pytest.raises(TransientError, match="may have been done"):
        arm.put("/subscriptions/x", {}, api_version="1")


class Throttling(Replies):
    """Takes no call, and lets a retry wait by a timer that passes at once."""

    def __init__(self, timer: FakeTimer, *, retry_after: int) -> None:
        super().__init__(*[(429, {"error": {"code": "TooMany"}}, {"Retry-After": str(retry_after)})] * 100)
        self._timer = timer

    def sleep(self, duration: float) -> None:
        self._timer.wait(duration)


@pytest.mark.parametrize(("retry_after", "waits"), [(60, [60.0] * 5), (299, [299.0]), (301, []), (86_400, [])])
def test_what_stays_throttled_ends_within_the_patience(retry_after: int, waits: list[float]) -> None:
    timer = FakeTimer()
    arm = ArmClient(
        Credential(),
        base_url=ARM,
        credential_scopes=[f"{ARM}/.default"],
        user_agent="x",
        retry_policy=DeadlineRetryPolicy(timer=timer, patience=300),
        transport=Throttling(timer, retry_after=retry_after),
    )
    with pytest.raises(ThrottledError):
        arm.get("/subscriptions/x", api_version="1")
    assert timer.waits == waits

"""The lab's Functions host: it runs what Azure would run, and refuses what Azure would refuse."""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue

import pytest
from azure.storage.queue import QueueClient

from apiward_lab.clock import VirtualClock
from apiward_lab.dispatch import Incoming
from apiward_lab.functions.declared import LoadError
from apiward_lab.functions.host import FunctionsHost, Invocation
from apiward_lab.functions.schedule import Schedule
from apiward_lab.functions.timespan import parse_timespan
from tests.azurite import Azurite, running_azurite

HEAD = """
from typing import List
import azure.functions as func
app = func.FunctionApp()
"""
FORWARD = """
@app.queue_trigger(arg_name="message", queue_name="%PREFIX%-in", connection="STORE")
@app.queue_output(arg_name="out", queue_name="%PREFIX%-out", connection="STORE")
def forward(message: func.QueueMessage, out: func.Out[List[str]]) -> None:
    text = message.get_body().decode()
    if text == "fails":
        raise RuntimeError("as it was told")
    out.set([f"{text} {message.dequeue_count}", "{}"])
"""
RETURNS = """
@app.queue_trigger(arg_name="message", queue_name="%PREFIX%-in", connection="STORE")
def returns(message: str):
    return message
"""
TIMER = """
runs = 0
@app.timer_trigger(arg_name="timer", schedule="0 30 7 * * *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:10:00")
def tick(timer: func.TimerRequest, context: func.Context) -> None:
    global runs
    runs += 1
    if runs == 2:
        raise RuntimeError(context.function_name)
"""
HTTP = """
@app.route(route="echo/{name}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    if req.route_params["name"] == "fails":
        raise RuntimeError("as it was told")
    return func.HttpResponse(req.get_body() + req.params["more"].encode(), status_code=202, mimetype="text/plain")

@app.route(route="secret", auth_level=func.AuthLevel.ADMIN)
def secret(req: func.HttpRequest) -> str:
    return "told"

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def yearly(timer: func.TimerRequest) -> None:
    pass
"""
OPTIONS = {"batchSize": 1, "maxDequeueCount": 3}
PATIENCE = 30.0


class Heard:
    """What the host told of its invocations, in their order."""

    def __init__(self) -> None:
        self._told: Queue[Invocation] = Queue()

    def __call__(self, invocation: Invocation) -> None:
        self._told.put(invocation)

    def next(self) -> Invocation:
        return self._told.get(timeout=PATIENCE)

    def is_silent(self) -> bool:
        return self._told.empty()


class Apps:
    """Makes hosts of apps that a test writes."""

    def __init__(self, folder: Path, azurite: Azurite | None = None, prefix: str = "") -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.heard = Heard()
        self.azurite = azurite
        self.settings = {"PREFIX": prefix, "STORE": azurite.connection_string if azurite else ""}

    def host(self, code: str, *, queues: Mapping[str, object] = OPTIONS, **more: str) -> FunctionsHost:
        document = {"version": "2.0", "extensionBundle": {"id": "x"}, "extensions": {"queues": queues}}
        (self.folder / "host.json").write_text(json.dumps(document))
        (self.folder / "function_app.py").write_text(HEAD + code)
        return FunctionsHost(
            self.folder / "function_app.py",
            settings={**self.settings, **more},
            clock=self.clock,
            storage_ca=self.azurite.ca if self.azurite else None,
            heard=self.heard,
        )

    def queue(self, name: str) -> QueueClient:
        assert self.azurite
        text, ca = self.azurite.connection_string, str(self.azurite.ca)
        return QueueClient.from_connection_string(text, f"{self.settings['PREFIX']}-{name}", connection_verify=ca)

    def sent(self, name: str) -> list[str]:
        """The messages that wait in a queue, decoded."""
        return [base64.b64decode(message.content).decode() for message in self.queue(name).receive_messages()]


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def stored(tmp_path: Path, azurite: Azurite, request: pytest.FixtureRequest) -> Apps:
    return Apps(tmp_path, azurite, prefix=request.function.__name__.replace("_", "-")[5:55].strip("-"))


@pytest.fixture
def apps(tmp_path: Path) -> Apps:
    return Apps(tmp_path)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def incoming(method: str, path: str, *, key: str = "", body: bytes = b"", **query: str) -> Incoming:
    return Incoming(method, path, query, {"x-functions-key": key} if key else {}, body, "https://127.0.0.1")


def test_a_message_is_decoded_handed_over_and_deleted(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message(encoded("hello"))
    with stored.host(FORWARD):
        assert stored.heard.next() == Invocation("forward", succeeded=True, attempt=1, error="")
    assert sorted(stored.sent("out")) == ["hello 1", "{}"]
    assert stored.queue("in").get_queue_properties().approximate_message_count == 0


def test_a_message_that_fails_comes_back_and_ends_in_the_poison_queue(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message(encoded("fails"))
    stored.queue("in").send_message(encoded("hello"))
    with stored.host(FORWARD):
        heard = [stored.heard.next() for _ in range(4)]
    assert sorted(one.attempt for one in heard if not one.succeeded) == [1, 2, 3]
    assert [one.attempt for one in heard if one.succeeded] == [1]
    assert stored.sent("in-poison") == ["fails"]
    assert stored.queue("in").get_queue_properties().approximate_message_count == 0


def test_a_failed_message_waits_for_the_visibility_timeout(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message(encoded("fails"))
    override = {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "01:00:00"}
    with stored.host(FORWARD, queues={"visibilityTimeout": "00:00:00"}, **override):
        assert stored.heard.next().attempt == 1
    assert stored.sent("in") == []
    assert stored.queue("in").get_queue_properties().approximate_message_count == 1


def test_a_message_that_is_not_base64_goes_to_the_poison_queue_unseen(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message("{not base64}")
    stored.queue("in").send_message(encoded("hello"))
    with stored.host(FORWARD):
        assert stored.heard.next().succeeded
    assert [message.content for message in stored.queue("in-poison").receive_messages()] == ["{not base64}"]


def test_without_encoding_texts_are_sent_as_they_are(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message("hello")
    with stored.host(FORWARD, queues={"messageEncoding": "none"}):
        assert stored.heard.next().succeeded
    assert sorted(message.content for message in stored.queue("out").receive_messages()) == ["hello 1", "{}"]


def test_a_value_returned_without_a_return_binding_is_a_failure(stored: Apps) -> None:
    stored.queue("in").create_queue()
    stored.queue("in").send_message(encoded("hello"))
    with stored.host(RETURNS, queues={"maxDequeueCount": 1}):
        heard = stored.heard.next()
    assert not heard.succeeded
    assert "$return" in heard.error
    assert stored.sent("in-poison") == ["hello"]


def test_a_timer_runs_when_the_clock_passes_it_and_again_after_a_failure(apps: Apps) -> None:
    with apps.host(TIMER):
        apps.clock.advance(Schedule.parse("0 30 7 * * *").after(apps.clock.now()) - apps.clock.now())
        assert apps.heard.next().succeeded
        apps.clock.advance(timedelta(days=1))
        failed = apps.heard.next()
        assert (failed.succeeded, "tick" in failed.error) == (False, True)
        apps.clock.advance(timedelta(minutes=11))
        assert apps.heard.next().succeeded
        apps.clock.advance(timedelta(hours=23))
        assert apps.heard.is_silent()


@pytest.mark.parametrize("key", ["", "wrong", "host"])
def test_an_admin_function_takes_the_master_key_only(apps: Apps, key: str) -> None:
    host = apps.host(HTTP)
    given = {"host": host.keys.host}.get(key, key)
    assert host.answer(incoming("GET", "/api/secret", key=given)).status == 401
    assert host.answer(incoming("GET", "/api/secret", code=host.keys.master)).body == b"told"


def test_requests_reach_a_function_by_route_method_and_key(apps: Apps) -> None:
    host = apps.host(HTTP)
    answer = host.answer(incoming("POST", "/api/echo/x", key=host.keys.host, body=b"one ", more="two"))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        202,
        b"one two",
        "text/plain; charset=utf-8",
    )
    assert host.answer(incoming("POST", "/api/echo/x")).status == 401
    assert host.answer(incoming("GET", "/api/echo/x", key=host.keys.host)).status == 404
    assert host.answer(incoming("POST", "/api/other", key=host.keys.master)).status == 404
    assert host.answer(incoming("POST", "/api/echo/fails", key=host.keys.host)).status == 500


def test_the_admin_api_runs_a_timer_now(apps: Apps) -> None:
    with apps.host(HTTP) as host:
        assert host.answer(incoming("POST", "/admin/functions/yearly", key=host.keys.host)).status == 401
        assert host.answer(incoming("POST", "/admin/functions/echo", key=host.keys.master)).status == 404
        assert host.answer(incoming("POST", "/admin/functions/yearly", key=host.keys.master)).status == 202
        assert apps.heard.next().function == "yearly"


YEARLY = '@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")\n'
LISTENS = '@app.queue_trigger(arg_name="m", queue_name="q", connection="STORE")\n'
QUEUES = '@app.queue_output(arg_name="out", queue_name="q", connection="STORE")\n'
STORES = '@app.blob_output(arg_name="out", path="x", connection="STORE")\n'
REPEATS = '@app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="00:00:01")\n'
REFUSED = {
    "a parameter of another name": (YEARLY + "def f(tick): pass", "no binding for the parameters"),
    "a binding without a parameter": (YEARLY + "def f(): pass", "no parameter for the bindings"),
    "a trigger annotated as another one": (YEARLY + "def f(timer: func.QueueMessage): pass", "does not fit"),
    "an output that is no Out": (YEARLY + QUEUES + "def f(timer, out: str): pass", "no azure.functions.Out"),
    "an Out of a builtin list": (YEARLY + QUEUES + "def f(timer, out: func.Out[list[str]]): pass", "does not fit"),
    "an input that is an Out": (YEARLY + "def f(timer: func.Out[str]): pass", "is an input"),
    "another context": (YEARLY + "def f(timer, context: str): pass", "must be an azure.functions.Context"),
    "an HTTP answer of another type": ('@app.route(route="x")\ndef f(req) -> int: pass', "the return annotation"),
    "a trigger that the lab has not": ('@app.blob_trigger("blob", "x", "STORE")\ndef f(blob): pass', "blobTrigger"),
    "an output that the lab has not": (YEARLY + STORES + "def f(timer, out): pass", "no output binding of type blob"),
    "a schedule of five fields": (YEARLY.replace("0 0 0 1 1 *", "0 0 1 1 *") + "def f(timer): pass", "has 5 fields"),
    "a missing app setting": (
        YEARLY.replace("0 0 0 1 1 *", "%GONE%") + "def f(timer): pass",
        "%GONE% does not resolve",
    ),
    "two of one name": ('@app.route(route="x")\ndef f(req): pass\n' * 2, "does not have a unique"),
    "a retry policy on a queue": (LISTENS + REPEATS + "def f(m): pass", "retry policy has no effect"),
    "no connection string": (LISTENS + "def f(m): pass", "STORE is no connection string"),
    "no connection string for an output": (
        YEARLY + QUEUES + "def f(timer, out): pass",
        "STORE is no connection string",
    ),
    "no app": ("app = None", "no FunctionApp"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_azure_would_not_load_is_refused(apps: Apps, case: str) -> None:
    code, reason = REFUSED[case]
    with pytest.raises(LoadError, match=reason):
        apps.host(code)


@pytest.mark.parametrize(
    "document",
    [
        '{"version": "3.0", "extensionBundle": {}}',
        '{"version": "2.0"}',
        '{"version": "2.0", "extensionBundle": {}, "extensions": {"queues": {"batchSize": 33}}}',
        '{"version": "2.0", "extensionBundle": {}, "extensions": {"queues": {"batchsize": 3}}}',
        '{"version": "2.0", "extensionBundle": {}, "extensions": {"queues": {"visibilityTimeout": 5}}}',
        "{",
    ],
    ids=["version", "no bundle", "batch too large", "unknown option", "no duration", "no JSON"],
)
def test_a_host_json_that_azure_would_not_take_is_refused(apps: Apps, document: str) -> None:
    apps.host("")
    (apps.folder / "host.json").write_text(document)
    with pytest.raises(LoadError, match=r"host\.json"):
        FunctionsHost(apps.folder / "function_app.py", settings={}, clock=apps.clock)


AT = datetime(2026, 2, 27, 23, 59, 59, 400_000, UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("0 0 * * * *", "2026-02-28T00:00:00"),
        ("*/20 * * * * *", "2026-02-28T00:00:00"),
        ("5/20 10-12,50 3 * * *", "2026-02-28T03:10:05"),
        ("0 30 9 * * Mon-Fri", "2026-03-02T09:30:00"),
        ("0 0 0 * * Sun", "2026-03-01T00:00:00"),
        ("0 0 0 1/27 * *", "2026-02-28T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 1 January,jun *", "2026-06-01T00:00:00"),
    ],
)
def test_schedules_fall_due(expression: str, due: str) -> None:
    assert Schedule.parse(expression).after(AT) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("expression", ["60 * * * * *", "* * * * *", "x * * * * *", "5-1 * * * * *", "*/0 * * * * *"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has 5 fields"):
        Schedule.parse(expression)


def test_a_schedule_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="never falls due"):
        Schedule.parse("0 0 0 31 2 *").after(AT)


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:05:00", 300.0), ("1.02:00:03", 93603.0), ("00:00:00.5", 0.5)], ids=["m", "d", "f"]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_timespan(text).total_seconds() == seconds

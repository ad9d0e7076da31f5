"""The host: listens to queues, clocks and HTTP requests, and runs the functions of one app."""

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from azure.functions.meta import Datum
from azure.storage.queue import QueueClient, QueueMessage

from apiward_lab.clock import VirtualClock
from apiward_lab.dispatch import Incoming
from apiward_lab.functions.declared import RETURN, Binding, Declared, LoadError, load_app
from apiward_lab.functions.invoke import Outcome, invoke
from apiward_lab.functions.options import read_options
from apiward_lab.functions.queues import QueueListener, Queues
from apiward_lab.functions.requests import HttpFunctions, Keys
from apiward_lab.functions.schedule import Schedule
from apiward_lab.functions.timers import Timer
from apiward_lab.web import Reply

_LOG = logging.getLogger(__name__)
_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a function: for the queue's messages, `attempt` is their dequeue count."""

    function: str
    succeeded: bool
    attempt: int
    error: str


def _unheard(invocation: Invocation) -> None:
    del invocation


class FunctionsHost:
    """Runs the app in `file` under app settings. Use as a context manager; `answer` serves its HTTP requests.

    `storage_ca` is the PEM file that the storage emulator's certificate is checked with. `heard` is told of each
    invocation when it has ended, from several threads. Raises LoadError for an app that Azure would not load.
    """

    def __init__(
        self,
        file: Path,
        *,
        settings: Mapping[str, str],
        clock: VirtualClock,
        storage_ca: Path | None = None,
        heard: Callable[[Invocation], None] = _unheard,
    ) -> None:
        self._folder = file.parent
        self._settings = settings
        self._clock = clock
        self._heard = heard
        self._options = read_options(self._folder, settings)
        self._queues = Queues(settings, base64_texts=self._options.base64, ca=storage_ca)
        self._functions = {declared.name: declared for declared in load_app(file)}
        self._outputs = {
            (declared.name, output.name): self._queue(output)
            for declared in self._functions.values()
            for output in declared.outputs
            if output.name != RETURN
        }
        self.keys = Keys(master=secrets.token_urlsafe(24), host=secrets.token_urlsafe(24))
        self._http = HttpFunctions(
            self._of("httpTrigger"), prefix=self._options.route_prefix, keys=self.keys, run=self._answer_by
        )
        self._listeners = [self._listener(declared) for declared in self._of("queueTrigger")]
        self._timers = {declared.name: self._timer(declared) for declared in self._of("timerTrigger")}
        self._background = ThreadPoolExecutor(thread_name_prefix="admin")

    def start(self) -> None:
        """Begin to listen to queues and to the clock."""
        for listener in self._listeners:
            listener.start()
        for timer in self._timers.values():
            self._clock.on_advance(timer.tick, timer.next_due)

    def stop(self) -> None:
        """End listening to queues; runs that have begun end first."""
        self._background.shutdown()
        for listener in self._listeners:
            listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, incoming: Incoming) -> Reply:
        """The answer to an HTTP request: a function's own, or that of the admin API that runs a timer now."""
        admin = re.fullmatch(r"/admin/functions/([^/]+)", incoming.path)
        if admin is None:
            return self._http.answer(incoming)
        if not self.keys.is_master(incoming):
            return Reply(401)
        timer = self._timers.get(admin[1])
        if incoming.method != "POST" or timer is None:
            return Reply(404)
        self._background.submit(timer.trigger, self._clock.now())
        return Reply(202)

    def _of(self, trigger: str) -> Sequence[Declared]:
        return [declared for declared in self._functions.values() if declared.trigger.type == trigger]

    def _timer(self, declared: Declared) -> Timer:
        expression = self._resolved(declared.trigger.properties["schedule"])
        try:
            schedule = Schedule.parse(expression)
        except ValueError as error:
            raise LoadError(f"{declared.name}: {error}") from error
        told = Datum(json.dumps({"IsPastDue": False, "Schedule": {}, "ScheduleStatus": None}), "json")

        def run() -> bool:
            return self._run(declared, told, {}, attempt=1) is not None

        return Timer(schedule, declared.retry, run=run, now=self._clock.now())

    def _listener(self, declared: Declared) -> QueueListener:
        def handle(body: bytes, message: QueueMessage) -> bool:
            attempt = message.dequeue_count or 1
            return self._run(declared, Datum(body, "bytes"), _metadata(message), attempt=attempt) is not None

        return QueueListener(
            self._queues,
            self._queue(declared.trigger),
            self._queue(declared.trigger, suffix="-poison"),
            options=self._options,
            handle=handle,
        )

    def _answer_by(self, declared: Declared, request: Datum) -> Datum | None:
        outcome = self._run(declared, request, {}, attempt=1)
        return outcome.answer if outcome else Datum({"status_code": Datum("500", "string")}, "http")

    def _run(self, declared: Declared, value: Datum, metadata: Mapping[str, Datum], *, attempt: int) -> Outcome | None:
        outcome, error = self._invoked(declared, value, metadata)
        self._heard(Invocation(declared.name, outcome is not None, attempt, error))
        return outcome

    def _invoked(self, declared: Declared, value: Datum, metadata: Mapping[str, Datum]) -> tuple[Outcome | None, str]:
        """What it gave, None when it failed; what it queues is sent before it counts as done."""
        try:
            outcome = invoke(declared, value, metadata, folder=str(self._folder))
            self._send(declared, outcome)
        except Exception as error:  # noqa: BLE001 - whatever a function raises is a failed invocation, not a failed host
            _LOG.warning("%s failed", declared.name, exc_info=True)
            return None, repr(error)
        return outcome, ""

    def _send(self, declared: Declared, outcome: Outcome) -> None:
        for output in declared.outputs:
            for text in outcome.queued.get(output.name, []):
                self._queues.send(self._outputs[declared.name, output.name], text)

    def _queue(self, binding: Binding, *, suffix: str = "") -> QueueClient:
        name = self._resolved(binding.properties["queueName"])
        return self._queues.client(name + suffix, connection=binding.properties["connection"])

    def _resolved(self, text: str) -> str:
        """`text` with the app settings that it names between percent signs."""

        def value(found: re.Match[str]) -> str:
            if found[1] not in self._settings:
                raise LoadError(f"%{found[1]}% does not resolve to a value: there is no such app setting")
            return self._settings[found[1]]

        return _SETTING.sub(value, text)


def _metadata(message: QueueMessage) -> Mapping[str, Datum]:
    times = {
        "ExpirationTime": message.expires_on,
        "InsertionTime": message.inserted_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        **{name: Datum(json.dumps(_written(moment)), "json") for name, moment in times.items() if moment},
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

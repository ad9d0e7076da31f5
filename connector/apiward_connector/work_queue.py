"""Scopes as messages of a storage queue: what is queued, what a message says, and what a worker does with it.

A message is JSON: `v`, the version of the format, and `subscriptions`, whose ids it asks to read. It says nothing else,
so that one that comes twice, late, or beside another one of the same scope does no harm: the scope's lease lets one run
work at a time, and what a run sends depends on source and state alone.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from apiward_connector.report import Gap, RunReport, ScopeReport
from apiward_connector.scopes import Scopes
from apiward_core.errors import ApiwardError, ConfigurationError, RejectedDataError, TransientError

QUEUE = "apiward-scopes"
BATCH: Mapping[str, int] = {"assessments": 1, "resource_graph": 50}
"""How many subscriptions one message asks for, by source. Resource Graph counts the rows of all of them in one query
and reads small ones together, and its quota is of queries; Defender's own list is read one by one anyway."""

_VERSION = 1
_LARGEST_BATCH = max(BATCH.values())
_LARGEST_REQUEST = 64 * 1024  # bytes: some 1,600 subscriptions, and for all of them nothing needs to be sent
_ATTEMPTS = 3  # below the host's maxDequeueCount, so that the poison queue holds only what nobody understood
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """The subscriptions, lower-case GUIDs, that one worker reads in one run."""

    subscriptions: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is put on the queue; the host encodes it in Base64."""
        return orjson.dumps({"v": _VERSION, "subscriptions": self.subscriptions}).decode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The message that `data` writes. Raises RejectedDataError when it is none of this version."""
        document = _document(data, {"v", "subscriptions"})
        if type(document.get("v")) is not int or document["v"] != _VERSION:
            raise _rejected(f"its format is {document.get('v')!r}, not {_VERSION}")
        found = _subscriptions(document.get("subscriptions"))
        if len(found) > _LARGEST_BATCH:
            raise _rejected(f"it names {len(found)} subscriptions, and at most {_LARGEST_BATCH} are queued together")
        return cls(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request to run now: HTTP status, JSON body, and the messages to put on the queue."""

    status: int
    body: str
    messages: list[str]


class Planner:
    """Divides the expected scopes into messages of at most `batch` subscriptions.

    `tell` writes the health rows of management groups that cannot be listed, for no message can name what is in them.
    """

    def __init__(self, *, expected: Callable[[], Scopes], batch: int, tell: Callable[[Sequence[Gap]], object]) -> None:
        self._expected = expected
        self._batch = batch
        self._tell = tell

    def everything(self) -> list[str]:
        """The messages for every expected scope.

        A management group that cannot be listed is told; its subscriptions that are known otherwise are queued.
        Raises the errors of `apiward_core.errors`; ConfigurationError when nothing is expected.
        """
        return self._messages(self._all())

    def asked(self, body: bytes) -> Answer:
        """What a request to run now asks for: an empty body for everything, else {"subscriptions": [id, ...]}.

        Only expected subscriptions are queued: one that is read once is remembered, and so expected from then on.
        Answers 202 with what is queued, and 400 or 413 with what is wrong. Raises the errors of `everything`.
        """
        if len(body) > _LARGEST_REQUEST:
            return _refusal(413, _rejected(f"it is larger than {_LARGEST_REQUEST} bytes"))
        if not body.strip():
            return self._accepted(self._all())
        try:
            named = _subscriptions(_document(body, {"subscriptions"}).get("subscriptions"))
            self._require_expected(named)
        except RejectedDataError as error:
            return _refusal(400, error)
        return self._accepted(named)

    def _all(self) -> Sequence[str]:
        scopes = self._expected()
        if scopes.unlisted:
            self._tell(scopes.unlisted)
        elif not scopes.subscriptions:
            raise ConfigurationError(
                "There is no subscription to read.", remedy="Name them in `subscriptions` or `management_groups`."
            )
        return scopes.subscriptions

    def _require_expected(self, named: Sequence[str]) -> None:
        if strangers := set(named) - set(self._expected().subscriptions):
            raise RejectedDataError(
                f"Not expected: {', '.join(sorted(strangers))}.",
                remedy="Name them in `subscriptions`, or a management group above them in `management_groups`.",
            )

    def _accepted(self, subscriptions: Sequence[str]) -> Answer:
        body = orjson.dumps({"queued": subscriptions}).decode()
        return Answer(202, body, self._messages(subscriptions))

    def _messages(self, subscriptions: Sequence[str]) -> list[str]:
        starts = range(0, len(subscriptions), self._batch)
        return [Message(tuple(subscriptions[start : start + self._batch])).text for start in starts]


def _never(report: ScopeReport) -> bool:
    del report
    return False


class Worker:
    """Does what a message asks for.

    `run` reads subscriptions, `again` says of a scope whether another try may soon do better. What a run has told is
    done: its health row names it, and the next message of the schedule reads the scope again.
    """

    def __init__(
        self, *, run: Callable[[Sequence[str]], RunReport], again: Callable[[ScopeReport], bool] = _never
    ) -> None:
        self._run = run
        self._again = again

    def work(self, data: bytes, *, attempt: int | None) -> None:
        """Read the subscriptions of a message. `attempt` is how often the queue has handed it out.

        Raises what the host repeats and, in the end, keeps in the poison queue: RejectedDataError for a message that is
        not understood, the errors that stopped the whole run, and TransientError when another try may do better. The
        last is not raised for ever: that a service is down poisons no message.
        """
        report = self._run(Message.parse(data).subscriptions)
        for scope in report.scopes:
            _tell(scope, report.run_id)
        passing = [scope.scope for scope in report.scopes if self._again(scope)]
        if passing and attempt is not None and attempt < _ATTEMPTS:
            raise TransientError(f"Not read whole: {', '.join(passing)}.", remedy="The queue hands them out again.")


def _tell(scope: ScopeReport, run_id: str) -> None:
    level = logging.WARNING if scope.gaps or scope.dead else logging.INFO
    counts = f"{scope.read} read, {scope.sent} rows sent, {scope.dead} dead letters, {len(scope.gaps)} gaps"
    first = f": {scope.gaps[0].what}: {scope.gaps[0].why}" if scope.gaps else ""
    _LOG.log(level, "%s %s in run %s: %s%s", scope.scope, scope.outcome, run_id, counts, first)


def _document(data: bytes, members: set[str]) -> Mapping[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _rejected(f"it is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise _rejected("it is no JSON object")
    if unknown := document.keys() - members:
        raise _rejected(f"it has unknown members: {', '.join(sorted(unknown))}")
    return document


def _subscriptions(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _rejected("its `subscriptions` is no list of ids")
    return tuple(dict.fromkeys(_subscription(item) for item in value))


def _subscription(value: object) -> str:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise _rejected(f"{repr(value)[:100]} is no subscription id")
    return value.lower()


def _rejected(why: str) -> RejectedDataError:
    return RejectedDataError(
        f"The request for subscriptions is not understood: {why}.", remedy='Send {"subscriptions": ["<id>", ...]}.'
    )


def _refusal(status: int, error: ApiwardError) -> Answer:
    return Answer(status, orjson.dumps({"error": error.message, "remedy": error.remedy}).decode(), [])

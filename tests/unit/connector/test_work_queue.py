"""What is queued, what is understood, and what is tried again."""

import json
import logging
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from apiward_connector.report import Gap, Outcome, RunReport, ScopeReport
from apiward_connector.scopes import Scopes
from apiward_connector.work_queue import BATCH, Message, Planner, Worker
from apiward_core.errors import ConfigurationError, RejectedDataError, TransientError

ROOT = Path(__file__).parents[3]
ONE, TWO, THREE = (f"0000000{number}-aaaa-bbbb-cccc-0123456789ab" for number in (1, 2, 3))
GROUP = Gap("/providers/Microsoft.Management/managementGroups/shops", "HTTP 403")


def planner(*subscriptions: str, batch: int = 1) -> Planner:
    return Planner(expected=lambda: Scopes(subscriptions, ()), batch=batch, tell=unexpected)


def unexpected(unlisted: Sequence[Gap]) -> None:
    raise AssertionError(f"nothing was unlisted, but {unlisted} was told")


def scope_report(subscription: str, outcome: Outcome, *gaps: Gap, dead: int = 0) -> ScopeReport:
    return ScopeReport(
        scope=f"/subscriptions/{subscription}",
        source="assessments",
        outcome=outcome,
        gaps=gaps,
        pages=1,
        read=7,
        current=5,
        changes={},
        sent=3,
        types=0,
        inventory=0,
        dead=dead,
        cut=0,
        seconds=1.0,
        watermark="",
    )


class Runs:
    """Runs that end as they were told, by subscription."""

    def __init__(self, **outcomes: Outcome) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._outcomes = {ONE: Outcome.COMPLETE, TWO: Outcome.COMPLETE} | {
            {"one": ONE, "two": TWO}[name]: outcome for name, outcome in outcomes.items()
        }

    def __call__(self, subscriptions: Sequence[str]) -> RunReport:
        self.asked.append(tuple(subscriptions))
        return RunReport("run-1", tuple(self._scope(one) for one in subscriptions))

    def _scope(self, subscription: str) -> ScopeReport:
        outcome = self._outcomes[subscription]
        gaps = () if outcome is Outcome.COMPLETE else (Gap("the list", "HTTP 503"), Gap("the inventory", "HTTP 403"))
        return scope_report(subscription, outcome, *gaps)


def failed(report: ScopeReport) -> bool:
    return report.outcome is Outcome.FAILED


def body(**members: Any) -> bytes:
    return json.dumps(members).encode()


def asked(texts: Sequence[str]) -> list[tuple[str, ...]]:
    return [Message.parse(text.encode()).subscriptions for text in texts]


def test_a_message_says_its_version_and_its_subscriptions_and_no_more() -> None:
    assert json.loads(Message((ONE, TWO)).text) == {"v": 1, "subscriptions": [ONE, TWO]}
    assert Message.parse(Message((ONE, TWO)).text.encode()) == Message((ONE, TWO))


def test_ids_are_taken_in_any_case_and_once() -> None:
    assert Message.parse(body(v=1, subscriptions=[ONE.upper(), ONE, TWO])) == Message((ONE, TWO))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON"),
        (body(subscriptions=[ONE]), "format is None"),
        (body(v=2, subscriptions=[ONE]), "format is 2"),
        (body(v=True, subscriptions=[ONE]), "format is True"),
        (body(v=1), "no list"),
        (body(v=1, subscriptions=[]), "no list"),
        (body(v=1, subscriptions=ONE), "no list"),
        (body(v=1, subscriptions=[7]), "7 is no subscription id"),
        (body(v=1, subscriptions=["{" + ONE[1:-1] + "}"]), "no subscription id"),
        (body(v=1, subscriptions=[ONE + "\n"]), "no subscription id"),
        (body(v=1, subscriptions=[f"/subscriptions/{ONE}"]), "no subscription id"),
        (body(v=1, subscriptions=[ONE], rows=1), "unknown members: rows"),
        (body(v=1, subscriptions=[f"{ONE[:-4]}{number:04}" for number in range(51)]), "names 51"),
    ],
    ids=[
        *("empty", "list", "no UTF-8", "no version", "newer", "true", "no subscriptions", "none", "text", "number"),
        *("braces", "line feed", "ARM id", "unknown member", "too many"),
    ],
)
def test_what_is_no_message_of_this_version_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RejectedDataError, match=why):
        Message.parse(data)


def test_every_expected_scope_is_queued_once_in_messages_of_the_batch_size() -> None:
    assert asked(planner(ONE, TWO, THREE).everything()) == [(ONE,), (TWO,), (THREE,)]
    assert asked(planner(ONE, TWO, THREE, batch=2).everything()) == [(ONE, TWO), (THREE,)]


@pytest.mark.parametrize("source", BATCH)
def test_a_full_message_of_any_source_is_understood(source: str) -> None:
    subscriptions = [f"{ONE[:-4]}{number:04}" for number in range(2 * BATCH[source])]
    assert [len(one) for one in asked(planner(*subscriptions, batch=BATCH[source]).everything())] == [BATCH[source]] * 2


@pytest.mark.parametrize("subscriptions", [(), (ONE,)], ids=["nothing known", "one known"])
def test_a_group_that_cannot_be_listed_is_told_and_the_rest_is_queued(subscriptions: tuple[str, ...]) -> None:
    told: list[Sequence[Gap]] = []
    planner = Planner(expected=lambda: Scopes(subscriptions, (GROUP,)), batch=1, tell=told.append)
    assert asked(planner.everything()) == [(one,) for one in subscriptions]
    assert told == [(GROUP,)]


def test_that_nothing_is_expected_is_an_error_not_an_idle_run() -> None:
    with pytest.raises(ConfigurationError, match="no subscription to read"):
        planner().everything()


@pytest.mark.parametrize("empty", [b"", b" \n"], ids=["nothing", "blank"])
def test_a_request_without_a_body_is_for_everything(empty: bytes) -> None:
    answer = planner(ONE, TWO).asked(empty)
    assert (answer.status, json.loads(answer.body)) == (202, {"queued": [ONE, TWO]})
    assert asked(answer.messages) == [(ONE,), (TWO,)]


def test_a_request_is_for_the_subscriptions_that_it_names() -> None:
    answer = planner(ONE, TWO, THREE, batch=2).asked(body(subscriptions=[THREE.upper(), ONE, ONE]))
    assert (answer.status, json.loads(answer.body)) == (202, {"queued": [THREE, ONE]})
    assert asked(answer.messages) == [(THREE, ONE)]


@pytest.mark.parametrize(
    ("request_body", "status", "why"),
    [
        (b"{", 400, "no JSON"),
        (body(subscriptions=["all"]), 400, "no subscription id"),
        (body(subscriptions=[]), 400, "no list"),
        (body(), 400, "no list"),
        (body(subscriptions=[ONE], force=True), 400, "unknown members: force"),
        (body(subscriptions=[ONE, THREE]), 400, f"Not expected: {THREE}"),
        (body(subscriptions=[ONE], pad="x" * 65_536), 413, "larger than 65536 bytes"),
    ],
    ids=["no JSON", "no id", "none", "no member", "unknown member", "a stranger", "too large"],
)
def test_a_request_that_is_wrong_queues_nothing(request_body: bytes, status: int, why: str) -> None:
    answer = planner(ONE, TWO).asked(request_body)
    assert (answer.status, answer.messages) == (status, [])
    assert why in json.loads(answer.body)["error"]
    assert json.loads(answer.body)["remedy"]


def test_a_request_of_the_largest_size_is_understood() -> None:
    assert planner(ONE).asked(body(subscriptions=[ONE]).ljust(64 * 1024)).status == 202


def test_a_worker_reads_what_the_message_names_and_logs_a_line_for_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    runs = Runs(two=Outcome.PARTIAL)
    Worker(run=runs).work(Message((ONE, TWO)).text.encode(), attempt=1)
    assert runs.asked == [(ONE, TWO)]
    counts = "7 read, 3 rows sent, 0 dead letters"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"/subscriptions/{ONE} Complete in run run-1: {counts}, 0 gaps"),
        ("WARNING", f"/subscriptions/{TWO} Partial in run run-1: {counts}, 2 gaps: the list: HTTP 503"),
    ]


def test_a_failure_that_was_told_is_done() -> None:
    runs = Runs(one=Outcome.FAILED)
    Worker(run=runs).work(Message((ONE,)).text.encode(), attempt=1)
    assert runs.asked == [(ONE,)]


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_failure_that_may_pass_is_tried_again(attempt: int) -> None:
    worker = Worker(run=Runs(two=Outcome.FAILED), again=failed)
    with pytest.raises(TransientError, match=f"^Not read whole: /subscriptions/{TWO}\\."):
        worker.work(Message((ONE, TWO)).text.encode(), attempt=attempt)


@pytest.mark.parametrize("attempt", [3, 4, None])
def test_a_failure_that_does_not_pass_poisons_no_message(attempt: int | None) -> None:
    runs = Runs(one=Outcome.FAILED)
    Worker(run=runs, again=failed).work(Message((ONE,)).text.encode(), attempt=attempt)
    assert runs.asked == [(ONE,)]


def test_what_is_not_understood_is_raised_and_nothing_is_read() -> None:
    runs = Runs()
    with pytest.raises(RejectedDataError):
        Worker(run=runs).work(b"{}", attempt=5)
    assert runs.asked == []


def test_the_host_hands_a_message_out_more_often_than_a_failure_is_tried() -> None:
    queues = json.loads((ROOT / "connector" / "host.json").read_text())["extensions"]["queues"]
    runs = Runs(one=Outcome.FAILED)
    Worker(run=runs, again=failed).work(Message((ONE,)).text.encode(), attempt=queues["maxDequeueCount"] - 1)
    assert runs.asked == [(ONE,)]


def test_the_requirements_name_the_wheel_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    lines = (ROOT / "connector" / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert wanted == [f"./apiward-{version}-py3-none-any.whl[functions]"]

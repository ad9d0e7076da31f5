"""The connector as a Function App: a timer, a queue and its workers bring every scope in, each on its own."""

import base64
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_connector.work_queue import QUEUE, Message
from apiward_core.kql import bind
from apiward_lab.lab import Lab
from tests.azurite import Azurite, running_azurite
from tests.e2e.conftest import Raised
from tests.e2e.functions import FunctionApp, Invocation, queue, send
from tests.e2e.sign_in import LONG
from tests.e2e.test_partial_reads import A_DAY, Tenant

POISON = f"{QUEUE}-poison"
STRANGER = "11111111-2222-3333-4444-555555555555"
SENT_TWICE = "DefenderApiRecommendations_CL | summarize Rows = count() by RecordId | where Rows > 1"
RUNS_OF_LATEST_DAY = """
DefenderApiRecommendations_CL
| where SubscriptionId == subscription
| summarize Runs = dcount(RunId) by Day = bin(TimeGenerated, 1d)
| top 1 by Day desc
"""
CURRENT = "ApiRecommendationCurrent() | summarize Findings = count() by SubscriptionId"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raised]:
    """A lab whose workspace has its tables, functions and rules, and no row."""
    console.out.quiet = True
    with Lab.start() as lab:
        demo = Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("state"))
        demo.prepare()
        yield Raised(lab, demo)
    console.out.quiet = False
    assert list(lab.unknown_routes) == []


@pytest.fixture
def azurite(tmp_path: Path) -> Iterator[Azurite]:
    """Queues of one test."""
    with running_azurite(tmp_path) as running:
        yield running


def function_app(deployed: Raised, azurite: Azurite, *, heard: "Queue[Invocation] | None" = None) -> FunctionApp:
    return FunctionApp(deployed.environment("connector"), azurite, heard=heard or Queue())


def subscriptions(deployed: Raised) -> list[str]:
    return [subscription.subscription_id for subscription in deployed.lab.estate.subscriptions]


def query(deployed: Raised, kql: str, **values: Any) -> list[dict[str, Any]]:
    with deployed.demo.app("operator") as opened:
        return [dict(row) for row in opened.logs().query(bind(kql, **values), timespan=LONG)]


def latest_outcomes(deployed: Raised) -> dict[str, str]:
    """How the latest run of each subscription ended."""
    rows = query(deployed, "DefenderApiHealth_CL | summarize arg_max(TimeGenerated, Outcome) by Scope")
    return {str(row["Scope"]).removeprefix("/subscriptions/"): str(row["Outcome"]) for row in rows}


def waiting(azurite: Azurite, name: str) -> list[str]:
    """The messages of a queue, decoded; none when it was never made."""
    try:
        return [base64.b64decode(message.content).decode() for message in queue(azurite, name).receive_messages()]
    except ResourceNotFoundError:
        return []


def ended(invocations: list[Invocation]) -> list[tuple[str, bool]]:
    return sorted((one["function"], one["succeeded"]) for one in invocations)


def test_the_timer_queues_every_scope_and_workers_bring_it_in(deployed: Raised, azurite: Azurite) -> None:
    everyone = subscriptions(deployed)
    with function_app(deployed, azurite) as app:
        assert app.post("/admin/functions/schedule", key=app.master_key).status_code == 202
        invocations = app.invocations(1 + len(everyone))
    assert ended(invocations) == [("read", True)] * len(everyone) + [("schedule", True)]
    assert latest_outcomes(deployed) == dict.fromkeys(everyone, "Complete")
    found = {row["SubscriptionId"]: row["Findings"] for row in query(deployed, CURRENT)}
    assert found.keys() == set(everyone)
    assert query(deployed, SENT_TWICE) == []
    assert waiting(azurite, QUEUE) + waiting(azurite, POISON) == []


def test_a_scope_that_may_not_be_read_is_told_and_stops_nobody(deployed: Raised, azurite: Azurite) -> None:
    tenant, lost = Tenant(deployed), deployed.lab.estate.subscriptions[1]
    tenant.take_role("connector", lost.resource_id)
    deployed.lab.clock.advance(A_DAY)
    with function_app(deployed, azurite) as app:
        app.post("/admin/functions/schedule", key=app.master_key)
        invocations = app.invocations(1 + len(subscriptions(deployed)))
    tenant.give_back()
    assert {one["attempt"] for one in invocations} == {1}
    assert all(one["succeeded"] for one in invocations)
    expected = dict.fromkeys(subscriptions(deployed), "Complete") | {lost.subscription_id: "Failed"}
    assert latest_outcomes(deployed) == expected
    assert waiting(azurite, QUEUE) + waiting(azurite, POISON) == []


def test_a_message_that_nobody_understands_is_kept_and_stops_nobody(deployed: Raised, azurite: Azurite) -> None:
    newer, good = '{"v": 2, "everything": true}', Message((subscriptions(deployed)[0],)).text
    queue(azurite).create_queue()
    send(azurite, newer)
    send(azurite, good)
    with function_app(deployed, azurite) as app:
        invocations = app.invocations(6)
    assert [one["attempt"] for one in invocations if one["succeeded"]] == [1]
    assert [one["attempt"] for one in invocations if not one["succeeded"]] == [1, 2, 3, 4, 5]
    assert waiting(azurite, QUEUE) == []
    assert waiting(azurite, POISON) == [newer]


@pytest.mark.parametrize("key", ["none", "host", "wrong"])
def test_run_now_needs_the_master_key(deployed: Raised, azurite: Azurite, key: str) -> None:
    with function_app(deployed, azurite) as app:
        given = {"none": None, "host": app.host_key, "wrong": "wrong"}[key]
        assert app.post("/api/run", key=given).status_code == 401
    assert waiting(azurite, QUEUE) == []


def test_run_now_reads_what_it_is_asked_for(deployed: Raised, azurite: Azurite) -> None:
    wanted = subscriptions(deployed)[2]
    with function_app(deployed, azurite) as app:
        answer = app.post("/api/run", key=app.master_key, body={"subscriptions": [wanted.upper()]})
        named = app.invocations(2)
        everything = app.post("/api/run", key=app.master_key)
        everyone = app.invocations(1 + len(subscriptions(deployed)))
    assert (answer.status_code, answer.json()) == (202, {"queued": [wanted]})
    assert ended(named) == [("read", True), ("run_now", True)]
    assert (everything.status_code, everything.json()) == (202, {"queued": subscriptions(deployed)})
    assert ended(everyone) == [("read", True)] * len(subscriptions(deployed)) + [("run_now", True)]


def test_run_now_says_what_is_wrong_with_a_request(deployed: Raised, azurite: Azurite) -> None:
    with function_app(deployed, azurite) as app:
        stranger = app.post("/api/run", key=app.master_key, body={"subscriptions": [STRANGER]})
        unknown = app.post("/api/run", key=app.master_key, body={"all": True})
        invocations = app.invocations(2)
    assert (stranger.status_code, unknown.status_code) == (400, 400)
    assert STRANGER in stranger.json()["error"]
    assert "unknown members: all" in unknown.json()["error"]
    assert ended(invocations) == [("run_now", True)] * 2
    assert waiting(azurite, QUEUE) == []


def test_two_workers_at_once_send_no_row_twice(deployed: Raised, azurite: Azurite) -> None:
    scope = subscriptions(deployed)[0]
    deployed.lab.clock.advance(A_DAY)  # a snapshot of every finding falls due
    queue(azurite).create_queue()
    for _ in range(6):
        send(azurite, Message((scope,)).text)
    heard: Queue[Invocation] = Queue()
    with function_app(deployed, azurite, heard=heard) as one, function_app(deployed, azurite, heard=heard):
        assert ended(one.invocations(6)) == [("read", True)] * 6
    assert query(deployed, SENT_TWICE) == []
    (latest,) = query(deployed, RUNS_OF_LATEST_DAY, subscription=scope)
    assert latest["Runs"] == 1

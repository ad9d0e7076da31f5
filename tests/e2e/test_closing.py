"""An incident closes with its last finding, once, with the evidence of every run on it; the others stay open."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from apiward_playbooks.api import Playbooks
from apiward_playbooks.runs import Run, State
from tests.e2e.conftest import Raised


def _with_two_findings(raised: Raised) -> int:
    with raised.demo.app("playbooks") as opened:
        return raised.demo.choose(opened)[0].number


def _fix(playbooks: Playbooks, run: Run) -> Run:
    playbooks.approve(run.id, plan_hash=run.plan_hash, by="ben", why="CHG-7")
    return playbooks.advance(run.id)


def _comments(raised: Raised, number: int) -> list[str]:
    with raised.demo.app("operator") as opened:
        workspace = opened.settings.workspace
        client = opened.clients.sentinel(workspace.subscription_id)
        incident = next(entry for entry in opened.incidents().all() if entry.number == number)
        found: Iterable[Any] = client.incident_comments.list(workspace.resource_group, workspace.name, incident.name)
        return [str(comment.message) for comment in found]


def test_the_last_finding_closes_it(raised: Raised) -> None:
    number = _with_two_findings(raised)
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        first, second = playbooks.plan_incident(number, requested_by="ana").runs
        assert playbooks.plan_incident(number, requested_by="ana").runs == ()
        assert _fix(playbooks, first).state == State.VERIFIED

    raised.demo.wait(timedelta(hours=25), "")
    raised.demo.ingest("")
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        halfway = playbooks.reconcile()
        assert {run.id: run.state for run in halfway.runs} == {
            first.id: State.CONFIRMED,
            second.id: State.EXPIRED,
        }
        assert dict(halfway.incidents)[number].how == "still open: 1 of 2 findings"

    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        (second,) = playbooks.plan_incident(number, requested_by="ana").runs
        assert _fix(playbooks, second).state == State.VERIFIED
    raised.demo.wait(timedelta(hours=25), "")
    raised.demo.ingest("")
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        whole = playbooks.reconcile()
        assert {run.state for run in whole.runs} == {State.CLOSED}
        assert playbooks.reconcile().runs == ()
        states = {entry.number: entry.status for entry in opened.incidents().all()}
    assert states.pop(number) == "Closed"
    assert set(states.values()) == {"New"}

    closing = [message for message in _comments(raised, number) if "Every finding is settled" in message]
    assert len(closing) == 1
    assert closing[0].count("approved by ben CHG-7") == 2
    assert first.id in closing[0]
    assert second.id in closing[0]

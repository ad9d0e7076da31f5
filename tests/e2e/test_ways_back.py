"""What was changed can be brought back, and a run that came to nothing makes way for a new plan."""

import pytest

from apiward_core.errors import ConflictError, RejectedDataError
from apiward_lab.estate import Api
from apiward_playbooks.api import Playbooks
from apiward_playbooks.runs import Run, State
from tests.e2e.conftest import Raised


def _api(raised: Raised, run: Run) -> Api:
    apis = {service.api_id(api).lower(): api for service, api in raised.lab.estate.apis()}
    return apis[run.target.resource_id.lower()]


def _planned(raised: Raised, playbooks: Playbooks) -> Run:
    with raised.demo.app("playbooks") as opened:
        number = next(
            incident.number
            for incident in raised.demo.remediable(opened)
            if not any(run.incident == incident.name for run in playbooks.list())
        )
    return playbooks.plan_incident(number, requested_by="ana").runs[0]


def _applied(playbooks: Playbooks, run: Run) -> Run:
    playbooks.approve(run.id, plan_hash=run.plan_hash, by="ben")
    return playbooks.advance(run.id)


def test_a_rollback_restores_what_was_there(raised: Raised) -> None:
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        run = _planned(raised, playbooks)
        before = _api(raised, run).protocols
        assert _applied(playbooks, run).state == State.VERIFIED
        assert _api(raised, run).protocols != before
        assert playbooks.roll_back(run.id, by="ana", why="callers fail").state == State.ROLLED_BACK
        assert _api(raised, run).protocols == before
        again = playbooks.plan(run.target.finding_id, requested_by="ana")
        assert again.plan.changes == run.plan.changes


def test_a_fix_that_somebody_undid_gets_a_plan_that_replaces_it(raised: Raised) -> None:
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        run = _planned(raised, playbooks)
        with pytest.raises(ConflictError, match="has an open run already"):
            playbooks.plan(run.target.finding_id, requested_by="ana")
        assert _applied(playbooks, run).state == State.VERIFIED
        with pytest.raises(RejectedDataError, match="needs no change"):
            playbooks.plan(run.target.finding_id, requested_by="ana")

        undone = _api(raised, run)
        undone.properties["protocols"] = list(run.plan.changes[0].before["protocols"])
        undone.version += 1
        new = playbooks.plan(run.target.finding_id, requested_by="cleo")
        replaced = playbooks.get(run.id)
        assert (replaced.state, replaced.problem) == (State.ABANDONED, f"replaced by run {new.id}")
        assert _applied(playbooks, new).state == State.VERIFIED

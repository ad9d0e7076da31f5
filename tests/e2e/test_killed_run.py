"""A worker that is killed anywhere in a run, and started again as a new process, ends as if nothing had happened."""

import json
import signal
from datetime import timedelta

import pytest

from apiward_core.kql import bind
from apiward_playbooks.runs import Run, State
from tests.e2e.conftest import Raised
from tests.e2e.killed import POINTS

_TRAIL = "DefenderApiRemediation_CL | where RunId == run_id | order by Sequence asc"


def _approved(raised: Raised) -> Run:
    with raised.demo.app("playbooks") as opened:
        playbooks = opened.playbooks()
        number = next(
            incident.number
            for incident in raised.demo.remediable(opened)
            if any(finding.state == "Unhealthy" for finding in playbooks.findings_of(incident.number)[1])
            and not any(run.incident == incident.name for run in playbooks.list())
        )
        run = playbooks.plan_incident(number, requested_by="ana").runs[0]
        return playbooks.approve(run.id, plan_hash=run.plan_hash, by="ben")


def _writes(raised: Raised, run: Run) -> list[str]:
    """The correlation ids of the writes to the run's API that the lab's activity log has."""
    return [
        entry.correlation_id
        for entry in raised.lab.journal.activities
        if entry.resource_id.lower() == run.target.resource_id.lower() and entry.status < 300
    ]


def _protocols(raised: Raised, resource_id: str) -> list[str]:
    apis = {service.api_id(api).lower(): api for service, api in raised.lab.estate.apis()}
    return sorted(apis[resource_id.lower()].protocols)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_converges(raised: Raised, point: str) -> None:
    run = _approved(raised)
    dead = raised.python("playbooks", "-m", "tests.e2e.killed", run.id, point)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    with raised.demo.app("playbooks") as opened:
        stored = opened.playbooks().get(run.id).state
    assert stored == (State.APPLYING if "write" in point else State.APPLIED)
    assert _writes(raised, run) == ([] if point == "before write" else [run.id])

    again = raised.command("playbooks", "remediate", "apply", run.id, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)[0]["state"] == State.VERIFIED
    assert _writes(raised, run) == [run.id]
    assert _protocols(raised, run.target.resource_id) == run.plan.changes[0].after["protocols"]

    with raised.demo.app("playbooks") as opened:
        rows = opened.logs().query(bind(_TRAIL, run_id=run.id), timespan=timedelta(days=1))
        head = opened.playbooks().get(run.id).audit_head
    previous = ""
    for row in {row["RecordId"]: row for row in rows}.values():
        assert row["PreviousHash"] == previous
        previous = row["RecordId"]
    assert previous == head

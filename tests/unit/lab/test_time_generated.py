"""What the workspace makes of the time that a row says of itself."""

import json
from datetime import datetime, timedelta

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.ingestion import Ingestion
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.rules import Flow, Rule
from apiward_lab.loganalytics.schema import Table
from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.web import Call, timestamp

COLUMNS = (Column("TimeGenerated", "datetime"), Column("ObservedAt", "datetime"))
STREAM = "Custom-Rows_CL"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "is_kept"),
    [
        (timedelta(days=2) - 60 * SECOND, True),
        (timedelta(days=2) + SECOND, False),
        (timedelta(days=-1) + SECOND, True),
        (timedelta(days=-1) - 60 * SECOND, False),
    ],
    ids=["almost two days ago", "more than two days ago", "almost a day ahead", "more than a day ahead"],
)
def test_a_time_too_far_away_becomes_the_time_of_arrival(age: timedelta, is_kept: bool) -> None:
    clock, workspace = VirtualClock(), WorkspaceModel(Workspace("/w", "customer", "westeurope"))
    workspace.put_table(Table("Rows_CL", COLUMNS))
    flow = Flow(STREAM, workspace, "Rows_CL", "source")
    rule = Rule("/rule", "dcr-1", {STREAM: COLUMNS}, (flow,), {})
    said = clock.now() - age
    body = json.dumps([{"TimeGenerated": timestamp(said), "ObservedAt": timestamp(said)}]).encode()
    call = Call("POST", "/", {"rule": "dcr-1", "stream": STREAM}, {}, {}, body, "https://lab")
    assert Ingestion(clock, {"dcr-1": rule}.get).upload(call).status == 204
    [row] = workspace.query("Rows_CL | project TimeGenerated, ObservedAt", now=clock.now()).records()
    stored, observed = (as_utc(row[name], said) for name in ("TimeGenerated", "ObservedAt"))
    assert abs(observed - said) < SECOND
    assert (abs(stored - said) < SECOND) is is_kept
    assert is_kept or abs(stored - clock.now()) < 60 * SECOND


def as_utc(value: datetime | str, like: datetime) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=like.tzinfo)

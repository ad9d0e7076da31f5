"""What stands between the engine and Azure: the scope check, and an audit trail that is never cut in silence."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.clients import AzureClients
from apiward_core.errors import GuardrailError, IncompleteError
from apiward_core.ingest import SendReport
from apiward_core.logs import Row, TimeSpan
from apiward_core.settings import explicit_settings
from apiward_core.tables import Table
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.findings import Findings
from apiward_playbooks.runs import Run
from tests.property.world import SERVICE, FrozenClock, planned
from tests.unit.connector.transport import Credential, Replies

ELSEWHERE = SERVICE.replace("service/apim", "service/apim-prod") + "/apis/payments"
NESTED = f"{SERVICE}/providers/Microsoft.ApiManagement/service/apim-prod/apis/payments"


class Sink:
    """Takes rows, and keeps so many of them as dead letters."""

    def __init__(self, *, dead: int = 0) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self._dead = dead

    def send(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> SendReport:
        del table
        self.rows += rows
        return SendReport(sent=len(self.rows) - self._dead, dead=self._dead)


NOTHING = cast("Any", None)  # whatever reaches for Azure fails the test


def _effects(sink: Sink, *, clients: Any = NOTHING, logs: Any = NOTHING) -> AzureEffects:
    return AzureEffects(
        clients,
        catalogue=load_catalogue(),
        scopes=[ArmId.parse(SERVICE)],
        sink=sink,
        incidents=NOTHING,
        findings=Findings(logs, clock=FrozenClock()),
        closer=NOTHING,
        clock=FrozenClock(),
    )


def _of(resource_id: str) -> Run:
    _, run = planned(1)
    change = replace(run.plan.changes[0], resource_id=resource_id)
    return replace(run, target=replace(run.target, resource_id=resource_id), plan=replace(run.plan, changes=(change,)))


@pytest.mark.parametrize("resource_id", [ELSEWHERE, NESTED])
@pytest.mark.parametrize(
    "act",
    [
        lambda effects, run: effects.plan("apim-encrypted-protocols", ArmId.parse(run.target.resource_id)),
        lambda effects, run: effects.require_allowed(run),
        lambda effects, run: effects.observe(run, run.plan.changes[0]),
        lambda effects, run: effects.write(run, run.plan.changes[0], "1", back=False),
        lambda effects, run: effects.write(run, run.plan.changes[0], "1", back=True),
        lambda effects, run: effects.verify(run),
    ],
    ids=["plan", "begin", "observe", "write", "write back", "verify"],
)
def test_nothing_outside_the_scopes_is_touched(act: Callable[[AzureEffects, Run], object], resource_id: str) -> None:
    with pytest.raises(GuardrailError):
        act(_effects(Sink()), _of(resource_id))


class Workspace:
    """A workspace with one finding in a state, or with none."""

    def __init__(self, state: str | None) -> None:
        self._rows: list[Row] = [] if state is None else [{"State": state}]

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        del kql, timespan
        return self._rows


@pytest.mark.parametrize(
    ("workspace", "source", "agrees"),
    [
        ("Healthy", "Healthy", True),
        ("Healthy", "Unhealthy", False),
        ("Healthy", "NotApplicable", False),
        ("Unhealthy", "Healthy", False),
        (None, "Healthy", False),
    ],
)
def test_defender_agrees_when_the_workspace_and_its_own_assessment_do(
    workspace: str | None, source: str, agrees: bool
) -> None:
    run = planned(1)[1]
    transport = Replies((200, {"name": "key", "properties": {"status": {"code": source}}}))
    with AzureClients(explicit_settings(), credential=Credential(), transport=transport) as clients:
        assert _effects(Sink(), clients=clients, logs=Workspace(workspace)).defender_agrees(run) is agrees
    assert all(run.target.resource_id in request.url for request in transport.requests)


def _rows() -> list[AuditRow]:
    return [row for row in planned(1)[1].outbox if isinstance(row, AuditRow)]


def test_audit_rows_carry_their_hash_and_time() -> None:
    sink = Sink()
    _effects(sink).send_audit(_rows())
    [row] = sink.rows
    assert row["RecordId"] == _rows()[0].record_id
    assert row["TimeGenerated"] == row["OccurredAt"]


def test_an_audit_row_that_cannot_be_sent_stops_the_run() -> None:
    with pytest.raises(IncompleteError, match="kept as dead letters: 1"):
        _effects(Sink(dead=1)).send_audit(_rows())

"""What stands between the engine and Azure: the scope check, and an audit trail that is never cut in silence."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import GuardrailError, IncompleteError
from apiward_core.ingest import SendReport
from apiward_core.tables import Table
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.runs import Run
from tests.property.world import SERVICE, FrozenClock, planned

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


def _effects(sink: Sink) -> AzureEffects:
    nothing = cast("Any", None)  # whatever reaches for Azure fails the test
    return AzureEffects(
        nothing,
        catalogue=load_catalogue(),
        scopes=[ArmId.parse(SERVICE)],
        sink=sink,
        incidents=nothing,
        findings=nothing,
        closer=nothing,
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
        lambda effects, run: effects.observe(run, run.plan.changes[0]),
        lambda effects, run: effects.write(run, run.plan.changes[0], "1", back=False),
        lambda effects, run: effects.write(run, run.plan.changes[0], "1", back=True),
        lambda effects, run: effects.verify(run),
    ],
    ids=["plan", "observe", "write", "write back", "verify"],
)
def test_nothing_outside_the_scopes_is_touched(act: Callable[[AzureEffects, Run], object], resource_id: str) -> None:
    with pytest.raises(GuardrailError):
        act(_effects(Sink()), _of(resource_id))


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

"""A trail that somebody touched is told from one that is whole."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from apiward_core.clock import parse_timestamp
from apiward_core.logs import Row, TimeSpan
from apiward_playbooks.runs import Run
from apiward_playbooks.trail import Auditor
from tests.property.world import FrozenClock, Fuse, MemoryStore, approve, engine_for, planned

Rows = list[dict[str, Any]]


class Table:
    """The rows of a run as the query API gives them: moments as such, dynamic values as JSON text."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        del kql, timespan
        return sorted(self._rows, key=lambda row: row["Sequence"])


def finished() -> tuple[Run, Rows]:
    world, run = planned(2)
    store = MemoryStore()
    store.add(approve(run))
    done = engine_for(world, store, Fuse()).advance(run.id)
    return done, [_answered(row.as_row()) for row in world.audit.values()]


def _answered(row: dict[str, Any]) -> dict[str, Any]:
    texts = {name: "" if row[name] is None else orjson.dumps(row[name]).decode() for name in ("Before", "After")}
    return {**row, **texts, "OccurredAt": parse_timestamp(row["OccurredAt"])}


def faults(run: Run, rows: Rows) -> tuple[str, ...]:
    return Auditor(Table(rows), clock=FrozenClock()).trail(run).faults


def test_a_trail_that_nobody_touched_is_whole() -> None:
    run, rows = finished()
    assert len(rows) == run.sequence > 6
    assert faults(run, rows) == ()


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (lambda rows: rows.pop(), "it ends with row 7, and the run store knows of 8"),
        (lambda rows: rows.pop(3), "row 5 stands where row 4 should be"),
        (lambda rows: rows[1].update(Actor="mallory"), "row 2 is not what was written"),
        (lambda rows: rows[4].update(After='{"protocols":["http"]}'), "row 5 is not what was written"),
        (lambda rows: rows[2].update(PreviousHash="0" * 64), "row 3 does not follow the one before it"),
        (lambda rows: rows.append({**rows[2], "RecordId": "f" * 64}), "row 3 stands where row 4 should be"),
        (lambda rows: rows.clear(), "it ends with row 0, and the run store knows of 8"),
    ],
    ids=["cut", "missing", "actor", "values", "link", "added", "empty"],
)
def test_a_trail_that_was_touched_says_where(touch: Callable[[Rows], object], said: str) -> None:
    run, rows = finished()
    rows.sort(key=lambda row: row["Sequence"])
    touch(rows)
    assert faults(run, rows)[0] == said


def test_a_chain_that_was_written_anew_does_not_reach_the_head() -> None:
    run, rows = finished()
    assert "run store knows of" in faults(replace(run, audit_head="0" * 64), rows)[0]

"""The lab's workspace with all our tables and functions, as what a report reads from."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apiward_core.clock import parse_timestamp
from apiward_core.logs import Answer, Row, TimeSpan
from apiward_core.tables import HEALTH, RECOMMENDATIONS, REMEDIATION, all_tables
from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.kql_run import Result
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.saved_searches import parse_saved_search
from apiward_lab.loganalytics.schema import Table
from apiward_lab.loganalytics.timespans import Window
from apiward_rules.arm import function_properties
from apiward_rules.functions import load_functions
from tests.unit.rules.workspace import NOW, SEED, row

SUBSCRIPTION = SEED.subscription_id
OTHER_SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"


class Workspace:
    """Rows go in, answers come out: it reads like `apiward_core.logs.WorkspaceLogs`, at one moment."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self._model = WorkspaceModel(SEED)
        self._tables = {
            table.name: Table(table.name, tuple(Column(column.name, column.type) for column in table.columns))
            for table in all_tables().values()
        }
        for table in self._tables.values():
            self._model.put_table(table)
        for alias, function in load_functions().items():
            body = {"properties": function_properties(function)}
            self._model.put_search(parse_saved_search(alias, body, "etag", None))

    def read(self, kql: str, *, timespan: TimeSpan) -> Answer:
        """The answer as the SDK would give it: datetimes are datetimes, everything else is as it was."""
        start, end = timespan if isinstance(timespan, tuple) else (self.now - timespan, self.now)
        return _answer(self._model.query(kql, now=self.now, window=Window(start, end)))

    def findings(self, *rows: Mapping[str, Any], ago: timedelta = timedelta(0)) -> None:
        """Findings as the connector sends them, observed some time ago."""
        located = [{"SubscriptionId": SUBSCRIPTION, **one} for one in rows]
        self._send(RECOMMENDATIONS, located, self.now - ago)

    def run(
        self,
        subscription: str = SUBSCRIPTION,
        *,
        outcome: str = "Complete",
        ago: timedelta = timedelta(0),
        unread: Sequence[Mapping[str, str]] = (),
        findings: int = 0,
        dead: int = 0,
    ) -> None:
        """A run of the connector over one subscription that has so many `findings`."""
        ended = self.now - ago
        watermark = {"Watermark": ended.isoformat()} if outcome == "Complete" else {}
        counts = {"FindingsCurrent": findings, "DeadLetters": dead}
        facts = {"Outcome": outcome, "Unread": list(unread), **counts, **watermark}
        identity = {"RecordId": f"{subscription}/{ended}", "Scope": f"/subscriptions/{subscription}"}
        self._send(HEALTH, [{**identity, **facts}], ended)

    def step(self, run: str, finding: str, state: str, *, step: str, ago: timedelta = timedelta(0)) -> None:
        """A step of a remediation run."""
        at = self.now - ago
        facts = {"RunId": run, "FindingId": finding, "State": state, "Step": step, "Sequence": int(at.timestamp())}
        self._send(REMEDIATION, [{"RecordId": f"{run}/{step}", "OccurredAt": at.isoformat(), **facts}], at)

    def _send(self, table: str, rows: list[dict[str, Any]], at: datetime) -> None:
        self._model.insert(self._tables[table], [{"TimeGenerated": at.isoformat(), **one} for one in rows], at)


def _answer(result: Result) -> Answer:
    moments = [column.name for column in result.columns if column.type == "datetime"]
    rows = result.records()
    for one in rows:
        one.update({name: parse_timestamp(one[name]) for name in moments if one[name]})
    return Answer(list[Row](rows))


__all__ = ["OTHER_SUBSCRIPTION", "SEED", "SUBSCRIPTION", "Workspace", "row"]

"""Workbooks, readers and reports to try things on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apiward_core.arm_id import ArmId
from apiward_core.errors import ApiwardError
from apiward_core.logs import Answer, Row, TimeSpan
from apiward_workbooks.freshness import Freshness
from apiward_workbooks.model import Item, Query, Workbook
from apiward_workbooks.reports import Block, Report, Reports
from tests.unit.rules.workspace import SEED

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WORKSPACE = ArmId.parse(SEED.resource_id)
COVERAGE = "ApiCoverage"


class FixedClock:
    """Stands still."""

    def now(self) -> datetime:
        """Always the same."""
        return NOW


class Answers:
    """Answers queries by their text, and keeps what it was asked; every subscription was read whole."""

    def __init__(self, **answers: Sequence[Row] | Answer | ApiwardError) -> None:
        fresh = [{"Asked": 1, "Whole": 1, "Fresh": 1, "Oldest": NOW, "Lost": 0}]
        self._answers: Mapping[str, Sequence[Row] | Answer | ApiwardError] = {COVERAGE: fresh, **answers}
        self.asked: list[tuple[str, TimeSpan]] = []

    def read(self, kql: str, *, timespan: TimeSpan) -> Answer:
        """The answer whose name the query begins with."""
        self.asked.append((kql, timespan))
        name = next(name for name in self._answers if kql.lstrip().startswith(name))
        answer = self._answers[name]
        if isinstance(answer, ApiwardError):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(list(answer))


def reports(answers: Answers) -> Reports:
    """What makes reports from these answers."""
    return Reports(answers, FixedClock(), WORKSPACE)


def run(*items: Item, answers: Answers | None = None, time_range: timedelta | None = None) -> Report:
    """The report of a workbook of these items."""
    return reports(answers or Answers()).run(Workbook("Ours", items), time_range=time_range)


def query(name: str = "T", **settings: Any) -> Query:
    """A query whose text is its name."""
    return Query(**{"kql": name, "title": name, "duration": timedelta(days=1), **settings})


def report(*blocks: Block, title: str = "Ours", problems: tuple[str, ...] = ()) -> Report:
    """A report of these blocks."""
    fresh = Freshness("every subscription was read whole (1)", whole=True)
    return Report(title, WORKSPACE, NOW, fresh, (("Severity", "all"),), blocks, problems)

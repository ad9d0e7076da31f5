"""Samples of a rule as its YAML states them under `tests:`: rows in, alerts out, at a frozen time.

Azure-Sentinel's format has no such field; nothing of it is deployed.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from apiward_core.clock import timestamp
from apiward_core.kql_engine import Arrival, Row

_NAME = re.compile(r"\{(\w+)\}")


def _plain(columns: dict[str, Any]) -> dict[str, Any]:
    """YAML reads an unquoted time as such; rows hold text."""
    return {name: timestamp(value) if isinstance(value, datetime) else value for name, value in columns.items()}


Columns = Annotated[dict[str, Any], AfterValidator(_plain)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleRow(_Strict):
    """A row, or `repeat` of them, with the columns in which it differs from the row that all samples share.

    `observed` becomes TimeGenerated; without it that is the time of the run. A row arrives when it is observed unless
    `arrived` says otherwise. In texts `{n}` is the number of the repetition from 1, `{Column}` the text of that column.
    """

    columns: Columns = Field(default_factory=dict)
    table: str | None = None
    observed: AwareDatetime | None = None
    arrived: AwareDatetime | None = None
    repeat: int = Field(1, ge=1, le=10_000)


class ExpectedAlert(_Strict):
    """An alert, or `repeat` of them, by some columns of the query's row that raises it."""

    columns: Columns = Field(default_factory=dict)
    repeat: int = Field(1, ge=1)


class Sample(_Strict):
    """One run of the rule: the rows that there are and exactly the alerts that it raises."""

    name: str = Field(min_length=1)
    now: AwareDatetime | None = None
    rows: tuple[SampleRow, ...]
    alerts: tuple[ExpectedAlert, ...]


class Samples(_Strict):
    """The samples of a rule, and what they share: the time of the run, the table, and the columns of a row."""

    now: AwareDatetime
    table: str
    columns: Columns = Field(default_factory=dict)
    samples: tuple[Sample, ...] = Field(min_length=1)

    def run_time(self, sample: Sample) -> datetime:
        """What `now()` is in the run."""
        return sample.now or self.now

    def arrivals(self, sample: Sample) -> Iterator[Arrival]:
        """The sample's rows, whole and in order."""
        for row in sample.rows:
            observed = row.observed or self.run_time(sample)
            columns = {"TimeGenerated": timestamp(observed), **self.columns, **row.columns}
            rows = [_filled(columns, number) for number in range(1, row.repeat + 1)]
            yield Arrival(row.table or self.table, rows, row.arrived or observed)


def _filled(columns: Row, number: int) -> dict[str, Any]:
    numbered = _replaced(columns, {"n": number})
    return _replaced(numbered, numbered)


def _replaced(columns: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    def value(match: re.Match[str]) -> str:
        return str(values.get(match[1], match[0]))

    return {name: _NAME.sub(value, text) if isinstance(text, str) else text for name, text in columns.items()}

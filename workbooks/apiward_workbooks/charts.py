"""Rows of a query as charts: axis and series are those that chartSettings names, or that the types of columns imply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apiward_core.logs import Row
from apiward_workbooks.cells import shown
from apiward_workbooks.model import Query
from apiward_workbooks.tones import SERIES, tone


@dataclass(frozen=True)
class Line:
    """One series: a value for each moment of its chart, None where there is none."""

    label: str
    tone: str
    values: tuple[float | None, ...]

    @property
    def first(self) -> float | None:
        """The oldest value."""
        return next((value for value in self.values if value is not None), None)

    @property
    def last(self) -> float | None:
        """The newest value."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(frozen=True)
class LineChart:
    """Values over time. Moments ascend and are in UTC."""

    axis: str
    moments: tuple[datetime, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Segment:
    """A part of a bar."""

    label: str
    tone: str
    value: float


@dataclass(frozen=True)
class Bar:
    """One category."""

    label: str
    segments: tuple[Segment, ...]

    @property
    def total(self) -> float:
        """The sum of its parts."""
        return sum(segment.value for segment in self.segments)


@dataclass(frozen=True)
class BarChart:
    """Values by category, split into the same parts or in one. `legend` holds the parts' labels with their tones."""

    axis: str
    measure: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]


def line_chart(query: Query, rows: Sequence[Row]) -> LineChart:
    """A line per numeric column, or per value of the column that splits. Raises ValueError when no column is a time."""
    columns = _Columns(query, rows, axis=lambda value: isinstance(value, datetime))
    if columns.axis is None:
        raise ValueError("no column holds dates, so there is no time axis")
    points: dict[str, dict[datetime, float]] = {}
    for row in rows:
        moment = row[columns.axis]
        if isinstance(moment, datetime):
            utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            for name, value in columns.measured(row):
                points.setdefault(name, {})[utc] = value
    moments = tuple(sorted({moment for series in points.values() for moment in series}))
    looks = _Looks(query)
    lines = (Line(*looks.of(name), tuple(series.get(moment) for moment in moments)) for name, series in points.items())
    return LineChart(columns.axis, moments, tuple(lines))


def bar_chart(query: Query, rows: Sequence[Row]) -> BarChart:
    """A bar per value of the first column that is no number. Raises ValueError when there is none."""
    columns = _Columns(query, rows, axis=lambda value: not _is_number(value))
    if columns.axis is None:
        raise ValueError("every column is a number, so there is nothing to name the bars")
    totals: dict[str, dict[str, float]] = {}
    for row in rows:
        bar = totals.setdefault(shown(row[columns.axis]), {})
        for name, value in columns.measured(row):
            bar[name] = bar.get(name, 0) + value
    looks = _Looks(query)
    parts = {name: looks.of(name) for bar in totals.values() for name in bar}
    bars = (
        Bar(label, tuple(Segment(*parts[name], value) for name, value in bar.items())) for label, bar in totals.items()
    )
    legend = tuple(parts.values()) if len(parts) > 1 else ()
    return BarChart(columns.axis, ", ".join(columns.measures), tuple(bars), legend)


class _Columns:
    """The roles of a query's columns."""

    def __init__(self, query: Query, rows: Sequence[Row], *, axis: Any) -> None:
        settings, sample = query.chart, _sample(rows)
        named = settings.get("xAxis")
        self.axis = named if named in sample else next((name for name, value in sample.items() if axis(value)), None)
        numbers = [name for name, value in sample.items() if _is_number(value) and name != self.axis]
        self.measures = [name for name in settings.get("yAxis") or () if name in sample] or numbers
        others = [name for name in sample if name not in (self.axis, *self.measures, *numbers)]
        self._split = settings.get("group") if settings.get("group") in sample else next(iter(others), None)

    def measured(self, row: Row) -> list[tuple[str, float]]:
        """(series, value) of each number of the row."""
        split = shown(row[self._split]) if self._split else ""
        several = len(self.measures) > 1
        return [
            (f"{split}: {name}" if split and several else split or name, float(row[name]))
            for name in self.measures
            if _is_number(row[name])
        ]


def _sample(rows: Sequence[Row]) -> Mapping[str, Any]:
    """The columns with a value of each, where some row has one."""
    sample: dict[str, Any] = dict(rows[0]) if rows else {}
    for name in [name for name, value in sample.items() if value is None]:
        sample[name] = next((row[name] for row in rows if row[name] is not None), None)
    return sample


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Looks:
    """Label and tone of each series: those of seriesLabelSettings, else its name and the next tone."""

    def __init__(self, query: Query) -> None:
        self._settings = {one.get("seriesName"): one for one in query.chart.get("seriesLabelSettings") or ()}
        self._given: dict[str, str] = {}

    def of(self, name: str) -> tuple[str, str]:
        """(label, tone) of a series."""
        setting = self._settings.get(name) or {}
        label = str(setting.get("label") or name)
        if setting.get("color"):
            return label, tone(setting["color"])
        return label, self._given.setdefault(name, SERIES[len(self._given) % len(SERIES)])

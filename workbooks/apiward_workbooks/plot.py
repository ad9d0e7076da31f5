"""Where the parts of a chart lie: numbers only, which the templates turn into SVG.

Across, everything is a share of the width in percent, so that a chart fits a phone without its text shrinking; down, it
is pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apiward_workbooks.cells import shown
from apiward_workbooks.charts import LineChart

HEIGHT = 220
_TOP, _BOTTOM = 22, 196
_SIDE = 3.0
_INTERVALS = 4
_LABEL_ROOM = 24.0
DASHES = ("none", "7 4", "2 4", "9 3 2 3", "1 6")
"""Patterns of lines, so that series differ without their colours."""


@dataclass(frozen=True)
class Dot:
    """One value of a line."""

    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """A line; `points` are those of a polyline, in parts where values are missing.

    `last` is its newest value, `before` its oldest where that is another.
    """

    label: str
    tone: str
    dash: str
    last: str
    before: str
    points: tuple[str, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Tick:
    """A label at a place of an axis; `anchor` is SVG's text-anchor."""

    at: float
    label: str
    anchor: str = "start"


@dataclass(frozen=True)
class LinePlot:
    """A line chart laid out."""

    height: int
    baseline: int
    levels: tuple[Tick, ...]
    moments: tuple[Tick, ...]
    curves: tuple[Curve, ...]


def line_plot(chart: LineChart) -> LinePlot:
    """The layout of a line chart."""
    values = [value for line in chart.lines for value in line.values if value is not None]
    levels = scale(max(values, default=0))
    across = _across(chart)

    def height_of(value: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * max(value, 0) / levels[-1], 1)

    curves = []
    for index, line in enumerate(chart.lines):
        spots = [
            Dot(x, height_of(value)) if value is not None else None
            for x, value in zip(across, line.values, strict=True)
        ]
        curves.append(
            Curve(
                line.label,
                line.tone,
                DASHES[index % len(DASHES)],
                figure(line.last),
                figure(line.first) if line.first != line.last else "",
                tuple(" ".join(f"{dot.x},{dot.y}" for dot in part) for part in _parts(spots)),
                tuple(dot for dot in spots if dot),
            )
        )
    ticks = tuple(Tick(height_of(level), figure(level)) for level in levels)
    return LinePlot(HEIGHT, _BOTTOM, ticks, tuple(_moment_ticks(chart, across)), tuple(curves))


def scale(highest: float) -> tuple[float, ...]:
    """Round levels from 0 to at least `highest`: steps of 1, 2 or 5 times a power of ten, whole for small counts."""
    rough = max(highest, 1) / _INTERVALS
    power = 10 ** math.floor(math.log10(rough))
    step = max(1.0, next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))
    return tuple(step * count for count in range(math.ceil(max(highest, 1) / step) + 1))


def figure(value: float | None) -> str:
    """A number as charts write it: grouped, without decimals where it is whole."""
    if value is None:
        return ""
    return shown(int(value) if float(value).is_integer() else float(value))


def _across(chart: LineChart) -> list[float]:
    first, last = (chart.moments[0], chart.moments[-1]) if chart.moments else (None, None)
    if first is None or last is None or first == last:
        return [50.0 for _ in chart.moments]
    length = (last - first).total_seconds()
    return [round(_SIDE + (100 - 2 * _SIDE) * (at - first).total_seconds() / length, 2) for at in chart.moments]


def _moment_ticks(chart: LineChart, across: Sequence[float]) -> list[Tick]:
    """The first moment, the last, and those between that leave room for each other's labels on a phone."""
    last = len(across) - 1
    chosen: list[int] = []
    for index, at in enumerate(across):
        apart = not chosen or at - across[chosen[-1]] >= _LABEL_ROOM
        if index == last or (apart and across[last] - at >= _LABEL_ROOM):
            chosen.append(index)
    form = "%d %b" if all((at.hour, at.minute) == (0, 0) for at in chart.moments) else "%d %b %H:%M"
    edges = {0: "start", last: "end"} if last > 0 else {}
    return [Tick(across[i], chart.moments[i].strftime(form), edges.get(i, "middle")) for i in chosen]


def _parts(spots: Sequence[Dot | None]) -> list[list[Dot]]:
    parts: list[list[Dot]] = [[]]
    for spot in spots:
        if spot is not None:
            parts[-1].append(spot)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if len(part) > 1]

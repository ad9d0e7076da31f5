"""Charts laid out: everything inside its frame, labels apart, gaps left open."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from apiward_workbooks.charts import Line, LineChart
from apiward_workbooks.plot import HEIGHT, figure, line_plot, scale

START = datetime(2026, 11, 1, tzinfo=UTC)


def chart(*values: float | None, hours: int = 24) -> LineChart:
    moments = tuple(START + timedelta(hours=hours * n) for n in range(len(values)))
    return LineChart("Day", moments, (Line("High", "red", tuple(values)),))


@pytest.mark.parametrize(
    ("highest", "levels"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (3, (0, 1, 2, 3)),
        (7, (0, 2, 4, 6, 8)),
        (23, (0, 10, 20, 30)),
        (4000, (0, 1000, 2000, 3000, 4000)),
    ],
)
def test_levels_are_round_and_reach_the_highest_value(highest: float, levels: tuple[float, ...]) -> None:
    assert scale(highest) == levels


def test_every_value_lies_within_the_frame_and_higher_values_lie_higher() -> None:
    plot = line_plot(chart(0, 5, 17, 3))
    dots = plot.curves[0].dots
    assert all(0 <= dot.x <= 100 and 0 <= dot.y <= HEIGHT for dot in dots)
    assert dots[0].y == plot.baseline
    assert sorted(dots, key=lambda dot: -dot.y) == [dots[0], dots[3], dots[1], dots[2]]
    assert [dot.x for dot in dots] == sorted(dot.x for dot in dots)


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    curve = line_plot(chart(1, 2, None, 3, None, 4, 5)).curves[0]
    assert [len(points.split()) for points in curve.points] == [2, 2]
    assert len(curve.dots) == 5
    assert curve.last == "5"


@pytest.mark.parametrize("count", [2, 3, 6, 30, 365])
def test_labels_of_the_time_axis_keep_apart_and_name_both_ends(count: int) -> None:
    ticks = line_plot(chart(*[1.0] * count)).moments
    assert ticks[0].label == "01 Nov"
    assert ticks[-1].label == (START + timedelta(days=count - 1)).strftime("%d %b")
    assert all(later.at - earlier.at >= 24 for earlier, later in pairwise(ticks))


def test_a_single_moment_stands_in_the_middle() -> None:
    plot = line_plot(chart(4))
    assert [(dot.x) for dot in plot.curves[0].dots] == [50.0]
    assert [(tick.at, tick.anchor) for tick in plot.moments] == [(50.0, "middle")]


def test_hours_are_told_where_moments_are_no_days() -> None:
    assert line_plot(chart(1, 2, hours=6)).moments[-1].label == "01 Nov 06:00"


def test_series_differ_by_more_than_their_colour() -> None:
    lines = tuple(Line(str(n), "red", (1.0,)) for n in range(5))
    dashes = [curve.dash for curve in line_plot(LineChart("Day", (START,), lines)).curves]
    assert len(set(dashes)) == 5


@pytest.mark.parametrize(("value", "text"), [(None, ""), (3.0, "3"), (1200, "1,200"), (2.25, "2.25")])
def test_figures_have_decimals_only_where_they_need_them(value: float | None, text: str) -> None:
    assert figure(value) == text

"""Rows as tiles, tables and charts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apiward_core.logs import Row
from apiward_workbooks.cells import Cell
from apiward_workbooks.charts import Bar, Line, Segment, bar_chart, line_chart
from apiward_workbooks.model import Query
from apiward_workbooks.visuals import Tile, table, tiles

MONDAY, TUESDAY = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)


def grid(**settings: Any) -> Query:
    return Query(kql="T", grid=settings)


def chart(**settings: Any) -> Query:
    return Query(kql="T", chart=settings)


def test_a_tile_has_the_columns_that_its_settings_name() -> None:
    settings = {
        "titleContent": {"columnMatch": "Severity", "formatter": 1},
        "leftContent": {"columnMatch": "Open", "formatter": 12},
        "subtitleContent": {"columnMatch": "Basis", "formatter": 1},
        "secondaryContent": {"columnMatch": "Absent", "formatter": 1},
    }
    made = tiles(Query(kql="T", tiles=settings), [{"Severity": "High", "Open": 1200, "Basis": "three"}])
    assert made.tiles == (Tile(Cell("High"), Cell("1,200", number=True), (Cell("three"), Cell(""))),)
    assert made.note == ""


@pytest.mark.parametrize(("order", "expected"), [(0, ["b", "a", "c"]), (1, ["b", "c", "a"]), (2, ["a", "c", "b"])])
def test_tiles_are_sorted_by_the_column_that_the_settings_name(order: int, expected: list[str]) -> None:
    settings = {
        "titleContent": {"columnMatch": "Name", "formatter": 1},
        "sortCriteriaField": "Size",
        "sortOrderField": order,
    }
    rows: list[Row] = [{"Name": "b", "Size": None}, {"Name": "a", "Size": 10}, {"Name": "c", "Size": 9}]
    assert [tile.title.text for tile in tiles(Query(kql="T", tiles=settings), rows).tiles] == expected


def test_more_tiles_than_the_portal_shows_are_cut_and_said_so() -> None:
    settings = {"titleContent": {"columnMatch": "N", "formatter": 9}}
    made = tiles(Query(kql="T", tiles=settings), [{"N": n} for n in range(101)])
    assert len(made.tiles) == 100
    assert made.note == "The first 100 of 101 tiles are shown. Shown without their formatting: N."


def test_a_table_labels_and_hides_columns() -> None:
    query = grid(
        formatters=[{"columnMatch": "Hidden.*", "formatter": 5}],
        labelSettings=[{"columnId": "api", "label": "API"}],
    )
    made = table(query, [{"api": "orders", "HiddenId": 1, "Count": 2}])
    assert (made.columns, made.rows) == (("API", "Count"), ((Cell("orders"), Cell("2", number=True)),))


def test_a_table_is_cut_at_its_limit_after_sorting() -> None:
    query = grid(rowLimit=2, sortBy=[{"itemKey": "N", "sortOrder": 2}, {"itemKey": "S", "sortOrder": 1}])
    made = table(query, [{"N": 1, "S": "c"}, {"N": 2, "S": "b"}, {"N": 2, "S": "a"}])
    assert [row[1].text for row in made.rows] == ["a", "b"]
    assert made.note == "The first 2 of 3 rows are shown."


def test_250_rows_are_shown_unless_the_workbook_says_otherwise() -> None:
    assert len(table(grid(), [{"N": n} for n in range(300)]).rows) == 250


def test_a_column_whose_formatting_is_not_known_is_shown_and_named() -> None:
    made = table(grid(formatters=[{"columnMatch": "Trend", "formatter": 9}]), [{"Trend": "[1,2]"}])
    assert (made.rows, made.note) == (((Cell("[1,2]"),),), "Shown without their formatting: Trend.")


def test_numeric_columns_are_lines_in_the_order_of_time() -> None:
    rows = [{"Day": TUESDAY, "High": 1, "Low": None}, {"Day": MONDAY, "High": 3, "Low": 4}]
    made = line_chart(chart(seriesLabelSettings=[{"seriesName": "High", "label": "Hot", "color": "redBright"}]), rows)
    assert made.moments == (MONDAY, TUESDAY)
    assert made.lines == (Line("Hot", "red", (3.0, 1.0)), Line("Low", "blue", (4.0, None)))
    assert [line.last for line in made.lines] == [1.0, 4.0]


def test_a_column_of_text_splits_a_line() -> None:
    rows = [{"Day": MONDAY, "Severity": s, "Count": n} for s, n in (("High", 1), ("Low", 2))]
    assert [(line.label, line.values) for line in line_chart(chart(), rows).lines] == [
        ("High", (1.0,)),
        ("Low", (2.0,)),
    ]


def test_several_measures_that_are_split_are_told_apart() -> None:
    rows = [{"Day": MONDAY, "Severity": "High", "New": 1, "Gone": 2}]
    assert [line.label for line in line_chart(chart(), rows).lines] == ["High: New", "High: Gone"]


def test_only_the_named_measures_are_drawn() -> None:
    rows = [{"Day": MONDAY, "High": 1, "Total": 9}]
    assert [line.label for line in line_chart(chart(xAxis="Day", yAxis=["High"]), rows).lines] == ["High"]


def test_dates_in_other_zones_lie_on_one_axis() -> None:
    naive = MONDAY.replace(tzinfo=None)
    assert line_chart(chart(), [{"Day": naive, "A": 1}]).moments == (MONDAY,)


def test_a_time_chart_needs_dates() -> None:
    with pytest.raises(ValueError, match="no column holds dates"):
        line_chart(chart(), [{"Name": "a", "Count": 1}])


def test_bars_are_split_by_the_group_and_keep_the_order_of_rows() -> None:
    rows = [
        {"Service": "b", "Severity": "High", "Open": 2},
        {"Service": "b", "Severity": "Low", "Open": 1},
        {"Service": "a", "Severity": "Low", "Open": 1},
    ]
    query = chart(xAxis="Service", yAxis=["Open"], group="Severity")
    made = bar_chart(query, rows)
    assert made.bars == (
        Bar("b", (Segment("High", "blue", 2.0), Segment("Low", "orange", 1.0))),
        Bar("a", (Segment("Low", "orange", 1.0),)),
    )
    assert [bar.total for bar in made.bars] == [3.0, 1.0]
    assert made.legend == (("High", "blue"), ("Low", "orange"))


def test_bars_of_one_measure_need_no_legend() -> None:
    made = bar_chart(chart(), [{"Outcome": "fixed", "Runs": 2}])
    assert (made.axis, made.measure, made.legend) == ("Outcome", "Runs", ())


def test_bars_need_something_to_name_them() -> None:
    with pytest.raises(ValueError, match="every column is a number"):
        bar_chart(chart(), [{"A": 1, "B": 2}])

"""Rows of a query as what is shown of them: tiles, tables and charts, free of any output format.

To add a visualisation: a value, the function that makes it from a query and its rows, a line in VISUALS, and a part in
each renderer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from apiward_core.logs import Row
from apiward_workbooks.cells import Cell, Formatter, formatter_of
from apiward_workbooks.charts import BarChart, LineChart, bar_chart, line_chart
from apiward_workbooks.model import Query

_ROW_LIMIT = 250
_TILE_LIMIT = 100
_DESCENDING = 2
_PLACES = ("titleContent", "leftContent", "subtitleContent", "rightContent", "secondaryContent")


@dataclass(frozen=True)
class Tile:
    """One tile: a title, one thing in large, and lines below."""

    title: Cell
    value: Cell
    lines: tuple[Cell, ...]


@dataclass(frozen=True)
class Tiles:
    """The tiles of a query, one per row."""

    tiles: tuple[Tile, ...]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Columns, cells, and what there is to say about them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


Visual: TypeAlias = Tiles | Table | LineChart | BarChart


def tiles(query: Query, rows: Sequence[Row]) -> Tiles:
    """One tile per row, as tileSettings says; a column that is not there leaves its place empty."""
    places = {place: Formatter(query.tiles[place]) for place in _PLACES if query.tiles.get(place)}
    lines = [places[place] for place in _PLACES[2:] if place in places]

    def cell(place: str, row: Row) -> Cell:
        rule = places.get(place)
        return rule.cell(row, rule.column) if rule else Cell("")

    made = tuple(
        Tile(cell(_PLACES[0], row), cell(_PLACES[1], row), tuple(rule.cell(row, rule.column) for rule in lines))
        for row in _sorted(rows, query.tiles)[:_TILE_LIMIT]
    )
    notes = [*_cut(len(rows), _TILE_LIMIT, "tiles"), *_unsupported(places.values())]
    return Tiles(made, " ".join(notes))


def table(query: Query, rows: Sequence[Row]) -> Table:
    """The rows under the columns that are not hidden, as gridSettings says."""
    rules = [Formatter(document) for document in query.grid.get("formatters") or ()]
    labels = {one.get("columnId"): one.get("label") for one in query.grid.get("labelSettings") or ()}
    columns = {name: formatter_of(name, rules) for name in (rows[0] if rows else ())}
    visible = {name: rule for name, rule in columns.items() if not rule.hides}
    limit = int(query.grid.get("rowLimit") or _ROW_LIMIT)
    ordered = _sorted(rows, *reversed(query.grid.get("sortBy") or ()))
    return Table(
        tuple(labels.get(name) or name for name in visible),
        tuple(tuple(rule.cell(row, name) for name, rule in visible.items()) for row in ordered[:limit]),
        " ".join([*_cut(len(rows), limit, "rows"), *_unsupported(visible.values())]),
    )


def _sorted(rows: Sequence[Row], *orders: Mapping[str, Any]) -> list[Row]:
    """The rows by each order in turn: 1 is ascending, 2 descending, of tiles (`sortCriteriaField`) or grids."""
    ordered = list(rows)
    for order in orders:
        column = str(order.get("sortCriteriaField") or order.get("itemKey"))
        direction = order.get("sortOrderField") or order.get("sortOrder")
        if direction and rows and column in rows[0]:
            ordered.sort(key=lambda row: _sort_key(row[column]), reverse=direction == _DESCENDING)
    return ordered


def _sort_key(value: Any) -> tuple[bool, bool, Any]:
    number = isinstance(value, int | float)
    return value is not None, number, value if number else str(value)


def _cut(count: int, limit: int, what: str) -> list[str]:
    return [f"The first {limit:,} of {count:,} {what} are shown."] if count > limit else []


def _unsupported(rules: Any) -> list[str]:
    columns = sorted({rule.column for rule in rules if not rule.supported})
    return [f"Shown without their formatting: {', '.join(columns)}."] if columns else []


VISUALS: Mapping[str, Callable[[Query, Sequence[Row]], Visual]] = {
    "tiles": tiles,
    "table": table,
    "timechart": line_chart,
    "linechart": line_chart,
    "areachart": line_chart,
    "barchart": bar_chart,
    "categoricalbar": bar_chart,
}
"""What makes each visualisation of a workbook."""

"""How the command line speaks: tables for people on standard output, one JSON object for machines."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from apiward_core.arm_id import ArmId
from apiward_core.errors import ApiwardError

out = Console(soft_wrap=False, highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_GUID, _WORD = 36, 16  # columns no wider than this are not folded while there is room: the first one, any other
_FOLDED = 5  # what a folded column takes at least
_STYLES = {
    "High": "bold red",
    "Medium": "yellow",
    "Low": "cyan",
    "New": "bold",
    "Closed": "green",
    "Complete": "green",
    "Partial": "yellow",
    "Failed": "red",
    "Healthy": "green",
    "Unhealthy": "red",
}


def say(text: str = "") -> None:
    """One line for people; markup of rich is understood."""
    out.print(text)


def unfolded(text: str) -> None:
    """One line that is meant to be copied, however narrow the terminal."""
    out.print(Text(text), soft_wrap=True)


def plain(value: object) -> str:
    """A value from outside, made safe for `say`: it may hold what rich would take for markup."""
    return escape(_printable(value))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people; cells are shown as they are, never as markup. Short of room, long columns fold first.

    Then the columns move together, and then the last ones fold, too. Nothing is ever cut off.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    whole, tight = _layout(columns, cells)
    shown = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=tight,
        show_edge=not tight,
        show_header=any(columns),
    )
    for index, column in enumerate(columns):
        shown.add_column(column, overflow="fold", no_wrap=index in whole)
    for row in cells:
        shown.add_row(*row)
    out.print(shown)


def _layout(columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> tuple[Sequence[int], bool]:
    """Which columns are not folded, and whether they have to move together. rich would cut off what has no room."""
    lines = [[line for row in cells for line in row[index].plain.splitlines()] for index in range(len(columns))]
    widest = [max(map(len, column), default=0) for column in lines]
    widths = [max(width, len(column)) for column, width in zip(columns, widest, strict=True)]
    whole = [index for index, width in enumerate(widest) if width <= (_WORD if index else _GUID)]

    def needed() -> int:
        return sum(width if index in whole else min(width, _FOLDED) for index, width in enumerate(widths))

    tight = needed() + 3 * len(columns) - 1 > out.width  # three characters between columns, one at either end
    while tight and whole and needed() + 2 * (len(columns) - 1) > out.width:
        whole.pop()
    return whole, tight


def resource(arm_id: str) -> str:
    """The names in an ARM id, outermost first, without what every id has: "apim-orders / orders-v1"."""
    return " / ".join(ArmId.read(arm_id).names) or arm_id


def _cell(value: object) -> Text:
    text = "" if value is None else _printable(value)
    return Text(text, style=_STYLES.get(text, ""))


def _printable(value: object) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def emit(value: Any) -> None:
    """One JSON document for machines. Keys may be enumerations."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(value, option=options).decode() + "\n")


def complain(error: ApiwardError) -> None:
    """An error, with what to do about it, on standard error."""
    err.print(f"[bold red]{type(error).__name__.removesuffix('Error')}:[/] {plain(error.message)}")
    err.print(f"[bold]What to do:[/] {plain(error.remedy)}")

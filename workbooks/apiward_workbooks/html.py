"""A report as one HTML page: no script, nothing loaded from anywhere, every value from data escaped.

Charts are SVG of our own, not a chart library's: inline with the page's own colours they follow its light, dark and
print scheme, keep the size of their text on a phone, and can be read by a screen reader.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from apiward_workbooks.charts import Bar, BarChart, Line, LineChart
from apiward_workbooks.plot import figure, line_plot
from apiward_workbooks.reports import Block, Prose, Remark, Report, Section, Shown
from apiward_workbooks.visuals import Table, Tiles

_PARTS = {Prose: "prose", Remark: "remark", Section: "section", Shown: "shown"}
_VISUALS = {Tiles: "tiles", Table: "table", LineChart: "line", BarChart: "bars"}
_DEEPEST = 6


def render_html(report: Report) -> str:
    """The page."""
    page = _environment().get_template("report.html.j2")
    return page.render(report=report, outline=_Outline(), style=Markup(_style()))  # noqa: S704 - our own file


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("apiward_workbooks"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(part=_part, visual=_visual, line_plot=line_plot, figure=figure)
    environment.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M UTC")
    environment.filters["trend"] = _trend
    environment.filters["bars"] = _bars
    return environment


def _style() -> str:
    return (files("apiward_workbooks") / "templates" / "report.css").read_text("utf-8")


def _part(block: Block) -> str:
    return _PARTS[type(block)]


def _visual(shown: Shown) -> str:
    return _VISUALS[type(shown.visual)]


class _Outline:
    """Headings that never skip a level, whatever the workbook's own do: h1 is the page's title."""

    def __init__(self) -> None:
        self._text = self._last = 1
        self._ids = 0

    def title(self, depth: int) -> int:
        """The level for the title of an item that lies `depth` groups deep: below the text before it."""
        return self._next(self._text + 1 + depth)

    def next_id(self) -> str:
        """An id that the page has not yet."""
        self._ids += 1
        return f"part-{self._ids}"

    def markdown(self, text: str) -> Markup:
        """Markdown without HTML and pictures in it, its headings in their place."""
        parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
        tokens = parser.parse(text)
        self._place(tokens)
        return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - markdown-it escaped it

    def _place(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if token.type == "heading_open":
                self._text = self._next(int(token.tag[1:]) + 1)
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{self._text}"

    def _next(self, wanted: int) -> int:
        self._last = min(wanted, self._last + 1, _DEEPEST)
        return self._last


def _trend(chart: LineChart) -> str:
    """A line chart in a sentence."""
    if not chart.moments:
        return "No values."
    told = [
        f"{line.label} from {figure(line.first)} to {figure(line.last)}, at most {figure(max(_known(line)))}"
        for line in chart.lines
        if line.last is not None
    ]
    first, last = (at.strftime("%Y-%m-%d") for at in (chart.moments[0], chart.moments[-1]))
    return f"{first} to {last}: {'; '.join(told)}."


def _known(line: Line) -> list[float]:
    return [value for value in line.values if value is not None]


def _split(bar: Bar) -> str:
    if len(bar.segments) == 1:
        return bar.segments[0].label
    return ", ".join(f"{figure(segment.value)} {segment.label}" for segment in bar.segments)


def _bars(chart: BarChart) -> dict[str, Any]:
    """The bars with the share of the longest that each part takes, in percent."""
    longest = max((bar.total for bar in chart.bars), default=0) or 1
    laid = []
    for bar in chart.bars:
        at, parts = 0.0, []
        for segment in bar.segments:
            width = round(100 * max(segment.value, 0) / longest, 2)
            parts.append({"x": round(at, 2), "width": width, "tone": segment.tone})
            at += width
        laid.append({"bar": bar, "parts": parts, "split": _split(bar) if chart.legend else ""})
    return {"rows": laid, "legend": chart.legend}

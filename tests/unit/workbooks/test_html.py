"""The page of a report: structure, escaping, and nothing that loads or runs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from apiward_workbooks.cells import Cell, plain_cell
from apiward_workbooks.charts import Bar, BarChart, Line, LineChart, Segment
from apiward_workbooks.html import render_html
from apiward_workbooks.reports import Block, Prose, Remark, Section, Shown
from apiward_workbooks.visuals import Table, Tile, Tiles, Visual
from tests.unit.workbooks.samples import report

START = datetime(2026, 11, 22, tzinfo=UTC)
HOSTILE = """</title></style><script>window.ran=1</script><img src=x onerror="window.ran=1">'"&amp;{{7*7}}{%x%}"""
OTHERS = (
    "<b>x</b>",
    "a" * 5000,
    "\u202eevil\u202c",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u8ba2\u5355\u670d\u52a1",
    "\x00\x07",
)


class Page(HTMLParser):
    """The elements of a page, with the text of each heading."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self._open: int | None = None
        self._style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
            self._open = len(self.headings) - 1

    def handle_endtag(self, tag: str) -> None:
        self._style = False
        if re.fullmatch(r"h[1-6]", tag):
            self._open = None

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += data
        if self._open is not None:
            level, text = self.headings[self._open]
            self.headings[self._open] = (level, text + data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def page(*blocks: Block, title: str = "Ours", problems: tuple[str, ...] = ()) -> Page:
    return Page(render_html(report(*blocks, title=title, problems=problems)))


def line(*values: float | None, label: str = "High") -> LineChart:
    moments = tuple(START + timedelta(days=n) for n in range(len(values)))
    return LineChart("Day", moments, (Line(label, "red", values),))


def bars(name: str, *segments: Segment) -> BarChart:
    legend = tuple((segment.label, segment.tone) for segment in segments)
    return BarChart("Service", "Open", (Bar(name, segments),), legend)


def visuals(text: str) -> list[Visual]:
    cells = (
        Cell(text),
        Cell(text, "red"),
        Cell(text, "green", mark=True),
        Cell(text, href=f"https://a.example/{text}"),
    )
    return [
        Tiles((Tile(cells[0], cells[1], (cells[2],)),), note=text),
        Table((text,), tuple((cell,) for cell in cells), note=text),
        line(1, 2, label=text),
        bars(text, Segment(text, "red", 1), Segment(text, "blue", 2)),
    ]


def everything(text: str) -> tuple[Block, ...]:
    shown = tuple(Shown(title=text, visual=visual, missing=text) for visual in visuals(text))
    return (
        *shown,
        Remark(title=text, kind="no-data", text=text),
        Section(title=text, blocks=shown),
        Prose(markdown=text),
    )


@pytest.mark.parametrize("text", [HOSTILE, *OTHERS], ids=range(7))
def test_text_from_data_stays_text_wherever_it_stands(text: str) -> None:
    ours, theirs = page(*everything("plain")), page(*everything(text), title=text, problems=(text,))
    allowed = {tag for tag, _ in ours.tags} | {"ul", "li", "strong", "div"}
    assert {tag for tag, _ in theirs.tags} <= allowed
    assert theirs.count("script") == theirs.count("img") == 0
    assert not [name for _, attributes in theirs.tags for name in attributes if name.startswith("on")]
    visible = "".join(c for c in text if c != "\x00")
    assert theirs.text.count(visible[:40]) > 20


def test_markdown_is_shown_without_html_pictures_and_harmful_links() -> None:
    links = "![p](https://a.example/p.png) [run](javascript:alert(1)) [go](https://a.example)"
    text = f"**bold** <b>raw</b> {links}\n\n| a |\n|---|\n| 1 |"
    made = page(Prose(markdown=text))
    assert (made.count("strong"), made.count("b"), made.count("img"), made.count("table")) == (1, 0, 0, 1)
    assert [attributes.get("href") for tag, attributes in made.tags if tag == "a" and "href" in attributes] == [
        "https://a.example/p.png",
        "https://a.example",
    ]


def test_nothing_is_loaded_and_nothing_runs() -> None:
    made = page(*everything("plain"))
    loading = {"src", "srcset", "data", "poster", "background", "action", "xlink:href"}
    assert not [name for _, attributes in made.tags for name in attributes if name in loading]
    assert not made.count("link") + made.count("script") + made.count("iframe")
    text = render_html(report(*everything("plain")))
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    "markdown", [("# a\n# b", "### c"), ("###### deep", "# top"), ("text", "## two\n#### four"), ("#### a", "#### b")]
)
def test_headings_begin_with_one_h1_and_never_skip_a_level(markdown: tuple[str, str]) -> None:
    shown = Shown(title="Chart", visual=line(1))
    inner = Section(title="Inner", blocks=(Prose(markdown=markdown[1]), shown))
    blocks = (shown, Prose(markdown=markdown[0]), shown, Section(title="Outer", blocks=(shown, inner)), shown)
    levels = [level for level, _ in page(*blocks).headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_line_chart_is_told_in_a_sentence_and_in_figures() -> None:
    made = page(Shown(title="Trend", visual=line(3, None, 1)))
    (label,) = [attributes["aria-label"] for tag, attributes in made.tags if attributes.get("role") == "img"]
    assert label == "Trend. 2026-11-22 to 2026-11-24: High from 3 to 1, at most 3."
    headers = [attributes.get("scope") for tag, attributes in made.tags if tag == "th"]
    assert headers == ["col", "col", "row", "row", "row"]


def test_a_legend_says_what_a_line_was_when_it_began() -> None:
    assert "High 1 was 3" in " ".join(page(Shown(title="Trend", visual=line(None, 3, 1))).text.split())
    assert "was 2" not in page(Shown(title="Trend", visual=line(2, 5, 2))).text


def test_a_moment_is_kept_on_one_line() -> None:
    made = page(Shown(title="Read", visual=Table(("At",), ((plain_cell(START),),))))
    assert [attributes for tag, attributes in made.tags if tag == "td"] == [{"class": "moment"}]


def test_a_chart_without_values_says_so() -> None:
    assert "No values." in render_html(report(Shown(title="Trend", visual=line())))


def test_bars_are_text_with_a_picture_that_readers_skip() -> None:
    made = page(Shown(title="Services", visual=bars("contoso", Segment("High", "red", 3), Segment("Low", "blue", 1))))
    assert "contoso 4 3 High, 1 Low" in " ".join(made.text.split())
    (picture,) = [attributes for tag, attributes in made.tags if tag == "svg" and attributes["width"] == "100%"]
    assert picture["aria-hidden"] == "true"
    parts = [attributes for tag, attributes in made.tags if tag == "rect" and "x" in attributes]
    assert [(part["x"], part["width"]) for part in parts] == [("0.0%", "75.0%"), ("75.0%", "25.0%")]


def test_a_table_has_a_caption_headers_with_scope_and_can_be_scrolled_by_keyboard() -> None:
    made = page(Shown(title="Findings", visual=Table(("Severity", "Days"), ((Cell("High"), Cell("3", number=True)),))))
    assert made.count("caption") == 1
    assert [attributes for tag, attributes in made.tags if tag == "th"] == [{"scope": "col"}, {"scope": "col"}]
    (region,) = [attributes for _, attributes in made.tags if attributes.get("class") == "scroll"]
    assert (region["tabindex"], region["role"], region["aria-label"]) == ("0", "region", "Findings")


def test_problems_and_what_is_missing_are_told_at_the_top_and_in_place() -> None:
    blocks = (
        Remark(title="Open", kind="failed", text="This could not be read."),
        Shown(title="Trend", visual=line(1), missing="too many rows"),
    )
    made = page(*blocks, problems=("Open: refused.",))
    assert "This report is not complete." in made.text
    assert "Open: refused." in made.text
    assert "Not all of it is here: too many rows" in made.text


def test_the_header_names_freshness_time_and_choices() -> None:
    text = page().text
    assert "every subscription was read whole (1)" in text
    assert "2026-11-23 12:00 UTC" in text
    assert re.search(r"Severity\s*all", text)
    assert "This report is not complete." not in text


def test_data_that_is_not_whole_stands_out() -> None:
    stale = replace(report(), freshness=replace(report().freshness, whole=False))
    assert 'class="tone-orange"' in render_html(stale)
    assert 'class="tone-orange"' not in render_html(report())

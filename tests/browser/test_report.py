"""A report in a real browser: alone on the disk, on a phone, in the dark, and for those who cannot see it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apiward_workbooks.cells import Cell
from apiward_workbooks.html import render_html
from apiward_workbooks.reports import Prose, Remark, Section, Shown
from apiward_workbooks.visuals import Table
from tests.unit.workbooks.samples import report
from tests.unit.workbooks.test_html import HOSTILE, everything

LONG = "apim-" + "x" * 300
_CONTRAST = """
() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = color => { context.clearRect(0, 0, 1, 1); context.fillStyle = color; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const ground = element => { for (let at = element; at; at = at.parentElement) {
    const color = rgb(getComputedStyle(at).backgroundColor); if (color[3] === 255) return color; }
    return [255, 255, 255]; };
  const faults = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const inSvg = element.namespaceURI.endsWith('svg');
    const a = light(rgb(inSvg ? style.fill : style.color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push([element.tagName, element.className.baseVal ?? element.className, ratio.toFixed(2)]);
  }
  return faults;
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A report of every kind of block, with names that are hostile and long."""
    blocks = (
        Prose(markdown="## Heading\n\nText with `code`."),
        *everything("plain"),
        *everything(LONG),
        Section(title="Group", blocks=everything(HOSTILE)),
        *(Remark(title="Told", kind=kind, text="Something is to be said.") for kind in ("failed", "unsupported")),
    )
    path = tmp_path / "report.html"
    path.write_text(render_html(report(*blocks, title=HOSTILE, problems=(HOSTILE,))), "utf-8")
    return path


def _open(page: Page, file: Path) -> list[str]:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(file.as_uri())
    return requested


def test_the_page_asks_for_nothing_but_itself_and_runs_nothing(page: Page, file: Path) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    assert _open(page, file) == [file.as_uri()]
    assert page.evaluate("window.ran") is None
    assert said == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(page: Page, file: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    _open(page, file)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_text_of_charts_keeps_its_size_on_a_phone(page: Page, file: Path) -> None:
    _open(page, file)
    heights = []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        heights.append(page.locator("svg.plot text.moment").first.bounding_box())
    wide, narrow = heights
    assert wide is not None
    assert narrow is not None
    assert narrow["height"] == pytest.approx(wide["height"], rel=0.01)


def test_headings_are_in_order_and_every_chart_can_be_read_without_seeing_it(page: Page, file: Path) -> None:
    _open(page, file)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for picture in page.locator("svg:not(svg svg)").all():
        hidden = picture.evaluate("e => e.closest('[aria-hidden=true]') !== null")
        label = picture.get_attribute("aria-label") or ""
        assert hidden or (picture.get_attribute("role") == "img" and len(label) > 20)
    assert page.locator("figure.chart:not(:has(svg[role=img])):not(:has(ol.bars))").count() == 0
    assert page.locator("table:not(:has(caption))").count() == page.locator(".prose table").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, file: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    _open(page, file)
    assert page.evaluate(_CONTRAST) == []


def test_dark_and_light_differ_and_print_is_light(page: Page, file: Path) -> None:
    page.emulate_media(color_scheme="dark")
    _open(page, file)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="light", media="screen")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_nothing_on_paper_lies_over_its_neighbour(page: Page, file: Path) -> None:
    cells = (Cell("High", "red"), Cell(LONG), Cell("Complete", "green", mark=True), Cell("2026-11-25", moment=True))
    columns = ("Severity", "API or operation", "Last run", "Open since")
    blocks = (*everything("plain"), Shown(title="Findings", visual=Table(columns, (cells,))))
    file.write_text(render_html(report(*blocks)), "utf-8")
    page.set_viewport_size({"width": 700, "height": 1000})  # A4 within its margins
    _open(page, file)
    page.emulate_media(media="print")
    wider = "[...document.querySelectorAll('.block')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    assert page.evaluate(wider) == []


def test_a_table_beside_a_chart_has_the_whole_width_of_the_paper(page: Page, file: Path) -> None:
    cells = tuple(Cell(text) for text in ("acd07448-fc61-5ce7-bfef-9e2e28fecf47", "Complete", "2026-11-25 18:11 UTC"))
    columns = ("Subscription", "Last run", "Last whole reading")
    coverage = Shown(title="Coverage", visual=Table(columns, (cells,)), width=60)
    file.write_text(render_html(report(coverage, replace(everything("plain")[3], width=40))), "utf-8")
    page.set_viewport_size({"width": 900, "height": 1000})
    _open(page, file)
    page.emulate_media(media="print")
    box = page.locator(".block").first.bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(900, abs=1)

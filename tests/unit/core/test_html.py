"""Text in comments stays text, for readers of HTML and of Markdown."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiward_core.html import Markup, join, tag


@pytest.mark.parametrize(
    "name",
    [
        "Orders API, version 2.",
        "payments-v1",
        "api-orders; protocols: http to https",
        "2026-11-23 10:00 UTC",
        "Table_CL",
    ],
)
def test_plain_names_stay_readable(name: str) -> None:
    assert join(name) == name


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("[x](y)", "&#91;x&#93;&#40;y&#41;"),
        ("*_`~|\\#!", "&#42;&#95;&#96;&#126;&#124;&#92;&#35;&#33;"),
        ("_a_ b__c", "&#95;a&#95; b&#95;&#95;c"),
        ("- a - b", "&#45; a - b"),
        ("1. first 1.", "&#49;&#46; first 1."),
        ("a\n\n# b", "a&#10;&#10;&#35; b"),
        ("https://x.example", "https&#58;//x.example"),
        ("WWW.x.example", "WWW&#46;x.example"),
        ("a@b.example", "a&#64;b.example"),
    ],
)
def test_what_has_a_meaning_becomes_an_entity(text: str, written: str) -> None:
    assert tag("p", text) == f"<p>{written}</p>"


@given(st.text())
def test_every_text_comes_back_whole(text: str) -> None:
    written = join(text)
    assert not set(written) & set("<>\"'\\`*[]()!|~@\n\r\t")
    assert _entities_undone(written) == text


def _entities_undone(written: str) -> str:
    """Unescaping as far as entities go that `join` writes; HTML itself maps some raw characters on to others."""
    return "".join(unescape(part) if part.startswith("&") else part for part in _parts(written))


def _parts(written: str) -> list[str]:
    head, *tails = written.split("&")
    return [head, *(part for tail in tails for part in (f"&{tail.partition(';')[0]};", tail.partition(";")[2]))]


def test_markup_and_attributes() -> None:
    assert tag("a", Markup("<b>x</b>"), data_name='"<\n') == '<a data-name="&quot;&lt;&#10;"><b>x</b></a>'

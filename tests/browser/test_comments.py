"""Our comments are HTML that Sentinel shows, maybe by way of Markdown: what an attacker names an API must stay text."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Page

from apiward_core.html import join, tag
from apiward_playbooks.comments import closing, describe
from apiward_playbooks.findings import FindingState
from apiward_playbooks.guardrails.document import AcceptedRisk
from apiward_playbooks.runs import Run
from tests.property.world import planned

HOSTILE = """<img src=x onerror="window.ran=1"><script>window.ran=1</script></li></ul><a href="javascript:1">'\"&amp;"""
MARKDOWN = """[approve](https://evil.example) ![x](https://evil.example/p.png) [ref] **now** _now_ `code` ~~not~~ \\* <https://evil.example>

# Title

    code

- item

1. item

> quote

| a | b |
|---|---|
| c | d |

---

[ref]: https://evil.example"""


def _hostile_run(text: str = HOSTILE) -> Run:
    _, run = planned(1)
    change = replace(run.plan.changes[0], summary=text)
    target = replace(run.target, resource_id=text)
    return replace(run, plan=replace(run.plan, changes=(change,)), target=target, problem=text, decided_by=text)


def _shown(page: Page, message: str) -> str:
    page.set_content(f"<!doctype html><body>{message}</body>")
    page.wait_for_function("document.readyState === 'complete'")
    assert page.evaluate("window.ran") is None
    assert page.locator("img, script, a, iframe").count() == 0
    return page.locator("body").inner_text()


def test_a_hostile_name_stays_text_in_a_plan(page: Page) -> None:
    comment = describe(_hostile_run())
    assert comment is not None
    text = _shown(page, comment.message)
    assert text.count("onerror") == 4
    assert "waiting for approval" in text


def test_a_hostile_name_stays_text_in_a_closing_comment(page: Page) -> None:
    text = _shown(page, _closing(HOSTILE))
    assert text.count("window.ran=1</script>") == 7


def _comment(text: str) -> str:
    comment = describe(_hostile_run(text))
    assert comment is not None
    return comment.message


def _closing(text: str) -> str:
    fixed, accepted = (FindingState(name, "Healthy", "Resolved", text, None, text, text) for name in ("f-1", "f-2"))
    risk = AcceptedRisk(finding="f-2", reason=text, accepted_by=text, expires=date(2027, 1, 1))
    return closing([fixed, accepted], [_hostile_run(text)], {"f-2": risk}, text)


def _text_between_tags(text: str) -> str:
    return join(text, tag("b", text), text)


@pytest.mark.parametrize("written", [_comment, _closing, _text_between_tags])
def test_a_reader_of_markdown_takes_no_name_for_markup(page: Page, written: Callable[[str], str]) -> None:
    reader = MarkdownIt("js-default", {"html": True})
    _shown(page, reader.render(written("plain name")))
    ours = _elements(page)
    for hostile in (HOSTILE, MARKDOWN, *filter(None, MARKDOWN.splitlines())):
        text = _shown(page, reader.render(written(hostile)))
        assert _elements(page) == ours, hostile
        assert " ".join(hostile.split()) in " ".join(text.split())


def _elements(page: Page) -> list[str]:
    found: list[str] = page.evaluate("Array.from(document.querySelectorAll('body *'), element => element.tagName)")
    return found

"""Our comments are HTML that Sentinel shows: what an attacker may name an API must stay text there."""

from dataclasses import replace

from playwright.sync_api import Page

from apiward_playbooks.comments import closing, describe
from apiward_playbooks.findings import FindingState
from apiward_playbooks.runs import Run
from tests.property.world import planned

HOSTILE = """<img src=x onerror="window.ran=1"><script>window.ran=1</script></li></ul><a href="javascript:1">'\"&amp;"""


def _hostile_run() -> Run:
    _, run = planned(1)
    change = replace(run.plan.changes[0], summary=HOSTILE)
    target = replace(run.target, resource_id=HOSTILE)
    return replace(run, plan=replace(run.plan, changes=(change,)), target=target, problem=HOSTILE, decided_by=HOSTILE)


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
    finding = FindingState("f-1", "Healthy", "Resolved", "", HOSTILE, HOSTILE)
    text = _shown(page, closing([finding], [_hostile_run()], HOSTILE))
    assert text.count("window.ran=1</script>") == 5

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from apiward.commands.ingest import app, show_scopes
from apiward_connector.report import Gap, Outcome, ScopeReport, Tally

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
WHOLE = Tally().report(SCOPE, "assessments", 1.0)


def shown(capsys: pytest.CaptureFixture[str], *scopes: ScopeReport) -> str:
    """What the terminal says, however it is folded."""
    show_scopes(scopes)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("inventory", f"{SUBSCRIPTION}: inventory: 403"),
        (SCOPE, f"sent: {SUBSCRIPTION}: 403"),
        (f"{SCOPE}/resourceGroups/rg", f"sent: {SUBSCRIPTION}/resourceGroups/rg: 403"),
    ],
    ids=["part", "subscription", "resource"],
)
def test_what_is_missing_names_its_subscription_once(capsys: pytest.CaptureFixture[str], what: str, told: str) -> None:
    text = shown(capsys, replace(WHOLE, outcome=Outcome.PARTIAL, gaps=(Gap(what, "403"),)))
    assert text.endswith(told)


def test_the_outcomes_of_many_subscriptions_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(WHOLE, scope=f"/subscriptions/{OTHER}", outcome=Outcome.FAILED)
    assert "51 in all: 50 Complete, 1 Failed." in shown(capsys, *[WHOLE] * 50, failed)
    assert "in all" not in shown(capsys, WHOLE)


@pytest.mark.parametrize("dead", [0, 2])
def test_dead_letters_come_with_the_way_to_send_them(capsys: pytest.CaptureFixture[str], dead: int) -> None:
    assert ("apiward ingest replay" in shown(capsys, replace(WHOLE, dead=dead))) is bool(dead)


def test_the_help_of_rebuild_says_that_subscriptions_may_be_named() -> None:
    assert "rebuild [OPTIONS] [SUBSCRIPTION]... " in CliRunner().invoke(app, ["rebuild", "--help"]).output

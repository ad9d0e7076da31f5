"""The change budget: counted once per change, over any hour and any day, by whoever asks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from apiward_core.errors import GuardrailError
from apiward_playbooks.budget import SqliteBudget
from apiward_playbooks.guardrails.document import Budget
from tests.property.world import START

TWO = Budget(hour=2, day=3)


def take(path: Path, token: str, minutes: int = 0, budget: Budget = TWO) -> None:
    SqliteBudget(path).take(token, budget, START + timedelta(minutes=minutes))


def test_an_hour_holds_no_more_than_its_budget(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    take(path, "a/0")
    take(path, "a/1", 1)
    with pytest.raises(GuardrailError, match="2 changes in one hour"):
        take(path, "b/0", 59)
    take(path, "b/0", 60)


def test_a_day_holds_no_more_than_its_budget(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    for number in range(3):
        take(path, f"a/{number}", number * 61)
    with pytest.raises(GuardrailError, match="3 changes in one day"):
        take(path, "b/0", 24 * 60 - 1)
    take(path, "b/0", 24 * 60)


def test_a_token_that_is_asked_for_again_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    for minutes in (0, 10, 59):
        take(path, "a/0", minutes)
    take(path, "a/1", 59)
    with pytest.raises(GuardrailError):
        take(path, "a/2", 59)


def test_a_token_of_long_ago_is_dated_anew(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    take(path, "held/0")
    take(path, "b/0", 90)
    take(path, "held/0", 100)
    with pytest.raises(GuardrailError):
        take(path, "c/0", 110)


def test_a_held_token_does_not_burst_through_a_budget_that_others_used_up(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    take(path, "held/0")
    take(path, "b/0", 90)
    take(path, "c/0", 91)
    with pytest.raises(GuardrailError):
        take(path, "held/0", 92)


def test_workers_that_ask_at_once_cannot_overspend(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    def attempt(number: int) -> bool:
        try:
            take(path, f"run-{number}/0", budget=Budget(hour=5, day=9))
        except GuardrailError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 5


def test_a_budget_of_nothing_allows_nothing(tmp_path: Path) -> None:
    with pytest.raises(GuardrailError):
        take(tmp_path / "runs.sqlite", "a/0", budget=Budget(hour=0))

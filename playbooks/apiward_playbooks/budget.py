"""The change budget: one token per change, taken before the write, counted over any hour and any day."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from apiward_core.clock import timestamp
from apiward_core.errors import GuardrailError
from apiward_playbooks.guardrails.document import Budget
from apiward_playbooks.sqlite_file import connection_to

_SCHEMA = "CREATE TABLE IF NOT EXISTS budget_tokens (token TEXT PRIMARY KEY, taken_at TEXT NOT NULL) STRICT;"
_WINDOWS = (("hour", timedelta(hours=1)), ("day", timedelta(days=1)))


class BudgetStore(Protocol):
    """Keeps the tokens."""

    def take(self, token: str, budget: Budget, now: datetime) -> None:
        """Take a token, once however often it is asked for. Raises GuardrailError when the budget is used up."""
        ...


class SqliteBudget:
    """Tokens in the file of the runs, taken one after the other whoever asks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, token: str, budget: Budget, now: datetime) -> None:
        """Take a token, once however often it is asked for. Raises GuardrailError when the budget is used up.

        A token that was taken more than an hour ago, for a write that did not happen then, is taken anew.
        """
        with connection_to(self._path, _SCHEMA) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for name, length in _WINDOWS:
                since = timestamp(now - length)
                held = "SELECT count(*) FROM budget_tokens WHERE token = ? AND taken_at > ?"
                if name == "hour" and connection.execute(held, (token, since)).fetchone()[0]:
                    return
                spent = "SELECT count(*) FROM budget_tokens WHERE token != ? AND taken_at > ?"
                limit: int = getattr(budget, name)
                if connection.execute(spent, (token, since)).fetchone()[0] >= limit:
                    raise used_up(name, limit)
            connection.execute("INSERT OR REPLACE INTO budget_tokens VALUES (?, ?)", (token, timestamp(now)))


def used_up(window: str, limit: int) -> GuardrailError:
    """The error that says which budget is used up."""
    return GuardrailError(
        f"The budget of {limit} changes in one {window} is used up.", remedy="Wait, or raise it in the guardrails."
    )

"""`ingest status` tells of each scope its last run and whole read, findings and rows, and when the next is due."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from apiward_core.clock import SystemClock, parse_timestamp
from apiward_core.dead_letters import ObjectDeadLetters
from apiward_core.folder_objects import FolderObjects
from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import LONG

STREAM = all_tables()[RECOMMENDATIONS].stream
EVERY = timedelta(minutes=60)
OF_EACH = """
let findings = ApiRecommendationCurrent()
    | summarize Findings = count() by Scope = strcat('/subscriptions/', SubscriptionId);
DefenderApiHealth_CL
| summarize arg_max(TimeGenerated, RowsSent, Watermark) by Scope
| join kind=inner findings on Scope
"""


def status(raised: Raised, folder: Path, *flags: str) -> tuple[int, str]:
    """What the operator is told, who may look into what the connector keeps."""
    environment = varied(raised.environment("operator"), {"state_dir": str(raised.demo.folder / "connector")})
    done = apiward("ingest", "status", *flags, environment={**environment, "COLUMNS": "160"}, folder=folder)
    assert done.stderr == ""
    return done.returncode, done.stdout


def expected(raised: Raised) -> dict[str, dict[str, Any]]:
    """What the workspace has, by scope."""
    with raised.demo.app("operator") as opened:
        return {str(row["Scope"]): dict(row) for row in opened.logs().query(OF_EACH, timespan=LONG)}


def test_each_scope_is_told_with_its_last_run_and_the_next(raised: Raised, tmp_path: Path) -> None:
    code, out = status(raised, tmp_path, "--json")
    told, rows = {scope["scope"]: scope for scope in json.loads(out)["scopes"]}, expected(raised)
    assert (code, told.keys()) == (0, rows.keys())
    assert rows.keys() == {subscription.resource_id for subscription in raised.lab.estate.subscriptions}
    for name, row in rows.items():
        scope = told[name]
        assert (scope["outcome"], scope["dead"], scope["owed"]) == ("Complete", 0, 0)
        assert (scope["current"], scope["sent"]) == (row["Findings"], row["RowsSent"])
        assert parse_timestamp(scope["watermark"]) == row["Watermark"]
        assert parse_timestamp(scope["next_due"]) == row["TimeGenerated"] + EVERY


def test_people_see_what_is_late_and_what_is_kept(raised: Raised, tmp_path: Path) -> None:
    letters = ObjectDeadLetters(FolderObjects(raised.demo.folder / "connector" / "objects"), clock=SystemClock())
    letters.add_all(STREAM, [b"{}"] * 2, "too large")
    raised.lab.clock.advance(timedelta(hours=4))
    code, out = status(raised, tmp_path)
    lines = [line.split() for line in out.splitlines()]
    names = {subscription.subscription_id for subscription in raised.lab.estate.subscriptions}
    shown = {words[0]: words[1:] for words in lines if words and words[0] in names}
    assert (code, set(shown)) == (4, names)
    assert {words[0] for words in shown.values()} == {"Complete"}
    assert all(words[1:6] == ["5", "h", "5", "h", "late"] and int(words[6]) for words in shown.values()), shown
    assert f"2 dead letters of {STREAM}" in out

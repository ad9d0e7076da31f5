"""The command against a lab in which Defender's list of one subscription fails: what is told, and what not judged."""

import json
from typing import Any

import pytest

from apiward_core.kql import bind
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import LONG

HEALTH = "DefenderApiHealth_CL | where RunId == run and Scope == scope | project Outcome, Unread, RowsSent"
JUDGED = """
DefenderApiRecommendations_CL
| where RunId == run and SubscriptionId == subscription
| count
"""
KINDS = {
    "403": "HTTP 403",
    "429": "HTTP 429",
    "503": "HTTP 503",
    "truncated": "IncompleteRead",
    "reset": "could not be reached",
}


def query(raised: Raised, kql: str, **values: Any) -> Any:
    with raised.demo.app("playbooks") as opened:
        return opened.logs().query(bind(kql, **values), timespan=LONG)


@pytest.mark.parametrize(("kind", "word"), KINDS.items(), ids=KINDS)
def test_a_subscription_whose_list_fails_is_not_judged_and_its_health_row_says_why(
    raised: Raised, kind: str, word: str
) -> None:
    subscription = raised.lab.estate.subscriptions[0]
    path = f"{subscription.resource_id}/providers/microsoft.security/assessments"
    raised.demo.more_settings["throttle_patience"] = "1"
    raised.demo.lab.add_fault(kind=kind, path=path, seconds=30)
    try:
        done = raised.command("connector", "ingest", "run", "--json")
        assert [fault["met"] > 0 for fault in raised.demo.lab.faults()] == [True]
    finally:
        raised.demo.lab.clear_faults()
    assert (done.returncode, done.stderr) == (4, "")
    report = json.loads(done.stdout)
    outcomes = {scope["scope"]: scope["outcome"] for scope in report["scopes"]}
    assert outcomes.pop(subscription.resource_id) == "Failed"
    assert set(outcomes.values()) == {"Complete"}
    [health] = query(raised, HEALTH, run=report["run_id"], scope=subscription.resource_id)
    assert (health["Outcome"], health["RowsSent"]) == ("Failed", 0)
    assert word in health["Unread"]
    assert "listing the assessments" in health["Unread"]
    assert query(raised, JUDGED, run=report["run_id"], subscription=subscription.subscription_id) == [{"Count": 0}]
    again = raised.command("connector", "ingest", "run", "--json")
    assert again.returncode == 0, again.stdout


def test_the_command_switches_faults_on_and_off(raised: Raised, tmp_path: Any) -> None:
    descriptor = tmp_path / "lab.json"
    raised.demo.lab.write(descriptor, deployed={}, state=tmp_path)

    def fault(*arguments: str) -> list[dict[str, Any]]:
        done = raised.command("connector", "lab", "fault", *arguments, "--descriptor", str(descriptor), "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    [on] = fault("429", "/nowhere/*", "--method", "GET", "--rate", "0.5", "--times", "2", "--seconds", "9")
    assert (on["kind"], on["path"], on["rate"], on["times"], on["seconds"], on["met"]) == (
        "429",
        "/nowhere/*",
        0.5,
        2,
        9,
        0,
    )
    assert fault("--clear") == []

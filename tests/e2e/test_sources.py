"""Both sources over one estate: they agree on every finding, and neither takes silence for health."""

import json
from typing import Any

import pytest

from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import LONG
from tests.e2e.test_partial_reads import A_DAY, Tenant


def ingest(raised: Raised, source: str) -> tuple[int, dict[str, Any]]:
    """One run from a source; its exit code, and its report by scope."""
    environment = varied(raised.environment("connector"), {"source": source})
    done = apiward("ingest", "run", "--json", environment=environment, folder=raised.demo.folder)
    return done.returncode, {scope["scope"]: scope for scope in json.loads(done.stdout)["scopes"]}


def sources_of_health_rows(raised: Raised) -> set[str]:
    with raised.demo.app("operator") as opened:
        return {
            str(row["Source"]) for row in opened.logs().query("ApiConnectorHealth() | distinct Source", timespan=LONG)
        }


@pytest.mark.parametrize("source", ["resource_graph", "assessments"])
def test_a_change_of_source_changes_no_finding(raised: Raised, source: str) -> None:
    code, scopes = ingest(raised, source)
    assert code == 0
    assert len(scopes) == 3
    assert [scope["changes"] for scope in scopes.values() if set(scope["changes"]) - {"Snapshot"}] == []
    assert all(scope["read"] > scope["current"] > 0 for scope in scopes.values())
    assert source in sources_of_health_rows(raised)


def test_a_subscription_that_resource_graph_leaves_out_in_silence_is_not_taken_for_empty(raised: Raised) -> None:
    tenant, lost = Tenant(raised), raised.lab.estate.subscriptions[1].resource_id
    tenant.take_role("connector", lost)
    for _ in range(3):
        raised.lab.clock.advance(A_DAY)
        code, scopes = ingest(raised, "resource_graph")
        assert code == 4
        assert (scopes[lost]["outcome"], scopes[lost]["changes"]) == ("Failed", {})
        assert scopes[lost]["current"] > 0
    tenant.give_back()
    code, scopes = ingest(raised, "resource_graph")
    assert (code, scopes[lost]["outcome"]) == (0, "Complete")
    assert scopes[lost]["changes"]["Snapshot"] > 0
    assert not scopes[lost]["changes"].keys() & {"Removed", "Resolved"}

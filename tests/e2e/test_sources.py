"""Both sources over one estate: they agree on every finding, and neither takes silence for health."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.graph import Graph
from apiward_connector.sources.management_groups import ManagementGroupsSource
from apiward_connector.sources.resource_graph import ResourceGraphSource
from apiward_core.errors import AccessError
from apiward_core.kql import bind
from apiward_core.tables import INVENTORY, RECOMMENDATIONS
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import LONG
from tests.e2e.test_partial_reads import A_DAY, Tenant

OF_THE_RUN = {"TimeGenerated", "ObservedAt", "IngestedAt", "RunId", "RecordId", "FirstSeen"}
ONLY_IN_RESOURCE_GRAPH = {"RiskLevel"}
EXPOSURE = ("IsExternal", "IsAuthenticated", "HasSensitiveData", "LastTraffic")


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


def first_run(raised: Raised, source: str, state: str) -> str:
    """The id of a run from a source that has not run before with this state."""
    changes = {"source": source, "state_dir": str(raised.demo.folder / state)}
    environment = varied(raised.environment("connector"), changes)
    done = apiward("ingest", "run", "--json", environment=environment, folder=raised.demo.folder)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def rows_of(raised: Raised, table: str, run_id: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a table that a run sent."""
    with raised.demo.app("operator") as opened:
        return opened.logs().query(bind(f"{table} | where RunId == run", run=run_id), timespan=LONG)


def first_rows(raised: Raised, source: str) -> dict[str, dict[str, Any]]:
    """What a first run from a source sends, by finding, without what tells one run from another."""
    rows = rows_of(raised, RECOMMENDATIONS, first_run(raised, source, f"first-{source}"))
    aside = OF_THE_RUN | ONLY_IN_RESOURCE_GRAPH
    return {row["FindingId"]: {name: value for name, value in row.items() if name not in aside} for row in rows}


def test_both_sources_give_the_same_rows_field_by_field(raised: Raised) -> None:
    listed, queried = first_rows(raised, "assessments"), first_rows(raised, "resource_graph")
    assert listed.keys() == queried.keys()
    assert len(listed) > 100
    assert {name for name in listed if listed[name] != queried[name]} == set()


def exposures(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[object, ...]]:
    """What rows say of the exposure of a resource, by its id; no two may differ."""
    said = {(str(row["ResourceId"]), tuple(row[column] for column in EXPOSURE)) for row in rows}
    assert len(said) == len({name for name, _ in said})
    return dict(said)


def test_the_inventory_is_in_the_workspace_and_on_the_findings(raised: Raised) -> None:
    services = raised.lab.estate.services
    apis = {f"{service.resource_id}/apis/{name}".lower() for service in services for name in service.onboarded}
    run = first_run(raised, "assessments", "inventory")
    inventory = exposures(rows_of(raised, INVENTORY, run))
    findings = exposures([row for row in rows_of(raised, RECOMMENDATIONS, run) if row["OperationName"]])
    assert apis
    assert apis <= inventory.keys()
    assert findings.keys() <= inventory.keys()
    assert findings == {name: inventory[name] for name in findings}
    assert all(len(set(values)) > 1 for values in zip(*findings.values(), strict=True))


def read_side_by_side(raised: Raised) -> Mapping[str, int | str]:
    """How many assessments Resource Graph gives of each subscription of the estate, or the kind of error."""
    subscriptions = [subscription.subscription_id for subscription in raised.lab.estate.subscriptions]
    with raised.demo.app("connector") as opened:
        clients = opened.clients
        source = ResourceGraphSource(Graph(clients.resource_graph()), direct=AssessmentsSource(clients.security))
        source.expect(subscriptions)

        def read(subscription: str) -> int | str:
            try:
                return sum(map(len, source.pages(subscription)))
            except AccessError:
                return AccessError.__name__

        with ThreadPoolExecutor(len(subscriptions)) as pool:
            return dict(zip(subscriptions, pool.map(read, subscriptions), strict=True))


def test_subscriptions_that_are_read_together_are_told_apart(raised: Raised) -> None:
    with raised.demo.app("connector") as opened:
        direct = AssessmentsSource(opened.clients.security)
        listed = {
            subscription.subscription_id: sum(map(len, direct.pages(subscription.subscription_id)))
            for subscription in raised.lab.estate.subscriptions
        }
    assert read_side_by_side(raised) == listed
    tenant, lost = Tenant(raised), raised.lab.estate.subscriptions[0]
    tenant.take_role("connector", lost.resource_id)
    assert read_side_by_side(raised) == {**listed, lost.subscription_id: AccessError.__name__}
    tenant.give_back()


def test_the_root_group_names_every_subscription_of_the_tenant(raised: Raised) -> None:
    estate = raised.lab.estate
    with raised.demo.app("admin") as opened:
        found = list(ManagementGroupsSource(opened.clients.arm()).descendants(estate.tenant_id))
    assert sorted(found) == sorted(subscription.subscription_id for subscription in estate.subscriptions)

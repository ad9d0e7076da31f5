"""What may not be read is not judged; what may not be sent is owed, and arrives once."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.mgmt.apimanagement.models import ApiUpdateContract

from apiward.demo import Demo
from apiward.infra.workspace import DCR_NAME
from apiward.lab_process import LabHandle
from apiward.wiring import App
from apiward_core.clock import parse_timestamp
from apiward_core.kql import bind
from apiward_core.logs import Row
from apiward_core.tables import RECOMMENDATIONS, all_tables
from apiward_lab.estate import Api, ApimService
from apiward_lab.lab import Lab
from tests.e2e.conftest import Raised
from tests.unit.connector.samples import MemorySink

ROLE_VERSION = "2022-04-01"
FELT = timedelta(minutes=6)
A_DAY = timedelta(hours=25)
AN_HOUR = timedelta(hours=1)
LONG = timedelta(days=10)
OF_A_LOOK = {"TimeGenerated", "ObservedAt", "FirstSeen", "RecordId", "RunId"}
ROWS_OF = """
ApiRecommendationHistory()
| where SubscriptionId == subscription
| project RecordId, RunId, ChangeType, State, ResourceId, IngestedAt
"""
HEALTH_OF = """
DefenderApiHealth_CL
| where RunId == run and Scope == scope
| project Outcome, Unread, RowsSent, FindingsCurrent
"""


def moment(value: Any) -> datetime | None:
    """A column of type datetime, as it is sent or as it comes back."""
    return parse_timestamp(value) if isinstance(value, str) else value


def dynamic(value: Any) -> Any:
    """A column of type dynamic, as it is sent or as it comes back."""
    return json.loads(value) if isinstance(value, str) else value


VALUES: Mapping[str, Callable[[Any], Any]] = {"datetime": moment, "dynamic": dynamic}


@dataclass
class Tenant:
    """A lab seen by its admin and its connector."""

    raised: Raised
    taken: list[dict[str, Any]] = field(default_factory=list)

    def ingest(self) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """One run of the connector by the command, and its report by scope."""
        done = self.raised.command("connector", "ingest", "run", "--json")
        return done, {scope["scope"]: scope for scope in json.loads(done.stdout)["scopes"]}

    def take_role(self, identity: str, scope: str) -> None:
        """The admin deletes every role assignment of an identity at exactly this scope."""
        principal = self.raised.demo.lab.object_id(identity)
        with self.raised.demo.app("admin") as admin:
            path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
            listed = admin.clients.arm().get(path, api_version=ROLE_VERSION)["value"]
            held = [entry for entry in listed if is_of(entry, principal, scope)]
            assert held
            token = admin.clients.credential.get_token(admin.clients.cloud.arm_scope).token
            for entry in held:
                requests.delete(
                    admin.clients.cloud.arm_endpoint + entry["id"],
                    params={"api-version": ROLE_VERSION},
                    headers={"Authorization": f"Bearer {token}"},
                    verify=str(self.raised.lab.ca_bundle),
                    timeout=30,
                ).raise_for_status()
        self.taken += held
        self.raised.lab.clock.advance(FELT)

    def give_back(self) -> None:
        """The admin creates again what was taken."""
        kept = ("roleDefinitionId", "principalId", "principalType")
        with self.raised.demo.app("admin") as admin:
            for entry in self.taken:
                properties = {name: entry["properties"][name] for name in kept}
                admin.clients.arm().put(entry["id"], {"properties": properties}, api_version=ROLE_VERSION)
        self.taken.clear()
        self.raised.lab.clock.advance(FELT)

    def query(self, kql: str, **values: Any) -> list[Row]:
        """What the workspace answers."""
        with self.raised.demo.app("playbooks") as opened:
            return opened.logs().query(bind(kql, **values), timespan=LONG)

    def plain_http_apis(self, subscription_id: str) -> list[tuple[ApimService, Api]]:
        """The APIs of a subscription that offer plain http, by their ids."""
        found = [
            (service, api)
            for service, api in self.raised.lab.estate.apis()
            if service.group.subscription_id == subscription_id and "http" in api.protocols
        ]
        return sorted(found, key=lambda entry: entry[0].api_id(entry[1]))


def is_of(entry: dict[str, Any], principal: str, scope: str) -> bool:
    properties = entry["properties"]
    return bool(properties["principalId"] == principal and properties["scope"].lower() == scope.lower())


@pytest.fixture
def tenant(raised: Raised) -> Tenant:
    return Tenant(raised)


def test_a_subscription_that_may_not_be_read_is_left_as_it_was(tenant: Tenant) -> None:
    lab = tenant.raised.lab
    unread = lab.estate.subscriptions[0]
    others = [subscription.resource_id for subscription in lab.estate.subscriptions[1:]]
    before = history(tenant, unread.subscription_id)
    assert before
    tenant.take_role("connector", unread.resource_id)
    fixed, deleted = fix_one_and_delete_one(tenant, unread.subscription_id)

    scopes = pass_without(tenant, unread.resource_id, after=A_DAY)
    assert all(scopes[scope]["outcome"] == "Complete" and scopes[scope]["sent"] for scope in others)
    pass_without(tenant, unread.resource_id, after=AN_HOUR)
    assert history(tenant, unread.subscription_id) == before

    tenant.give_back()
    done, scopes = tenant.ingest()
    assert (done.returncode, scopes[unread.resource_id]["outcome"]) == (0, "Complete")
    lab.clock.advance(timedelta(minutes=10))
    tenant.ingest()
    news = [row for row in history(tenant, unread.subscription_id) if row not in before]
    kinds = {(row["ResourceId"].lower(), row["ChangeType"]) for row in news if row["ChangeType"] != "Snapshot"}
    assert (fixed, "Resolved") in kinds
    assert (deleted, "Removed") in kinds
    touched = {fixed, deleted, fixed.partition("/apis/")[0], deleted.partition("/apis/")[0]}
    assert all(resource in touched or resource.startswith(f"{deleted}/") for resource, _ in kinds)


def pass_without(tenant: Tenant, unread: str, *, after: timedelta) -> dict[str, Any]:
    """One run that cannot read a subscription, and says so; its report by scope."""
    tenant.raised.lab.clock.advance(after)
    done, scopes = tenant.ingest()
    assert (done.returncode, done.stderr) == (4, "")
    assert scopes[unread]["outcome"] == "Failed"
    [health] = tenant.query(HEALTH_OF, run=json.loads(done.stdout)["run_id"], scope=unread)
    assert (health["Outcome"], health["RowsSent"]) == ("Failed", 0)
    assert health["FindingsCurrent"] > 0
    assert "Microsoft.Security/assessment" in health["Unread"]
    assert "403" in health["Unread"]
    return scopes


def history(tenant: Tenant, subscription_id: str) -> list[Row]:
    """The rows of a subscription in the order of their ids."""
    return sorted(tenant.query(ROWS_OF, subscription=subscription_id), key=lambda row: str(row["RecordId"]))


def fix_one_and_delete_one(tenant: Tenant, subscription_id: str) -> tuple[str, str]:
    """What would be Resolved and Removed if it were read; the two ARM ids in lower case."""
    (service, fixed), (other, deleted) = tenant.plain_http_apis(subscription_id)[:2]
    with tenant.raised.demo.app("admin") as admin:
        client = admin.clients.api_management(subscription_id)
        client.api.update(service.group.name, service.name, fixed.name, "*", ApiUpdateContract(protocols=["https"]))
        client.api.begin_delete(other.group.name, other.name, deleted.name, "*").result()
    return service.api_id(fixed).lower(), other.api_id(deleted).lower()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Tenant]:
    """A prepared lab whose connector has not run yet and may not send."""
    with Lab.start() as lab:
        demo = Demo(LabHandle(lab.descriptor()), tmp_path)
        demo.prepare()
        tenant = Tenant(Raised(lab, demo))
        tenant.take_role("connector", data_collection_rule(lab))
        yield tenant
        assert list(lab.unknown_routes) == []


def data_collection_rule(lab: Lab) -> str:
    group = lab.workspace.resource_id.partition("/providers/")[0]
    return f"{group}/providers/Microsoft.Insights/dataCollectionRules/{DCR_NAME}"


def test_rows_that_could_not_be_sent_are_sent_once_when_the_role_is_there(silent: Tenant) -> None:
    for _ in range(2):
        done, scopes = silent.ingest()
        assert (done.returncode, done.stderr) == (1, "")
        assert {scope["outcome"] for scope in scopes.values()} == {"Failed"}
        whys = [gap["why"] for scope in scopes.values() for gap in scope["gaps"]]
        assert all("403" in why and "Monitoring Metrics Publisher" in why for why in whys)
    assert silent.query(f"{RECOMMENDATIONS} | count") == [{"Count": 0}]

    silent.give_back()
    done, scopes = silent.ingest()
    assert done.returncode == 0
    sent = silent.query(RECOMMENDATIONS)
    assert len(sent) == sum(scope["sent"] for scope in scopes.values()) > 0
    assert len({row["RecordId"] for row in sent}) == len(sent)
    assert by_finding(sent) == by_finding(undisturbed(silent))


def by_finding(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows by FindingId, with every column that does not tell which run has looked, and when."""
    columns = [column for column in all_tables()[RECOMMENDATIONS].columns if column.name not in OF_A_LOOK]
    return {
        str(row["FindingId"]): {column.name: VALUES.get(column.type, str)(row[column.name]) for column in columns}
        for row in rows
    }


@dataclass(frozen=True)
class Recorded(App):
    """An identity's parts, whose rows stay here."""

    kept: MemorySink

    def sink(self) -> Any:
        return self.kept


def undisturbed(tenant: Tenant) -> list[Row]:
    """The rows that a first run sends to which nothing happens."""
    sink = MemorySink()
    with tenant.raised.demo.app("connector") as app:
        settings = app.settings.model_copy(update={"state_dir": tenant.raised.demo.folder / "undisturbed"})
        Recorded(settings, app.clients, app.clock, sink).connector().run(settings.subscriptions)
    return [dict(row) for row in sink.rows(RECOMMENDATIONS)]

"""A small estate, the connector on it, and what becomes of its findings from one day to the next."""

import copy
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient, ExponentialRetry

from apiward.wiring import App
from apiward_connector.report import RunReport, ScopeReport
from apiward_core.blob_objects import BlobObjects
from apiward_core.clients import AzureClients
from apiward_core.objects import ObjectStore
from apiward_core.settings import Settings, explicit_settings
from apiward_core.tables import HEALTH, RECOMMENDATIONS, all_tables
from tests.e2e.small_azure import INGESTION, Clock, Fault, SmallAzure, Subscription, Time, Transport, Waiting
from tests.unit.connector.samples import KEY, METADATA, SCOPE, SERVICE, SUBSCRIPTION, TENANT, assessment
from tests.unit.connector.transport import Credential

OTHER = "22222222-2222-2222-2222-222222222222"
OTHER_SCOPE = f"/subscriptions/{OTHER}"
GROUP = SERVICE.partition("/providers/")[0]
ENCRYPTED = "ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"  # the policy behind KEY
ENDPOINT_KEY = "91af2040-7874-4659-abf0-578e1f8d07dc"
POLICIES = "/providers/microsoft.authorization"
DEFINITION = f"{POLICIES}/policydefinitions/{ENCRYPTED}"
INITIATIVE = f"{POLICIES}/policysetdefinitions/benchmark"
GROUP_OF_SUBSCRIPTIONS = "corp"
OWN_INITIATIVE = (
    f"/providers/Microsoft.Management/managementGroups/{GROUP_OF_SUBSCRIPTIONS}{POLICIES}/policySetDefinitions/own"
)
WORKSPACE = "33333333-3333-3333-3333-333333333333"
PATIENCE = 60.0

A_DAY = timedelta(days=1)
AN_HOUR = timedelta(hours=1)

OF_A_LOOK = {"TimeGenerated", "ObservedAt", "RunId", "RecordId", "FirstSeen"}
WHOLE = frozenset(
    {
        ("Resolved", "alpha"),
        ("Snapshot", "gamma"),
        ("New", "delta"),
        ("Removed", "beta"),
        ("Removed", "epsilon"),
        ("Removed", "zeta"),
    }
)
"""What a second day tells of the first subscription when nothing fails."""
CAUSES = {"beta": "ResourceGone", "epsilon": "ProducerGone", "zeta": "ProducerGone"}


def api(name: str, **said: Any) -> Any:
    """An assessment of an API of the first subscription."""
    return assessment(f"{SERVICE}/apis/{name}", **said)


def operation(name: str) -> Any:
    """An assessment of the one operation of an API."""
    return assessment(f"{SERVICE}/apis/{name}/operations/get", key=ENDPOINT_KEY)


def _metadata() -> list[Any]:
    described = METADATA[KEY]
    endpoint = "API endpoints in Azure API Management should be authenticated"
    return [
        {
            "name": key,
            "properties": {
                "displayName": name,
                "policyDefinitionId": policy,
                "severity": "High",
                "categories": ["Networking"],
            },
        }
        for key, name, policy in (
            (KEY, described.display_name, f"/providers/Microsoft.Authorization/policyDefinitions/{ENCRYPTED}"),
            (ENDPOINT_KEY, endpoint, ""),
        )
    ]


def estate() -> SmallAzure:
    """Two subscriptions on their first day.

    alpha is going to be repaired, beta deleted, and delta made; the API of epsilon's operation is off-boarded, the
    policy that finds zeta is switched off for it, and gamma stays.
    """
    apis = ("alpha", "gamma", "delta", "epsilon", "zeta")
    service = SERVICE.lower()
    gamma = f"{service}/apis/gamma"
    assigned = f"{SCOPE}{POLICIES}/policyassignments/benchmark"
    exempt = {"policyAssignmentId": assigned, "expiresOn": "2027-01-01T00:00:00Z"}
    first = Subscription(
        assessments=[api("alpha"), api("beta"), api("gamma"), operation("epsilon"), api("zeta")],
        metadata=_metadata(),
        collections=[{"id": f"{SERVICE}/providers/Microsoft.Security/apiCollections/alpha", "properties": {}}],
        exemptions=[{"id": f"{gamma}{POLICIES}/policyexemptions/1", "properties": exempt}],
        assignments=[
            {"id": assigned, "properties": {"policyDefinitionId": INITIATIVE}},
            {"id": f"{SCOPE}{POLICIES}/policyassignments/own", "properties": {"policyDefinitionId": OWN_INITIATIVE}},
        ],
        initiatives=[{"id": OWN_INITIATIVE, **_of_encrypted_protocols()}],
        pricings=[
            {"name": "Api", "properties": {"pricingTier": "Standard", "subPlan": "P1"}},
            {"name": "CloudPosture", "properties": {"pricingTier": "Free"}},
        ],
        services=[],
        graph={
            "microsoft.security/apicollections/apiendpoints": [
                {
                    "id": f"{service}/providers/microsoft.security/apicollections/alpha/apiendpoints/{ENCRYPTED}",
                    "properties": {"HttpMethod": "GET", "EndPoint": "/", "CollectionName": "alpha"},
                }
            ],
            "microsoft.security/assessments/governanceassignments": [
                {
                    "id": f"{gamma}/providers/microsoft.security/assessments/{KEY}/governanceassignments/1",
                    "owner": "ana@contoso.example",
                    "due": "2026-12-24T00:00:00Z",
                }
            ],
            "microsoft.apimanagement/service": [{"id": service, "tags": {"team": "api"}}],
        },
    )
    second = Subscription(assessments=[_of_other(api("eta"))], metadata=_metadata(), pricings=first.pricings)
    there = {GROUP.lower(), service, DEFINITION, INITIATIVE}
    there |= {f"{service}/apis/{name}" for name in apis} | {f"{service}/apis/epsilon/operations/get"}
    azure = SmallAzure({SUBSCRIPTION: first, OTHER: second}, resources=there)
    azure.documents[INITIATIVE] = _of_encrypted_protocols()
    azure.documents[DEFINITION] = {"properties": {"policyRule": {"then": {"effect": "Disabled"}}}}
    return azure


def _of_encrypted_protocols() -> dict[str, Any]:
    """An initiative."""
    policy = {"policyDefinitionReferenceId": "x", "policyDefinitionId": DEFINITION}
    return {"properties": {"policyDefinitions": [policy]}}


def _of_other(raw: Any) -> Any:
    moved = copy.deepcopy(raw)
    moved["id"] = raw["id"].replace(SUBSCRIPTION, OTHER)
    moved["properties"]["resourceDetails"]["id"] = f"{SERVICE}/apis/eta".replace(SUBSCRIPTION, OTHER)
    return moved


def second_day(azure: SmallAzure) -> None:
    """What has changed in Azure since the first."""
    azure.subscriptions[SUBSCRIPTION].assessments = [api("alpha", code="Healthy"), api("gamma"), api("delta")]


@dataclass
class World:
    """The estate, its time, and the folder in which the connector keeps its state, unless it is a `container`."""

    folder: Path
    azure: SmallAzure = field(default_factory=estate)
    time: Time = field(default_factory=Time)
    more: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        return explicit_settings(
            tenant_id=TENANT,
            subscriptions=[SUBSCRIPTION],
            management_groups=[GROUP_OF_SUBSCRIPTIONS],
            ingestion_endpoint=INGESTION,
            dcr_immutable_id=f"dcr-{0:032x}",
            workspace_customer_id=WORKSPACE,
            state_dir=self.folder,
            concurrency=1,
            throttle_patience=PATIENCE,
            **self.more,
        )

    def run(self, fault: Fault | None = None) -> RunReport:
        """One run of the connector as the command makes it."""
        with self._app(fault) as app:
            scopes = app.scopes()
            return app.connector().run(scopes.subscriptions, unlisted=scopes.unlisted)

    def lost(self, fault: Fault | None = None) -> list[str]:
        """The subscriptions whose state has to be rebuilt, as the workspace is asked."""
        with self._app(fault) as app:
            return app.rebuilder().lost(self.azure.subscriptions)

    def replay(self) -> int:
        """How many dead letters are still kept after they were sent again."""
        with self._app(None) as app:
            app.replay().run()
            return sum(app.dead_letters().counts().values())

    @contextmanager
    def _app(self, fault: Fault | None) -> Iterator[App]:
        settings, transport = self.settings(), Transport(self.azure, self.time, fault)
        timer = Waiting(self.time)
        with AzureClients(settings, credential=Credential(), transport=transport, timer=timer) as clients:
            yield SmallApp(settings, clients, Clock(self.time), transport)

    def copy_to(self, folder: Path) -> "World":
        """The same world once more."""
        if self.folder.exists():
            shutil.copytree(self.folder, folder)
        time = Time(self.time.moment)
        return World(folder, copy.deepcopy(self.azure), time, self.more)

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The rows about findings as the workspace shows them: of rows with one RecordId, one."""
        rows = {row["RecordId"]: row for table, row in self.azure.rows if table == RECOMMENDATIONS.lower()}
        return list(rows.values())

    @property
    def health(self) -> list[dict[str, Any]]:
        return [row for table, row in self.azure.rows if table == HEALTH.lower()]

    def changes(self, since: int = 0, *, of: str = SUBSCRIPTION) -> list[tuple[str, str]]:
        """Type of change and API of each finding's row but the first `since`."""
        return [(row["ChangeType"], row["ApiName"]) for row in self.findings[since:] if row["SubscriptionId"] == of]

    @property
    def current(self) -> dict[str, dict[str, Any]]:
        """The last row of each finding without what tells who has looked, and when."""
        columns = {column.name for column in all_tables()[RECOMMENDATIONS].columns} - OF_A_LOOK
        return {row["FindingId"]: {name: row.get(name) for name in columns} for row in self.findings}


@dataclass(frozen=True)
class SmallApp(App):
    """An App whose Blob client waits for nothing between two tries: the wrapper that it puts around its transport would
    really sleep."""

    transport: Transport

    def objects(self) -> ObjectStore:
        if self.settings.state_container is None:
            return super().objects()
        at_once = ExponentialRetry(initial_backoff=0, increment_base=0, random_jitter_range=0)
        url, transport = str(self.settings.state_container), self.transport
        return BlobObjects(
            ContainerClient.from_container_url(url, Credential(), transport=transport, retry_policy=at_once)
        )


def of(report: RunReport, scope: str = SCOPE) -> ScopeReport:
    """The part of a report that is about a scope."""
    [found] = [each for each in report.scopes if each.scope == scope]
    return found


def prepared(folder: Path, **more: Any) -> World:
    """The morning of the second day, after two runs of the first: what is absent was absent once."""
    world = World(folder, more=more)
    world.run()
    listed = world.azure.subscriptions[SUBSCRIPTION].assessments
    world.azure.subscriptions[SUBSCRIPTION].assessments = [listed[0], listed[2]]
    world.time.pass_by(AN_HOUR)
    world.run()
    second_day(world.azure)
    world.time.pass_by(A_DAY)
    return world

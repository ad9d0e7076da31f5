"""Puts the parts together for one identity, out of the settings alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import HttpTransport

from apiward.shipped import content_lock
from apiward_connector.existence import Existence
from apiward_connector.explain import Explainer
from apiward_connector.folder_state import FolderStateStore
from apiward_connector.pipeline import Connector, Source
from apiward_connector.report import ScopeReport
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.inventory import InventorySource
from apiward_connector.sources.metadata import MetadataSource
from apiward_connector.sources.plans import PlansSource
from apiward_connector.sources.resource_graph import ResourceGraphSource
from apiward_connector.status import StatusReader
from apiward_core.catalogue import Catalogue, load_catalogue
from apiward_core.clients import AzureClients
from apiward_core.clock import Clock, SystemClock
from apiward_core.content import ArmResources, Content
from apiward_core.dead_letters import FolderDeadLetters
from apiward_core.ingest import WorkspaceSink
from apiward_core.logs import WorkspaceLogs
from apiward_core.settings import Settings
from apiward_playbooks import comments
from apiward_playbooks.api import Playbooks
from apiward_playbooks.budget import SqliteBudget
from apiward_playbooks.closing import Closer
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.engine import Effects, Engine
from apiward_playbooks.findings import Findings
from apiward_playbooks.guard import Guard
from apiward_playbooks.guardrails.load import read_guardrails
from apiward_playbooks.incidents import Classification, Incidents
from apiward_playbooks.store import SqliteRunStore
from apiward_playbooks.tags import service_tags
from apiward_playbooks.trail import Auditor
from apiward_rules.arm import RULE
from apiward_rules.rules import rule_ids
from apiward_rules.sentinel import SentinelRules
from apiward_workbooks.arm import WORKBOOK, WorkbookResources
from apiward_workbooks.reports import Reports


@dataclass(frozen=True)
class App:
    """One identity's settings, clients and clock, from which each part is made."""

    settings: Settings
    clients: AzureClients
    clock: Clock

    def connector(self, *, on_scope: Callable[[ScopeReport], None] = lambda _: None) -> Connector:
        """The connector for one run. `on_scope` hears of each subscription when it is done."""
        self.settings.require("tenant_id", "subscriptions")
        catalogue, inventory = load_catalogue(), InventorySource(self.clients.security)
        explainer = Explainer(
            existence=Existence(self.clients.arm()),
            plans=PlansSource(self.clients.security),
            collections=inventory,
            catalogue=catalogue,
        )
        return Connector(
            source=self._source(),
            metadata=MetadataSource(self.clients.security),
            sink=self.sink(),
            states=self.states(),
            catalogue=catalogue,
            clock=self.clock,
            tenant_id=self.settings.tenant_id or "",
            portal=self.clients.cloud.portal,
            first_run=self.settings.first_run,
            explain=explainer,
            doubts=lambda: explainer.gaps,
            inventory=inventory,
            on_scope=on_scope,
        )

    def states(self) -> FolderStateStore:
        """What the connector remembers on this machine."""
        return FolderStateStore(self.settings.state_dir / "connector", clock=self.clock)

    def ingest_status(self) -> StatusReader:
        """How the connector is doing."""
        self.settings.require("subscriptions")
        return StatusReader(logs=self.logs(), states=self.states(), dead_letters=self._dead_letters, clock=self.clock)

    @property
    def _dead_letters(self) -> Path:
        return self.settings.state_dir / "dead-letters"

    def _source(self) -> Source:
        direct = AssessmentsSource(self.clients.security)
        if self.settings.source == "resource_graph":
            return ResourceGraphSource(self.clients.resource_graph(), direct=direct)
        return direct

    def sink(self) -> WorkspaceSink:
        """The sink of the workspace's data collection rule."""
        self.settings.require("ingestion_endpoint", "dcr_immutable_id")
        dead_letters = FolderDeadLetters(self._dead_letters, clock=self.clock)
        rule = self.settings.dcr_immutable_id or ""
        return WorkspaceSink(self.clients.ingestion(), dcr_immutable_id=rule, dead_letters=dead_letters)

    def logs(self) -> WorkspaceLogs:
        """The workspace's query API."""
        self.settings.require("workspace_customer_id")
        return WorkspaceLogs(self.clients.logs(), workspace_customer_id=self.settings.workspace_customer_id or "")

    def findings(self) -> Findings:
        """The findings as the workspace has them."""
        return Findings(self.logs(), clock=self.clock)

    def content(self) -> Content:
        """The shipped content of the workspace."""
        workspace, arm = self.settings.workspace, self.clients.arm()
        through: dict[str, ArmResources] = {
            RULE.name: SentinelRules(self.clients.sentinel(workspace.subscription_id)),
            WORKBOOK.name: WorkbookResources(arm, workspace=workspace),
        }
        return Content(lambda kind: through.get(kind.name, arm), workspace=workspace, lock=content_lock())

    def reports(self) -> Reports:
        """Reports of the workspace, made from workbooks."""
        return Reports(self.logs(), self.clock, self.settings.workspace)

    def incidents(self) -> Incidents:
        """The incidents that our rules raised."""
        workspace = self.settings.workspace
        client = self.clients.sentinel(workspace.subscription_id)
        return Incidents(client, workspace=workspace, rule_ids=rule_ids(workspace))

    def guard(self, catalogue: Catalogue) -> Guard:
        """What stands before each write: the guardrails, read anew each time, and the change budget."""
        slugs = frozenset(entry.slug for entry in catalogue)
        return Guard(
            read=partial(read_guardrails, self.settings.guardrails_file, slugs=slugs),
            tags=partial(service_tags, self.clients),
            catalogue=catalogue,
            budget=SqliteBudget(self._run_file),
            clock=self.clock,
        )

    @property
    def _run_file(self) -> Path:
        return self.settings.state_dir / "runs.sqlite"

    def playbooks(self, *, wrap: Callable[[Effects], Effects] = lambda effects: effects) -> Playbooks:
        """The playbooks. `wrap` may put something between the engine and Azure."""
        catalogue, incidents, findings = load_catalogue(), self.incidents(), self.findings()
        store = SqliteRunStore(self._run_file)
        guard = self.guard(catalogue)
        closer = Closer(
            incidents=incidents,
            findings=findings,
            store=store,
            classification=Classification(),
            accepted_risks=guard.accepted_risks,
        )
        effects = AzureEffects(
            self.clients,
            catalogue=catalogue,
            scopes=self.settings.change_scopes,
            sink=self.sink(),
            incidents=incidents,
            findings=findings,
            closer=closer,
            clock=self.clock,
        )
        engine = Engine(
            store=store,
            effects=wrap(effects),
            gate=guard,
            clock=self.clock,
            confirm_within=timedelta(hours=self.settings.confirm_timeout_hours),
            describe=comments.describe,
        )
        return Playbooks(
            store=store,
            engine=engine,
            effects=effects,
            guard=guard,
            auditor=Auditor(self.logs(), clock=self.clock),
            findings=findings,
            incidents=incidents,
            closer=closer,
            catalogue=catalogue,
            clock=self.clock,
            plan_ttl=timedelta(hours=self.settings.plan_ttl_hours),
        )


@contextmanager
def open_app(settings: Settings, *, transport: HttpTransport[Any, Any] | None = None) -> Iterator[App]:
    """An App whose clients are closed at the end. `transport` replaces the HTTP transport of its clients."""
    with AzureClients(settings, transport=transport) as clients:
        yield App(settings, clients, SystemClock(settings.offset))

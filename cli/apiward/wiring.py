"""Puts the parts together for one identity, out of the settings alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.core.pipeline.transport import HttpTransport

from apiward_connector.folder_state import FolderStateStore
from apiward_connector.pipeline import Connector
from apiward_connector.report import ScopeReport
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.metadata import MetadataSource
from apiward_core.catalogue import load_catalogue
from apiward_core.clients import AzureClients
from apiward_core.clock import Clock, SystemClock
from apiward_core.content import Content
from apiward_core.dead_letters import FolderDeadLetters
from apiward_core.ingest import WorkspaceSink
from apiward_core.logs import WorkspaceLogs
from apiward_core.settings import Settings
from apiward_playbooks import comments
from apiward_playbooks.api import Playbooks
from apiward_playbooks.closing import Closer
from apiward_playbooks.effects import AzureEffects
from apiward_playbooks.engine import Effects, Engine
from apiward_playbooks.findings import Findings
from apiward_playbooks.incidents import Classification, Incidents
from apiward_playbooks.store import SqliteRunStore
from apiward_rules.arm import RULE
from apiward_rules.items import content_lock
from apiward_rules.rules import rule_ids
from apiward_rules.sentinel import SentinelRules


@dataclass(frozen=True)
class App:
    """One identity's settings, clients and clock, from which each part is made."""

    settings: Settings
    clients: AzureClients
    clock: Clock

    def connector(self, *, on_scope: Callable[[ScopeReport], None] = lambda _: None) -> Connector:
        """The connector over the `assessments` source. `on_scope` hears of each subscription when it is done."""
        self.settings.require("tenant_id", "subscriptions")
        return Connector(
            source=AssessmentsSource(self.clients.security),
            metadata=MetadataSource(self.clients.security),
            sink=self.sink(),
            states=FolderStateStore(self.settings.state_dir / "connector", clock=self.clock),
            catalogue=load_catalogue(),
            clock=self.clock,
            tenant_id=self.settings.tenant_id or "",
            first_run=self.settings.first_run,
            on_scope=on_scope,
        )

    def sink(self) -> WorkspaceSink:
        """The sink of the workspace's data collection rule."""
        self.settings.require("ingestion_endpoint", "dcr_immutable_id")
        dead_letters = FolderDeadLetters(self.settings.state_dir / "dead-letters", clock=self.clock)
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
        rules = SentinelRules(self.clients.sentinel(workspace.subscription_id))
        return Content(lambda kind: rules if kind is RULE else arm, workspace=workspace, lock=content_lock())

    def incidents(self) -> Incidents:
        """The incidents that our rules raised."""
        workspace = self.settings.workspace
        client = self.clients.sentinel(workspace.subscription_id)
        return Incidents(client, workspace=workspace, rule_ids=rule_ids(workspace))

    def playbooks(self, *, wrap: Callable[[Effects], Effects] = lambda effects: effects) -> Playbooks:
        """The playbooks. `wrap` may put something between the engine and Azure."""
        catalogue, incidents, findings = load_catalogue(), self.incidents(), self.findings()
        store = SqliteRunStore(self.settings.state_dir / "runs.sqlite")
        closer = Closer(incidents=incidents, findings=findings, store=store, classification=Classification())
        effects = AzureEffects(
            self.clients,
            catalogue=catalogue,
            scopes=self.settings.change_scopes,
            sink=self.sink(),
            incidents=incidents,
            findings=findings,
            closer=closer,
        )
        engine = Engine(
            store=store,
            effects=wrap(effects),
            clock=self.clock,
            confirm_within=timedelta(hours=self.settings.confirm_timeout_hours),
            describe=comments.describe,
        )
        return Playbooks(
            store=store,
            engine=engine,
            effects=effects,
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

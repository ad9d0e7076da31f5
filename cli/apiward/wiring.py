"""Puts the parts together for one identity, out of the settings alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import HttpTransport

from apiward.shipped import content_lock
from apiward_connector.existence import Existence
from apiward_connector.explain import Explainer
from apiward_connector.pipeline import Connector
from apiward_connector.reading import Reader, Source
from apiward_connector.rebuild import Rebuilder
from apiward_connector.reference.azure import azure_reader
from apiward_connector.report import Outcome, ScopeReport
from apiward_connector.scopes import ExpectedScopes, Scopes
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.graph import Graph
from apiward_connector.sources.inventory import InventorySource
from apiward_connector.sources.management_groups import ManagementGroupsSource
from apiward_connector.sources.plans import PlansSource
from apiward_connector.sources.policy import PolicySource
from apiward_connector.sources.resource_graph import ResourceGraphSource
from apiward_connector.state_store import StateStore
from apiward_connector.status import StatusReader
from apiward_connector.work_queue import BATCH, Planner, Worker
from apiward_core.catalogue import Catalogue, load_catalogue
from apiward_core.clients import AzureClients
from apiward_core.clock import Clock, SystemClock
from apiward_core.content import ArmResources, Content
from apiward_core.dead_letter_files import adopt_dead_letter_files
from apiward_core.dead_letters import ObjectDeadLetters
from apiward_core.errors import ConfigurationError
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import DeadLetters, WorkspaceSink
from apiward_core.logs import WorkspaceLogs
from apiward_core.objects import ObjectStore
from apiward_core.replay import Replay
from apiward_core.settings import Settings
from apiward_core.turns import Turns
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
    """One identity's settings, clients and clock, from which each part is made.

    Its connectors take `turns`, which other Apps of the process may share.
    """

    settings: Settings
    clients: AzureClients
    clock: Clock
    turns: Turns = field(default_factory=Turns, kw_only=True)

    def connector(self, *, on_scope: Callable[[ScopeReport], None] = lambda _: None) -> Connector:
        """The connector for one run. `on_scope` hears of each subscription when it is done."""
        self.settings.require("tenant_id")
        catalogue, objects, graph = load_catalogue(), self.objects(), Graph(self.clients.resource_graph())
        arm = self.clients.arm()
        policies = PolicySource(arm)
        explainer = Explainer(
            existence=Existence(arm),
            plans=PlansSource(self.clients.security),
            collections=InventorySource(self.clients.security),
            policies=policies,
            catalogue=catalogue,
        )
        reader = Reader(
            source=self._source(graph),
            references=azure_reader(self.clients, graph=graph, policies=policies, objects=objects, clock=self.clock),
            catalogue=catalogue,
            clock=self.clock,
            tenant_id=self.settings.tenant_id or "",
            portal=self.clients.cloud.portal,
            first_run=self.settings.first_run,
            explain=explainer,
            doubts=explainer.gaps_of,
        )
        return Connector(
            reader,
            sink=self.sink(),
            states=StateStore(objects, clock=self.clock),
            clock=self.clock,
            on_scope=on_scope,
            concurrency=self.settings.concurrency,
            turns=self.turns,
        )

    def objects(self) -> ObjectStore:
        """Where the connector keeps what outlives a run: the Blob container of the settings, else a folder."""
        if self.settings.state_container is None:
            return FolderObjects(self._object_folder)
        from apiward_core.blob_objects import BlobObjects  # noqa: PLC0415 - its SDK takes long to import

        return BlobObjects(self.clients.blob_container())

    @property
    def kept_in(self) -> str:
        """The place of `objects`, for people."""
        return str(self.settings.state_container or self._object_folder)

    @property
    def _object_folder(self) -> Path:
        return self.settings.state_dir / "objects"

    def scopes(self) -> Scopes:
        """What the connector is expected to read. Raises ConfigurationError when nothing is named."""
        named, groups = self.settings.subscriptions, self.settings.management_groups
        if not (named or groups):
            raise ConfigurationError(
                "Not set: subscriptions, nor management_groups.",
                remedy="Set one in apiward.toml or as APIWARD_SUBSCRIPTIONS or APIWARD_MANAGEMENT_GROUPS.",
            )
        descendants = ManagementGroupsSource(self.clients.arm()).descendants
        return ExpectedScopes(named, groups, descendants=descendants, known=self.states().subscriptions).find()

    def planner(self) -> Planner:
        """What divides the expected scopes among the workers of a Function App."""
        return Planner(
            expected=self.scopes,
            batch=BATCH[self.settings.source],
            tell=lambda unlisted: self.connector().run((), unlisted=unlisted),
        )

    def worker(self) -> Worker:
        """What reads the scopes of one message."""
        return Worker(run=self.connector().run, again=_soon)

    def states(self) -> StateStore:
        """What the connector remembers."""
        return StateStore(self.objects(), clock=self.clock)

    def rebuilder(self) -> Rebuilder:
        """What makes lost state anew from the workspace."""
        return Rebuilder(logs=self.logs(), states=self.states())

    def ingest_status(self) -> StatusReader:
        """How the connector is doing."""
        return StatusReader(
            logs=self.logs(),
            states=self.states(),
            dead_letters=self.dead_letters(),
            clock=self.clock,
            every=timedelta(minutes=self.settings.run_every_minutes),
        )

    def dead_letters(self) -> ObjectDeadLetters:
        """The rows that could not be sent; those in the files of earlier versions are moved there."""
        letters = ObjectDeadLetters(self.objects(), clock=self.clock)
        adopt_dead_letter_files(self.settings.state_dir / "dead-letters", letters, clock=self.clock)
        return letters

    def replay(self) -> Replay:
        """What sends the dead letters again."""
        return Replay(self.dead_letters(), self._sinks())

    def _source(self, graph: Graph) -> Source:
        direct = AssessmentsSource(self.clients.security)
        return ResourceGraphSource(graph, direct=direct) if self.settings.source == "resource_graph" else direct

    def sink(self) -> WorkspaceSink:
        """The sink of the workspace's data collection rule."""
        return self._sinks()(self.dead_letters())

    def _sinks(self) -> Callable[[DeadLetters], WorkspaceSink]:
        """Makes sinks of the workspace's data collection rule, which share one client."""
        self.settings.require("ingestion_endpoint", "dcr_immutable_id")
        client, rule = self.clients.ingestion(), self.settings.dcr_immutable_id or ""
        return lambda dead_letters: WorkspaceSink(client, dcr_immutable_id=rule, dead_letters=dead_letters)

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

    def closer(self) -> Closer:
        """What looks at incidents with their findings, and closes those that may close."""
        return Closer(
            incidents=self.incidents(),
            findings=self.findings(),
            store=SqliteRunStore(self._run_file),
            classification=Classification(),
            accepted_risks=self.guard(load_catalogue()).accepted_risks,
        )

    def playbooks(self, *, wrap: Callable[[Effects], Effects] = lambda effects: effects) -> Playbooks:
        """The playbooks. `wrap` may put something between the engine and Azure."""
        catalogue, incidents, findings = load_catalogue(), self.incidents(), self.findings()
        store = SqliteRunStore(self._run_file)
        guard, closer = self.guard(catalogue), self.closer()
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


def _soon(report: ScopeReport) -> bool:
    """Whether to read a scope again before its turn. A busy one is being read."""
    return report.may_pass and report.outcome is not Outcome.BUSY


@contextmanager
def open_app(
    settings: Settings, *, transport: HttpTransport[Any, Any] | None = None, turns: Turns | None = None
) -> Iterator[App]:
    """An App whose clients are closed at the end.

    `transport` replaces the HTTP transport of its clients, `turns` are what it shares with others of the process.
    """
    with AzureClients(settings, transport=transport) as clients:
        yield App(settings, clients, SystemClock(settings.offset), turns=turns or Turns())

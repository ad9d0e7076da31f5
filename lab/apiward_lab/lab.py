"""Assembles the lab: the estate, the clock, the services and the server."""

import secrets
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from apiward_lab import identities
from apiward_lab.apim import ApiManagement
from apiward_lab.clock import VirtualClock
from apiward_lab.control import Control
from apiward_lab.defender import Defender
from apiward_lab.dispatch import Dispatcher, Service
from apiward_lab.entra import Application, Directory, Entra, ManagedIdentities, TokenAuthority
from apiward_lab.entra.assertions import AssertionCheck
from apiward_lab.estate import build
from apiward_lab.estate.ids import stable_id
from apiward_lab.faults import Faults
from apiward_lab.journal import Journal
from apiward_lab.loganalytics import LogAnalytics, Workspace
from apiward_lab.management import Hierarchy, ManagementGroups
from apiward_lab.policy import Policy, seeded_policies
from apiward_lab.rbac import AccessControl, Authorization
from apiward_lab.resourcegraph import Endpoints, GraphLimits, Inventory, ResourceGraph
from apiward_lab.resources import CloudMetadata, Resources
from apiward_lab.sentinel import Sentinel
from apiward_lab.server import Server
from apiward_lab.tls import Certificates
from apiward_lab.web import Json
from apiward_lab.workbooks import Workbooks

WORKSPACE = "law-contoso-sentinel"


class Lab:
    """A local Azure. Use it as a context manager: `with Lab.start() as lab`.

    Attributes that tests look at: `clock`, `estate`, `directory`, `access`, `defender`, `journal`, `log_analytics`,
    `sentinel`, `managed_identities`, `workspace`, `hierarchy`, `policy`, `faults`.

    `graph_limits` are those of Resource Graph, by default the service's own.
    """

    def __init__(
        self, *, port: int = 0, estate: str = "small", seed: str = "contoso", graph_limits: GraphLimits | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="apiward-lab-")
        lock = threading.RLock()
        self.clock = VirtualClock(lock=lock)
        self.journal = Journal()
        self.faults = Faults()
        self.estate = build(estate, seed=seed, at=self.clock.now())
        self.applications = {app.name: app for app in identities.applications(seed)}
        self.directory = Directory(self.estate.tenant_id, list(self.applications.values()))
        self.hierarchy = Hierarchy(self.estate)
        self.access = AccessControl(self.clock, scopes_above=self.hierarchy.scopes_above)
        identities.grant_seeded_roles(self.access, self.estate, list(self.applications.values()))
        self.workspace = self._seeded_workspace(seed)
        self.control_key = secrets.token_urlsafe(24)
        self._tokens = TokenAuthority(self.directory, base_url=self._url)
        self.managed_identities = ManagedIdentities(self.directory, self._tokens, base_url=self._url)
        self.metadata = CloudMetadata(self.estate.tenant_id, base_url=self._url)
        policies = seeded_policies(self.estate, self.clock.now(), scopes_above=self.hierarchy.scopes_above)
        self.policy = Policy(policies, self.clock)
        self.defender = Defender(self.estate, self.clock, policies=policies.judge)
        self.log_analytics = LogAnalytics(self.clock, [self.workspace], base_url=self._url)
        self.sentinel = Sentinel(self.clock, self.log_analytics)
        self._graph_limits = graph_limits or GraphLimits()
        self._certificates = Certificates(Path(self._folder.name))
        dispatcher = Dispatcher(
            self._services(),
            authenticate=self._tokens.authenticate,
            authoriser=self.access,
            clock=self.clock,
            journal=self.journal,
            lock=lock,
            faults=self.faults,
        )
        self._server = Server(
            dispatcher.answer, tls=self._certificates.server_context(), port=port, tick=self.clock.tick
        )

    @classmethod
    def start(
        cls, *, port: int = 0, estate: str = "small", seed: str = "contoso", graph_limits: GraphLimits | None = None
    ) -> Self:
        """A lab that listens on 127.0.0.1 (`port` 0: a free one). Raises OSError when the port is taken."""
        lab = cls(port=port, estate=estate, seed=seed, graph_limits=graph_limits)
        try:
            lab._server.start()
        except OSError:
            lab._folder.cleanup()
            raise
        return lab

    def stop(self) -> None:
        """Stop the server and remove the certificate file."""
        self._server.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The address of every service, without a trailing slash."""
        return self._server.base_url

    @property
    def ca_bundle(self) -> Path:
        """The certificate authority to trust, as a PEM file."""
        return self._certificates.ca_bundle

    @property
    def unknown_routes(self) -> Sequence[str]:
        """Method and path of requests that no service answered."""
        return self.journal.unknown_routes

    def descriptor(self) -> Json:
        """Everything that a client needs, secrets included."""
        subscriptions = self.estate.subscriptions
        return {
            "base_url": self.base_url,
            "ca_bundle": str(self.ca_bundle),
            "control_key": self.control_key,
            "tenant_id": self.estate.tenant_id,
            "subscriptions": [{"id": entry.subscription_id, "name": entry.name} for entry in subscriptions],
            "workspace": {
                "resource_id": self.workspace.resource_id,
                "customer_id": self.workspace.customer_id,
                "location": self.workspace.location,
                "name": WORKSPACE,
                "resource_group": identities.SECURITY_GROUP,
                "subscription_id": subscriptions[0].subscription_id,
            },
            "identities": {name: _identity(app) for name, app in self.applications.items()},
            "cloud": self.metadata.describe(),
            "offset_seconds": self.clock.offset.total_seconds(),
        }

    def _url(self) -> str:
        return self.base_url

    def _seeded_workspace(self, seed: str) -> Workspace:
        group = next(group for group in self.estate.groups if group.name == identities.SECURITY_GROUP)
        return Workspace(
            resource_id=f"{group.resource_id}/providers/Microsoft.OperationalInsights/workspaces/{WORKSPACE}",
            customer_id=stable_id(seed, "workspace"),
            location=group.location,
        )

    def _services(self) -> Sequence[Service]:
        assertions = AssertionCheck(self.directory)
        principals = {app.object_id for app in self.applications.values()}
        return [
            Entra(self.directory, self._tokens, assertions, base_url=self._url),
            self.managed_identities,
            self.metadata,
            Authorization(self.access, is_principal=principals.__contains__),
            Resources(self.estate, self.access),
            ManagementGroups(self.hierarchy),
            self.policy,
            self.defender,
            ApiManagement(self.estate, self.clock),
            self.log_analytics,
            self.sentinel,
            self._resource_graph(),
            Workbooks(self.clock, groups=[group.resource_id for group in self.estate.groups]),
            Control(
                self.control_key,
                clock=self.clock,
                journal=self.journal,
                describe=self.descriptor,
                faults=self.faults,
            ),
        ]

    def _resource_graph(self) -> ResourceGraph:
        subscriptions = [subscription.subscription_id for subscription in self.estate.subscriptions]
        endpoints = Endpoints(self.estate, self.clock)
        inventory = Inventory(
            self.estate,
            assessments=lambda: self.defender.ledger.rows,
            seen_endpoints=lambda: endpoints.seen,
            pricings=self.defender.pricing_documents,
            collections=self.defender.collection_documents,
            governance=self.defender.governance_documents,
        )
        return ResourceGraph(
            inventory,
            self.access,
            self.clock,
            subscriptions=subscriptions,
            subscriptions_of=self.hierarchy.subscriptions,
            limits=self._graph_limits,
        )


def _identity(app: Application) -> Json:
    return {
        "client_id": app.client_id,
        "object_id": app.object_id,
        "client_secret": app.client_secret,
        "display_name": app.display_name,
    }

"""Resource Graph over an estate whose assessments a test makes up."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from apiward_lab.defender import Defender
from apiward_lab.defender.definition import UNHEALTHY, Definition, Status
from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import build
from apiward_lab.management import Hierarchy
from apiward_lab.rbac import AccessControl, built_in
from apiward_lab.rbac.access import RoleAssignment
from apiward_lab.resourcegraph import Endpoints, GraphLimits, Inventory, ResourceGraph
from tests.unit.lab_logs.direct import CALLER, START, Answer, Direct, StandingClock

URL = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
ASSESSMENTS = "securityresources | where type == 'microsoft.security/assessments'"
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"
DEFINITION = Definition(
    key=ENCRYPTED,
    display_name="API Management APIs should use only encrypted protocols",
    policy_id="ee7495e7-3ba7-40b6-bfee-c29e22cc75d4",
    description="Plain text can be read on its way.",
    remediation="Offer HTTPS only.",
    severity="High",
    categories=("Networking",),
)

UNHURRIED = GraphLimits(queries=1000)


class Tenant:
    """Resource Graph over the small estate and assessments of one's own; the caller reads the first subscription."""

    def __init__(self, *, limits: GraphLimits = UNHURRIED) -> None:
        self.clock = StandingClock()
        self.estate = build(at=START)
        hierarchy = Hierarchy(self.estate)
        self.access = AccessControl(self.clock, propagation=timedelta(0), scopes_above=hierarchy.scopes_above)
        self.subscriptions = [entry.subscription_id for entry in self.estate.subscriptions]
        self.roles: dict[str, RoleAssignment] = {}
        self.assessments: tuple[Assessment, ...] = ()
        defender, endpoints = Defender(self.estate, self.clock), Endpoints(self.estate, self.clock)
        graph = ResourceGraph(
            Inventory(
                self.estate,
                assessments=lambda: self.assessments,
                seen_endpoints=lambda: endpoints.seen,
                pricings=defender.pricing_documents,
                collections=defender.collection_documents,
                governance=defender.governance_documents,
            ),
            self.access,
            self.clock,
            subscriptions=self.subscriptions,
            subscriptions_of=hierarchy.subscriptions,
            limits=limits,
        )
        self._direct = Direct(graph.routes)
        self.grant("Reader", f"/subscriptions/{self.subscriptions[0]}")

    def grant(self, role: str, scope: str) -> None:
        """Give the caller a role, at once."""
        self.roles[scope] = self.access.assign(
            role, scope=scope, role_id=built_in(role).role_id, principal_id=CALLER.object_id, by="", at_once=True
        )

    def revoke(self, scope: str) -> None:
        """Take the role away that was given last at the scope."""
        self.access.unassign(self.roles.pop(scope))

    def assess(self, count: int, subscription: int = 0, status: Status = UNHEALTHY) -> None:
        """Add assessments of APIs named api-00000 and on."""
        group = f"/subscriptions/{self.subscriptions[subscription]}/resourceGroups/rg-Graph"
        service = f"{group}/providers/Microsoft.ApiManagement/service/apim-Graph"
        self.assessments += tuple(
            Assessment(DEFINITION, f"{service}/apis/api-{number:05}", status, {"first": "note"}, START, START)
            for number in range(count)
        )

    def send(self, query: Any, *, options: Any = None, **request: Any) -> Answer:
        """One query, whatever comes of it; a body of bytes is decoded."""
        answer = self._direct.send("POST", URL, {"query": query, "options": options, **request})
        body = json.loads(answer.body) if isinstance(answer.body, bytes) else answer.body
        return Answer(answer.status, body, answer.headers)

    def query(self, query: str, *, options: Any = None, **request: Any) -> Any:
        """The answer to a query that must succeed."""
        answer = self.send(query, options=options, **request)
        assert answer.status == 200, answer.body
        return answer.body

    def codes(self, query: str, *, options: Any = None, **request: Any) -> list[str]:
        """The codes of a refusal: its own, then those of its details."""
        answer = self.send(query, options=options, **request)
        assert answer.status in {400, 403, 429}, answer.body
        error = answer.body["error"]
        return [error["code"], *(detail["code"] for detail in error["details"])]


def pages(tenant: Tenant, query: str, **options: Any) -> Iterator[Any]:
    """Every page of a query, by its tokens."""
    token: str | None = None
    while True:
        page = tenant.query(query, options={**options, "$skipToken": token})
        yield page
        if (token := page.get("$skipToken")) is None:
            return

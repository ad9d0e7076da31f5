"""The tables of Resource Graph, made from what the services of the lab hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apiward_lab.apim.bodies import service_body
from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import Estate
from apiward_lab.loganalytics.columns import Column
from apiward_lab.resourcegraph import documents, endpoints
from apiward_lab.resourcegraph.endpoints import Endpoint
from apiward_lab.web import Json

STRINGS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
DYNAMICS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
COLUMNS = tuple(Column(name, "string") for name in STRINGS) + tuple(Column(name, "dynamic") for name in DYNAMICS)
"""Every table has these."""

_EMPTY_TABLES = (
    "advisorresources",
    "alertsmanagementresources",
    "appserviceresources",
    "authorizationresources",
    "extensibilityresources",
    "healthresources",
    "insightsresources",
    "policyresources",
    "resourcechanges",
    "resourcecontainerchanges",
)
"""Tables that Resource Graph has and the lab has nothing for."""

Documents = Callable[[str], Iterable[Json]]
"""Those of a subscription, by its id."""


@dataclass(frozen=True)
class Source:
    """Where the rows of one resource type (in lower case) come from.

    `documents` gives all of the tenant's. `version` gives the same object for as long as they are the same; without it
    they may be others at any time.
    """

    table: str
    type: str
    documents: Callable[[], Iterable[Json]]
    version: Callable[[], object] | None = None


class Inventory:
    """What there is to query. `pricings`, `collections` and `governance` give documents as REST has them.

    `assessments` and `seen_endpoints` give the same sequence until there is another one to give.
    """

    def __init__(
        self,
        estate: Estate,
        *,
        assessments: Callable[[], Sequence[Assessment]],
        seen_endpoints: Callable[[], Sequence[Endpoint]],
        pricings: Documents,
        collections: Documents,
        governance: Documents,
    ) -> None:
        self._estate = estate
        security, containers = "securityresources", "resourcecontainers"
        self.sources = (
            Source("resources", "microsoft.apimanagement/service", self._services),
            Source(containers, "microsoft.resources/subscriptions", self._subscriptions),
            Source(containers, "microsoft.resources/subscriptions/resourcegroups", self._groups),
            Source(
                security,
                "microsoft.security/assessments",
                lambda: map(documents.assessment_document, assessments()),
                assessments,
            ),
            Source(security, endpoints.TYPE, lambda: (entry.document() for entry in seen_endpoints()), seen_endpoints),
            Source(security, "microsoft.security/pricings", self._all(pricings, documents.security_document)),
            Source(security, "microsoft.security/apicollections", self._all(collections, documents.security_document)),
            Source(
                security,
                "microsoft.security/assessments/governanceassignments",
                self._all(governance, documents.governance_document),
            ),
        )

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables, in lower case."""
        return frozenset({source.table for source in self.sources}.union(_EMPTY_TABLES))

    def row(self, document: Json) -> list[Any]:
        """The values of COLUMNS; `type` and `resourceGroup` are in lower case."""
        resource_id = document["id"]
        segments = resource_id.split("/")
        in_group = len(segments) > 4 and segments[3].lower() == "resourcegroups"  # noqa: PLR2004 - "", subscriptions, id, groups, name
        texts = (
            resource_id,
            document["name"],
            document["type"].lower(),
            self._estate.tenant_id,
            document.get("kind") or "",
            document.get("location") or "",
            segments[4].lower() if in_group else "",
            segments[2],
            "",
        )
        return [*texts, *(document.get(name) for name in DYNAMICS)]

    def _services(self) -> Iterator[Json]:
        return map(service_body, self._estate.services)

    def _subscriptions(self) -> Iterator[Json]:
        return map(documents.subscription_document, self._estate.subscriptions)

    def _groups(self) -> Iterator[Json]:
        return map(documents.group_document, self._estate.groups)

    def _all(self, of: Documents, shown: Callable[[Json], Json]) -> Callable[[], Iterator[Json]]:
        def gathered() -> Iterator[Json]:
            for subscription in self._estate.subscriptions:
                yield from map(shown, of(subscription.subscription_id))

        return gathered

"""The tables of Resource Graph, made from what the services of the lab hold.

Casing as Resource Graph has it: `type` and `resourceGroup` in lower case; in securityresources the ids too, and an
assessment's resource details with capitals, which the REST API does not have.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote

from apiward_lab.apim.bodies import service_body
from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import Estate
from apiward_lab.loganalytics.columns import Column
from apiward_lab.web import Json, timestamp

_STRINGS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
_DYNAMICS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
COLUMNS = tuple(Column(name, "string") for name in _STRINGS) + tuple(Column(name, "dynamic") for name in _DYNAMICS)
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

_PORTAL = "portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade"

Documents = Callable[[str], Iterable[Json]]
Readable = Callable[[str, str], bool]
"""Whether the caller may read the resource with this id and type."""


class Inventory:
    """The rows of each table. `pricings` and `collections` give REST documents by subscription id."""

    def __init__(
        self,
        estate: Estate,
        *,
        assessments: Callable[[], Iterable[Assessment]],
        pricings: Documents,
        collections: Documents,
    ) -> None:
        self._estate = estate
        self._assessments = assessments
        self._pricings = pricings
        self._collections = collections
        self._tables: dict[str, Callable[[Sequence[str]], Iterator[Json]]] = {
            "resources": self._resources,
            "resourcecontainers": self._containers,
            "securityresources": self._security,
            **dict.fromkeys(_EMPTY_TABLES, lambda _subscriptions: iter(())),
        }

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables, in lower case."""
        return frozenset(self._tables)

    def rows(self, table: str, subscriptions: Sequence[str], can_read: Readable) -> list[Json]:
        """The rows of a table in these subscriptions that may be read, ordered by id."""
        documents = self._tables[table](subscriptions)
        rows = [self._row(document) for document in documents if can_read(document["id"], document["type"])]
        return sorted(rows, key=lambda row: str(row["id"]))

    def _resources(self, subscriptions: Sequence[str]) -> Iterator[Json]:
        wanted = set(subscriptions)
        for service in self._estate.services:
            if service.group.subscription_id in wanted:
                yield service_body(service)

    def _containers(self, subscriptions: Sequence[str]) -> Iterator[Json]:
        wanted = set(subscriptions)
        for subscription in self._estate.subscriptions:
            if subscription.subscription_id in wanted:
                yield {
                    "id": subscription.resource_id,
                    "name": subscription.name,
                    "type": "Microsoft.Resources/subscriptions",
                    "properties": {"state": "Enabled"},
                }
        for group in self._estate.groups:
            if group.subscription_id in wanted:
                yield {
                    "id": group.resource_id,
                    "name": group.name,
                    "type": "Microsoft.Resources/subscriptions/resourceGroups",
                    "location": group.location,
                    "properties": {"provisioningState": "Succeeded"},
                }

    def _security(self, subscriptions: Sequence[str]) -> Iterator[Json]:
        wanted = set(subscriptions)
        for assessment in self._assessments():
            if assessment.resource_id.split("/")[2] in wanted:
                yield _assessment_document(assessment)
        for subscription in subscriptions:
            for document in (*self._pricings(subscription), *self._collections(subscription)):
                yield {**document, "id": document["id"].lower()}

    def _row(self, document: Json) -> Json:
        resource_id = document["id"]
        segments = resource_id.split("/")
        in_group = len(segments) > 4 and segments[3].lower() == "resourcegroups"  # noqa: PLR2004 - "", subscriptions, id, groups, name
        return {
            **dict.fromkeys(_STRINGS, ""),
            **{name: document.get(name) for name in _DYNAMICS},
            "id": resource_id,
            "name": document["name"],
            "type": document["type"].lower(),
            "tenantId": self._estate.tenant_id,
            "kind": document.get("kind") or "",
            "location": document.get("location") or "",
            "resourceGroup": segments[4].lower() if in_group else "",
            "subscriptionId": segments[2],
        }


def _assessment_document(assessment: Assessment) -> Json:
    resource_id = assessment.resource_id.lower()
    return {
        "id": assessment.assessment_id.lower(),
        "name": assessment.definition.key,
        "type": "Microsoft.Security/assessments",
        "properties": {
            "resourceDetails": {"Source": "Azure", "Id": resource_id, "ResourceType": _type_of(resource_id)},
            "displayName": assessment.definition.display_name,
            "status": {
                "code": assessment.code,
                "statusChangeDate": timestamp(assessment.status_changed),
                "firstEvaluationDate": timestamp(assessment.first_evaluated),
            },
            "additionalData": dict(assessment.additional_data),
            "metadata": assessment.definition.properties(),
            "links": {"azurePortal": _portal_link(assessment.definition.key, resource_id)},
        },
    }


def _type_of(resource_id: str) -> str:
    """As "microsoft.apimanagement/service/apis" of ".../providers/microsoft.apimanagement/service/x/apis/y"."""
    _, marker, tail = resource_id.rpartition("/providers/")
    namespace, *rest = tail.split("/")
    return "/".join((namespace, *rest[::2])) if marker else "microsoft.resources/subscriptions"


def _portal_link(key: str, resource_id: str) -> str:
    return f"{_PORTAL}/assessmentKey/{key}/resourceId/{'%2F'.join(map(_quoted, resource_id.split('/')))}"


@lru_cache(maxsize=16_384)
def _quoted(segment: str) -> str:
    """Remembered because most ids of a tenant share most of their segments."""
    return quote(segment, safe="")

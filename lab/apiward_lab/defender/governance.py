"""Who has to remediate what by when: governance assignments of assessments at api-version 2022-01-01-preview."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiward_lab.defender.ledger import Ledger
from apiward_lab.estate import Estate
from apiward_lab.estate.ids import stable_id
from apiward_lab.paging import page
from apiward_lab.web import Call, Json, Problem, Reply, Route, timestamp

_VERSIONS = ("2022-01-01-preview",)
_ASSESSMENTS = "/providers/Microsoft.Security/assessments"
_ACTION = "Microsoft.Security/assessments/governanceAssignments"
_WRITABLE = (
    "owner",
    "remediationDueDate",
    "remediationEta",
    "isGracePeriod",
    "governanceEmailNotification",
    "additionalData",
)

# service, what in it, assessment key, owner, days until it is due, grace period
_SEEDED = (
    ("apim-contoso-payments", "apis/settlement", "741b141d-8111-4d86-a4e0-f74b06270a74", "payments", 14, True),
    (
        "apim-contoso-payments",
        "subscriptions/checkout-backend",
        "44aae697-8cc1-4ed1-a136-44a644bfd51f",
        "payments",
        30,
        True,
    ),
    ("apim-contoso-retail", "tenant/access", "e2aeced9-6ef0-410e-b948-4aaa65ded9a7", "platform", 45, False),
    (
        "apim-contoso-retail",
        "apis/stores/operations/list-stores",
        "91af2040-7874-4659-abf0-578e1f8d07dc",
        "stores",
        -3,
        False,
    ),
)


@dataclass(frozen=True)
class GovernanceAssignment:
    """One assignment; `properties` are those of the REST API."""

    resource_id: str
    key: str
    name: str
    properties: Mapping[str, Any]

    @property
    def assignment_id(self) -> str:
        """Its ARM id."""
        return f"{self.resource_id}{_ASSESSMENTS}/{self.key}/governanceAssignments/{self.name}"

    def body(self) -> Json:
        """As the REST API shows it."""
        return {
            "id": self.assignment_id,
            "name": self.name,
            "type": "Microsoft.Security/assessments/governanceAssignments",
            "properties": dict(self.properties),
        }


class Governance:
    """List, get, create and delete. An assignment is there while its assessment is."""

    def __init__(self, estate: Estate, ledger: Ledger, at: datetime, *, page_size: int) -> None:
        self._ledger = ledger
        self._page_size = page_size
        self._assignments = {entry.assignment_id.lower(): entry for entry in _seeded(estate, at)}

    @property
    def routes(self) -> Sequence[Route]:
        """The operations. Microsoft publishes no action for deleting; writing is asked for."""
        many = "/{scope:path}" + _ASSESSMENTS + "/{assessment}/governanceAssignments"
        one = many + "/{name}"
        return [
            Route("GET", many, self._list, _VERSIONS, action=f"{_ACTION}/read"),
            Route("GET", one, self._get, _VERSIONS, action=f"{_ACTION}/read"),
            Route("PUT", one, self._put, _VERSIONS, action=f"{_ACTION}/write"),
            Route("DELETE", one, self._delete, _VERSIONS, action=f"{_ACTION}/write"),
        ]

    def documents(self, scope: str) -> Sequence[Json]:
        """The assignments of the assessments at a scope and below it, ordered by id."""
        return [entry.body() for entry in self._under(scope)]

    def _under(self, scope: str) -> Iterator[GovernanceAssignment]:
        prefix = f"{scope.lower()}/"
        for key in sorted(self._assignments):
            entry = self._assignments[key]
            if key.startswith(prefix) and self._ledger.find(entry.resource_id, entry.key) is not None:
                yield entry

    def _list(self, call: Call) -> Reply:
        key = call.params["assessment"].lower()
        found = [entry for entry in self._under(f"/{call.params['scope']}") if entry.key == key]
        return Reply(body=page(call, found, GovernanceAssignment.body, size=self._page_size))

    def _get(self, call: Call) -> Reply:
        known = self._find(call)
        if known is None:
            name = call.params["name"]
            raise Problem(404, "ResourceNotFound", f"The governance assignment '{name}' was not found.")
        return Reply(body=known.body())

    def _put(self, call: Call) -> Reply:
        assessment = self._ledger.find(f"/{call.params['scope']}", call.params["assessment"])
        if assessment is None:
            name = call.params["assessment"]
            raise Problem(404, "ResourceNotFound", f"Assessment '{name}' was not found on '/{call.params['scope']}'.")
        sent = call.json()
        properties = sent.get("properties") if isinstance(sent, dict) else None
        if not isinstance(properties, dict) or not properties.get("remediationDueDate"):
            raise Problem(400, "InvalidInput", "The body must hold properties.remediationDueDate.")
        kept = {name: properties[name] for name in _WRITABLE if properties.get(name) is not None}
        key, status = assessment.definition.key, 200 if self._find(call) else 201
        made = GovernanceAssignment(assessment.resource_id, key, call.params["name"], kept)
        self._assignments[made.assignment_id.lower()] = made
        return Reply(status, made.body())

    def _delete(self, call: Call) -> Reply:
        known = self._find(call)
        if known is None:
            return Reply(204)
        del self._assignments[known.assignment_id.lower()]
        return Reply(200)

    def _find(self, call: Call) -> GovernanceAssignment | None:
        params = call.params
        asked = GovernanceAssignment(f"/{params['scope']}", params["assessment"], params["name"], {})
        return self._assignments.get(asked.assignment_id.lower())


def _seeded(estate: Estate, at: datetime) -> Iterator[GovernanceAssignment]:
    services = {service.name: service.resource_id for service in estate.services}
    for service, what, key, owner, days, has_grace in _SEEDED:
        resource_id = f"{services[service]}/{what}"
        properties = {
            "owner": f"{owner}@contoso.example",
            "remediationDueDate": timestamp(at + timedelta(days=days)),
            "isGracePeriod": has_grace,
            "governanceEmailNotification": {
                "disableManagerEmailNotification": False,
                "disableOwnerEmailNotification": False,
            },
        }
        yield GovernanceAssignment(resource_id, key, stable_id(resource_id, f"{key}/governance"), properties)

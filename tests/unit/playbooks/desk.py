"""Incidents as the SDK's client shows them, in memory: where the tests of incidents and of closing work."""

import copy
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from azure.core.exceptions import ResourceExistsError
from azure.mgmt.securityinsight.models import Entity, Incident

from apiward_core.arm_id import ArmId

WORKSPACE = ArmId.parse(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
    "/providers/Microsoft.OperationalInsights/workspaces/law"
)
RULES = f"{WORKSPACE}/providers/Microsoft.SecurityInsights/alertRules"
OURS, FOREIGN = f"{RULES}/AAAA", f"{RULES}/bbbb"
KEY = "741b141d-8111-4d86-a4e0-f74b06270a74"
SERVICE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop"
DETAILS = {
    "RecommendationKey": [KEY],
    "ServiceId": [SERVICE],
    "WindowStart": ["2026-11-23T09:00:00.0000000Z"],
    "WindowEnd": ["2026-11-23T10:00:00.0000000Z"],
}
Edit = Callable[[Incident], None]


def received(model: Any, document: Any) -> Any:
    """What the SDK makes of a document that the service sent; its own function has no types."""
    return model.deserialize(document)


class Desk:
    """The incidents of a workspace behind the two operation groups of the SDK's client that are used.

    Before each PUT the next of `edits` is made by somebody else, which makes the PUT's etag stale.
    """

    def __init__(self) -> None:
        self.stored: dict[str, Incident] = {}
        self.alerts: list[Entity] = []
        self.comments: dict[str, str] = {}
        self.edits: list[Edit] = []
        self.puts = 0
        self.incidents = self
        self.incident_comments = SimpleNamespace(list=self._list_comments, create_or_update=self._comment)

    def add(self, name: str, *, rules: list[str], number: int = 1, **properties: Any) -> None:
        body = {"title": "t", "severity": "High", "status": "New", "incidentNumber": number, **properties}
        document = {"name": name, "etag": "0", "properties": {**body, "relatedAnalyticRuleIds": rules}}
        self.stored[name] = received(Incident, document)

    def edit(self, name: str, change: Edit) -> None:
        change(self.stored[name])
        self._touch(name)

    def list(self, group: str, workspace: str, filter: str | None, order: str) -> list[Incident]:  # noqa: A002 - the SDK's own name
        assert (group, workspace, order) == ("rg", "law", "properties/createdTimeUtc asc")
        everything = [copy.deepcopy(incident) for incident in self.stored.values()]
        return everything if filter is None else [incident for incident in everything if incident.status != "Closed"]

    def get(self, group: str, workspace: str, name: str) -> Incident:
        del group, workspace
        return copy.deepcopy(self.stored[name])

    def list_alerts(self, group: str, workspace: str, name: str) -> Any:
        del group, workspace, name
        return SimpleNamespace(value=self.alerts)

    def create_or_update(self, group: str, workspace: str, name: str, incident: Incident) -> None:
        del group, workspace
        self.puts += 1
        if self.edits:
            self.edit(name, self.edits.pop(0))
        if incident.etag != self.stored[name].etag:
            raise ResourceExistsError(response=cast("Any", SimpleNamespace(status_code=409, reason="Conflict")))
        self.stored[name] = copy.deepcopy(incident)
        self._touch(name)

    def _touch(self, name: str) -> None:
        self.stored[name].etag = str(int(self.stored[name].etag or 0) + 1)

    def _list_comments(self, *_: str) -> Any:
        return [SimpleNamespace(name=name, message=message) for name, message in self.comments.items()]

    def _comment(self, group: str, workspace: str, incident: str, name: str, body: Any) -> None:
        del group, workspace, incident
        self.comments[name] = body.message


def alert(*, kind: str = "SecurityAlert", rules: list[str] | None = None, details: Any = DETAILS) -> Any:
    """An alert of one of our rules, as the service lists it."""
    extra = {"Analytic Rule Ids": json.dumps([OURS] if rules is None else rules), "Custom Details": json.dumps(details)}
    return received(Entity, {"kind": kind, "id": "a", "properties": {"additionalData": extra}})

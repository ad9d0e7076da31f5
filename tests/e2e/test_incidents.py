"""Incidents in a workspace where people work, too: their edits stay, and what they fix by hand is closed as theirs."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.mgmt.apimanagement.models import ApiUpdateContract
from azure.mgmt.securityinsight.models import IncidentLabel, IncidentOwnerInfo

from apiward_core.arm_id import ArmId
from apiward_playbooks.findings import FindingState
from apiward_playbooks.incidents import IncidentSummary
from tests.contract.recording import RecordingTransport, Request
from tests.e2e.conftest import Raised

AN_HOUR = timedelta(minutes=65)  # how often the lab's Defender looks
ANALYST = IncidentOwnerInfo(assigned_to="Ana Silva", email="ana.silva@contoso.example")


@dataclass(frozen=True)
class Case:
    """An open incident and its findings."""

    incident: IncidentSummary
    findings: tuple[FindingState, ...]


def open_case(raised: Raised, findings: int) -> Case:
    """An incident that has so many findings, all of them open."""
    with raised.demo.app("playbooks") as opened:
        for incident in opened.incidents().open():
            _, found = opened.playbooks().findings_of(incident.number)
            if len(found) == findings and {finding.state for finding in found} == {"Unhealthy"}:
                return Case(incident, found)
    raise LookupError(f"no incident has {findings} open findings")


def fix_by_hand(raised: Raised, finding: FindingState) -> None:
    """The admin leaves an API its encrypted protocol only, as somebody does in the portal."""
    resource = ArmId.parse(finding.resource_id)
    service, api = resource.names
    with raised.demo.app("admin") as admin:
        operations = admin.clients.api_management(resource.subscription_id).api
        found: Any = operations.get(resource.resource_group, service, api)
        encrypted = "wss" if found.api_type == "websocket" else "https"
        operations.update(resource.resource_group, service, api, "*", ApiUpdateContract(protocols=[encrypted]))


def seen_by_defender(raised: Raised) -> None:
    """Defender looks again, and the connector brings in what it says."""
    raised.lab.clock.advance(AN_HOUR)
    raised.demo.ingest("")


def reconcile(raised: Raised) -> dict[int, Any]:
    """What `apiward incidents reconcile` says of each open incident, by number."""
    done = raised.command("playbooks", "incidents", "reconcile", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return {entry["number"]: entry for entry in json.loads(done.stdout)["incidents"]}


def read(raised: Raised, case: Case) -> Any:
    """The incident as the service has it, and untyped: its model says "maybe None" of everything."""
    workspace = raised.lab.workspace
    with raised.demo.app("admin") as admin:
        client = admin.clients.sentinel(workspace.subscription_id)
        return client.incidents.get(workspace.group, workspace.name, case.incident.name)


def comments(raised: Raised, case: Case) -> list[str]:
    """What was said on the incident."""
    workspace = raised.lab.workspace
    with raised.demo.app("admin") as admin:
        client: Any = admin.clients.sentinel(workspace.subscription_id)
        found = client.incident_comments.list(workspace.group, workspace.name, case.incident.name)
        return [comment.message for comment in found]


def take_over(raised: Raised, case: Case) -> None:
    """An analyst takes the incident, labels it, renames it and lowers its severity."""
    workspace = raised.lab.workspace
    incident = read(raised, case)
    incident.owner, incident.labels = ANALYST, [IncidentLabel(label_name="case-17")]
    incident.title, incident.severity, incident.status = "Orders: plain http", "Low", "Active"
    with raised.demo.app("admin") as admin:
        client = admin.clients.sentinel(workspace.subscription_id)
        client.incidents.create_or_update(workspace.group, workspace.name, case.incident.name, incident)


class Interrupted(RecordingTransport):
    """A transport that lets somebody else do something before the first request that changes an incident."""

    def __init__(self, inner: RequestsTransport, interrupt: Callable[[], None]) -> None:
        super().__init__(inner)
        self._interrupt: Callable[[], None] | None = interrupt

    def send(self, request: Request, **kwargs: Any) -> Any:
        if self._interrupt is not None and changes_incident(request.method, request.url):
            interrupt, self._interrupt = self._interrupt, None
            interrupt()
        return super().send(request, **kwargs)


def changes_incident(method: str, url: str) -> bool:
    return method == "PUT" and url.partition("?")[0].rpartition("/")[0].endswith("/incidents")


def test_an_incident_closes_when_its_last_finding_is_fixed_by_hand(raised: Raised) -> None:
    case = open_case(raised, 2)
    fix_by_hand(raised, case.findings[0])
    seen_by_defender(raised)
    first = reconcile(raised)[case.incident.number]
    assert (first["closed"], first["how"]) == (False, "still open: 1 of 2 findings")
    assert (read(raised, case).status, comments(raised, case)) == ("New", [])

    fix_by_hand(raised, case.findings[1])
    seen_by_defender(raised)
    assert reconcile(raised)[case.incident.number]["closed"]
    closed = read(raised, case)
    assert (closed.status, closed.classification_comment) == ("Closed", "2 findings: 2 Healthy by Defender")
    [comment] = comments(raised, case)
    assert comment.count("fixed without a run of apiward") == 2
    assert [finding for finding in case.findings if finding.resource_id not in comment] == []

    assert case.incident.number not in reconcile(raised)
    assert (read(raised, case).etag, len(comments(raised, case))) == (closed.etag, 1)


def test_what_an_analyst_edits_while_we_close_stays(raised: Raised) -> None:
    case = open_case(raised, 1)
    fix_by_hand(raised, case.findings[0])
    seen_by_defender(raised)
    with requests.Session() as session:
        inner = RequestsTransport(session=session, session_owner=False, connection_verify=str(raised.lab.ca_bundle))
        transport = Interrupted(inner, lambda: take_over(raised, case))
        with replace(raised.demo, transport=transport).app("playbooks") as opened:
            opened.playbooks().reconcile()
    assert [sent.status for sent in transport.exchanges if changes_incident(sent.method, sent.url)] == [409, 200]
    closed = read(raised, case)
    assert (closed.status, closed.classification) == ("Closed", "TruePositive")
    assert (closed.title, closed.severity) == ("Orders: plain http", "Low")
    assert (closed.owner.email, closed.owner.assigned_to) == (ANALYST.email, ANALYST.assigned_to)
    assert [label.label_name for label in closed.labels] == ["case-17"]

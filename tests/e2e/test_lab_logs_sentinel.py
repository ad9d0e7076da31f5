"""The real Azure SDK clients against Log Analytics, Logs Ingestion, the query API and Sentinel of the lab."""

import json
import uuid
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import Incident, IncidentComment, ScheduledAlertRule
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import LogsQueryClient, LogsQueryResult, LogsQueryStatus

from apiward_lab.lab import Lab
from apiward_lab.rbac import built_in
from tests.lab_credential import credential_of

ARM = "https://management.azure.com/.default"
PUBLISHER = "Monitoring Metrics Publisher"
COLUMNS = {
    "TimeGenerated": "datetime",
    "Finding": "string",
    "Service": "string",
    "Severity": "string",
    "Number": "long",
    "Tags": "dynamic",
}
GROUPING = {
    "enabled": True,
    "reopenClosedIncident": False,
    "lookbackDuration": "P1D",
    "matchingMethod": "AllEntities",
}
SERVICES = [f"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop{n}" for n in range(4)]


@dataclass(frozen=True)
class Desk:
    """A lab, and the clients that the tests work with."""

    lab: Lab

    def credential(self, name: str) -> ClientSecretCredential:
        return credential_of(self.lab, name)

    @property
    def settings(self) -> dict[str, Any]:
        return {"connection_verify": str(self.lab.ca_bundle), "retry_total": 0}

    def arm(self, method: str, path: str, body: Any = None, *, version: str, name: str = "admin") -> requests.Response:
        url = path if path.startswith("https://") else f"{self.lab.base_url}{path}?api-version={version}"
        token = self.credential(name).get_token(ARM).token
        return requests.request(
            method,
            url,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            verify=str(self.lab.ca_bundle),
            timeout=30,
        )

    def deploy(self) -> Any:
        """The table Findings_CL, a Direct rule that feeds it, and the connector's right to send. Returns the rule."""
        workspace = self.lab.workspace.resource_id
        columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
        schema = {"name": "Findings_CL", "columns": columns}
        accepted = self.arm(
            "PUT", f"{workspace}/tables/Findings_CL", {"properties": {"schema": schema}}, version="2023-09-01"
        )
        assert accepted.status_code == 202
        status = self.arm("GET", accepted.headers["Azure-AsyncOperation"], version="")
        assert status.json()["status"] == "Succeeded"
        group = workspace.split("/providers/")[0]
        rule_id = f"{group}/providers/Microsoft.Insights/dataCollectionRules/dcr-findings"
        created = self.arm("PUT", rule_id, direct_rule(workspace, columns), version="2023-03-11")
        assert created.status_code == 201, created.text
        self.grant_publisher(rule_id)
        return created.json()

    def grant_publisher(self, rule_id: str) -> None:
        group = "/".join(rule_id.split("/")[:3])
        role = f"{group}/providers/Microsoft.Authorization/roleDefinitions/{built_in(PUBLISHER).role_id}"
        properties = {"roleDefinitionId": role, "principalId": self.lab.applications["connector"].object_id}
        path = f"{rule_id}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        reply = self.arm("PUT", path, {"properties": properties}, version="2022-04-01")
        assert reply.status_code == 201, reply.text
        self.lab.clock.advance(timedelta(minutes=6))

    def ingestion(self, rule: Any, name: str = "connector") -> LogsIngestionClient:
        return LogsIngestionClient(
            rule["properties"]["endpoints"]["logsIngestion"],
            self.credential(name),
            credential_scopes=["https://monitor.azure.com/.default"],
            **self.settings,
        )

    def upload(self, rule: Any, rows: list[MutableMapping[str, Any]]) -> None:
        self.ingestion(rule).upload(rule["properties"]["immutableId"], "Custom-Findings", rows)

    def query(self, kql: str, timespan: timedelta | None = None, name: str = "playbooks") -> list[list[Any]]:
        client = LogsQueryClient(
            self.credential(name),
            endpoint=f"{self.lab.base_url}/v1",
            audience="https://api.loganalytics.io",
            **self.settings,
        )
        result = client.query_workspace(self.lab.workspace.customer_id, kql, timespan=timespan)
        assert isinstance(result, LogsQueryResult)
        assert result.status == LogsQueryStatus.SUCCESS
        return [list(row) for row in result.tables[0].rows]

    def sentinel(self, name: str = "admin") -> Any:
        """The client, untyped: its models say "maybe None" of everything."""
        return SecurityInsights(
            self.credential(name),
            self.lab.workspace.subscription_id,
            base_url=self.lab.base_url,
            credential_scopes=[ARM],
            **self.settings,
        )

    @property
    def place(self) -> tuple[str, str]:
        """Resource group and name of the workspace."""
        return self.lab.workspace.group, self.lab.workspace.name


def direct_rule(workspace: str, columns: list[dict[str, str]]) -> dict[str, Any]:
    flow = {
        "streams": ["Custom-Findings"],
        "destinations": ["workspace"],
        "transformKql": "source",
        "outputStream": "Custom-Findings_CL",
    }
    return {
        "location": "westeurope",
        "kind": "Direct",
        "properties": {
            "streamDeclarations": {"Custom-Findings": {"columns": columns}},
            "destinations": {"logAnalytics": [{"workspaceResourceId": workspace, "name": "workspace"}]},
            "dataFlows": [flow],
        },
    }


def findings(desk: Desk, count: int, *, severity: str = "High") -> list[MutableMapping[str, Any]]:
    now = desk.lab.clock.now().isoformat()
    return [
        {
            "TimeGenerated": now,
            "Finding": f"finding-{number}",
            "Service": SERVICES[number % len(SERVICES)],
            "Severity": severity,
            "Number": number,
            "Tags": {"number": number},
        }
        for number in range(count)
    ]


def severity_rule(**changes: Any) -> ScheduledAlertRule:
    return ScheduledAlertRule(
        display_name="Findings by service",
        enabled=True,
        severity="Medium",
        query=(
            "Recent() | where ingestion_time() > ago(1h) and ingestion_time() <= now() "
            "| summarize Findings = count() by Service, Severity"
        ),
        query_frequency=timedelta(hours=1),
        query_period=timedelta(hours=47),
        trigger_operator="GreaterThan",
        trigger_threshold=0,
        suppression_enabled=False,
        suppression_duration=timedelta(hours=1),
        event_grouping_settings={"aggregationKind": "AlertPerResult"},
        custom_details={"Findings": "Findings"},
        alert_details_override={"alertSeverityColumnName": "Severity"},
        entity_mappings=[
            {"entityType": "AzureResource", "fieldMappings": [{"identifier": "ResourceId", "columnName": "Service"}]}
        ],
        incident_configuration={"createIncident": True, "groupingConfiguration": GROUPING},
        **changes,
    )


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Lab.start() as lab:
        yield Desk(lab)


def save_function(desk: Desk, etag: str | None = None) -> requests.Response:
    properties = {"category": "c", "displayName": "Recent", "query": "Findings_CL", "functionAlias": "Recent"}
    body = {"properties": properties} | ({"etag": etag} if etag else {})
    path = f"{desk.lab.workspace.resource_id}/savedSearches/recent"
    return desk.arm("PUT", path, body, version="2023-09-01")


def test_two_thousand_rows_arrive_and_are_found_again(desk: Desk) -> None:
    rule = desk.deploy()
    desk.upload(rule, findings(desk, 2000))
    assert desk.query("Findings_CL | summarize count(), sum(Number), dcount(Service)") == [[2000, 1999000, 4]]
    assert desk.query("Findings_CL | where Number == 7 | project Tags.number, Finding") == [["7", "finding-7"]]
    desk.lab.clock.advance(timedelta(hours=2))
    assert desk.query("Findings_CL | count", timedelta(hours=1)) == [[0]]
    assert desk.query("Findings_CL | count", timedelta(hours=3)) == [[2000]]


def test_a_moment_comes_back_as_it_was_sent(desk: Desk) -> None:
    rule = desk.deploy()
    sent = desk.lab.clock.now()
    desk.upload(rule, [{"TimeGenerated": sent.isoformat(), "Finding": "a"}])
    assert desk.query("Findings_CL | project TimeGenerated") == [[sent]]


def test_who_has_no_right_to_send_or_query_is_refused(desk: Desk) -> None:
    rule = desk.deploy()
    with pytest.raises(HttpResponseError) as refused:
        desk.ingestion(rule, "operator").upload(rule["properties"]["immutableId"], "Custom-Findings", [{}])
    assert refused.value.status_code == 403
    with pytest.raises(HttpResponseError) as unread:
        desk.query("print 1", name="stranger")
    assert unread.value.status_code == 403


def test_unknown_rules_streams_and_tables_are_named_in_the_error(desk: Desk) -> None:
    rule = desk.deploy()
    client = desk.ingestion(rule)
    with pytest.raises(ResourceNotFoundError, match="dcr-00000000"):
        client.upload("dcr-00000000000000000000000000000000", "Custom-Findings", [{}])
    with pytest.raises(HttpResponseError, match="Custom-Nope"):
        client.upload(rule["properties"]["immutableId"], "Custom-Nope", [{}])
    with pytest.raises(HttpResponseError, match="BadArgumentError"):
        desk.query("Nope_CL")


def test_a_function_is_replaced_only_with_its_etag(desk: Desk) -> None:
    desk.deploy()
    created = save_function(desk)
    assert created.status_code == 200
    assert save_function(desk).status_code == 409
    assert save_function(desk, created.json()["etag"]).status_code == 200
    assert desk.query("Recent() | count") == [[0]]


def test_a_rule_raises_one_incident_per_service_which_is_worked_and_closed(desk: Desk) -> None:
    rule = desk.deploy()
    save_function(desk)
    client = desk.sentinel()
    created = client.alert_rules.create_or_update(*desk.place, "by-service", severity_rule())
    assert created.query_period == timedelta(hours=47)
    desk.upload(rule, findings(desk, 8))
    desk.lab.clock.advance(timedelta(hours=1, minutes=6))
    incidents = list(client.incidents.list(*desk.place, filter="properties/status eq 'New'"))
    assert [(i.title, i.severity, i.additional_data.alerts_count) for i in incidents] == [
        ("Findings by service", "High", 1)
    ] * 4
    assert {i.related_analytic_rule_ids[0].rsplit("/", 1)[-1] for i in incidents} == {"by-service"}
    desk.lab.clock.advance(timedelta(hours=3))
    assert len(list(client.incidents.list(*desk.place))) == 4
    entities = client.incidents.list_entities(*desk.place, incidents[0].name)
    assert entities.entities[0].resource_id in SERVICES
    alert = client.incidents.list_alerts(*desk.place, incidents[0].name).value[0]
    assert json.loads(alert.additional_data["Custom Details"]) == {"Findings": ["2"]}
    work_and_close(desk, desk.sentinel("playbooks"), incidents[0])


def work_and_close(desk: Desk, client: Any, incident: Any) -> None:
    comment = IncidentComment(message="fixed")
    for _ in range(2):
        client.incident_comments.create_or_update(*desk.place, incident.name, "c-1", comment)
    assert [c.message for c in client.incident_comments.list(*desk.place, incident.name)] == ["fixed"]
    fresh = client.incidents.get(*desk.place, incident.name)
    closing = Incident(
        etag=fresh.etag,
        title=fresh.title,
        severity=fresh.severity,
        status="Closed",
        classification="TruePositive",
        classification_reason="SuspiciousActivity",
    )
    closed = client.incidents.create_or_update(*desk.place, incident.name, closing)
    assert (closed.status, closed.additional_data.comments_count) == ("Closed", 1)
    with pytest.raises(HttpResponseError) as stale:
        client.incidents.create_or_update(*desk.place, incident.name, closing)
    assert stale.value.status_code == 409
    [[status, reason]] = desk.query(
        f"SecurityIncident | where IncidentName == '{incident.name}' and Status == 'Closed' "
        "| project Status, ClassificationReason"
    )
    assert (status, reason) == ("Closed", "SuspiciousActivity")

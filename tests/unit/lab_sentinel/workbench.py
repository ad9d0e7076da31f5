"""Sentinel on a workspace with the table Facts_CL, and the calls that tests make most."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from apiward_lab.sentinel import Sentinel
from tests.unit.lab_logs.direct import WORKSPACE, Answer, Direct, Logs

BASE = f"{WORKSPACE.resource_id}/providers/Microsoft.SecurityInsights"
COLUMNS = {"TimeGenerated": "datetime", "Name": "string", "Service": "string", "Severity": "string", "Count": "long"}
DELAY = timedelta(minutes=5)


def rule_properties(**changes: Any) -> dict[str, Any]:
    """The properties of a rule that raises one alert per row of the last hour, each in an incident of its own."""
    return {
        "displayName": "Facts seen",
        "description": "Rows arrived",
        "severity": "High",
        "enabled": True,
        "query": "Facts_CL | where ingestion_time() > ago(1h)",
        "queryFrequency": "PT1H",
        "queryPeriod": "P1D",
        "triggerOperator": "GreaterThan",
        "triggerThreshold": 0,
        "suppressionEnabled": False,
        "suppressionDuration": "PT1H",
        "tactics": ["Discovery"],
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "entityMappings": [
            {"entityType": "AzureResource", "fieldMappings": [{"identifier": "ResourceId", "columnName": "Service"}]}
        ],
        "customDetails": {"Name": "Name"},
        **changes,
    }


def grouping(method: str, **changes: Any) -> dict[str, Any]:
    """An incidentConfiguration that groups."""
    configuration = {
        "enabled": True,
        "reopenClosedIncident": False,
        "lookbackDuration": "P1D",
        "matchingMethod": method,
        **changes,
    }
    return {"createIncident": True, "groupingConfiguration": configuration}


class Workbench:
    """A Log Analytics service and Sentinel on the same standing clock."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.clock = self.logs.clock
        self.sentinel = Sentinel(self.clock, self.logs.service)
        self.direct = Direct(self.sentinel.routes)
        self.logs.put_table("Facts_CL", COLUMNS)
        self.logs.put_rule(COLUMNS)

    def send(self, method: str, path: str, body: Any = None, version: str = "2021-10-01", **query: str) -> Answer:
        """One call below Microsoft.SecurityInsights."""
        more = "".join(f"&{key}={quote(value)}" for key, value in query.items())
        return self.direct.send(method, f"{BASE}/{path}?api-version={version}{more}", body)

    def put_rule(self, name: str = "rule", **changes: Any) -> Answer:
        """Create a Scheduled rule."""
        return self.send("PUT", f"alertRules/{name}", {"kind": "Scheduled", "properties": rule_properties(**changes)})

    def upload(self, *rows: Mapping[str, Any]) -> None:
        """Send rows that carry the virtual time."""
        now = self.clock.now().isoformat()
        assert self.logs.upload([{"TimeGenerated": now, **row} for row in rows]).status == 204

    def incidents(self, **query: str) -> list[Any]:
        """The properties of all incidents, oldest first."""
        found = self.send("GET", "incidents", version="2024-03-01", **{"$top": "1000"}, **query).body["value"]
        return [incident["properties"] for incident in reversed(found)]

    def pass_hour(self) -> None:
        """Move to the next run of an hourly rule."""
        self.clock.advance(timedelta(hours=1))

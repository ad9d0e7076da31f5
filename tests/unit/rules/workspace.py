"""Our tables and functions in the local KQL engine, and rows as the connector writes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apiward.local_kql import LocalKql
from apiward_core.kql_engine import Arrival, Row
from apiward_core.tables import RECOMMENDATIONS, all_tables
from apiward_lab.loganalytics import Workspace
from apiward_rules.functions import function_schemas

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SEED = Workspace(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-security"
    "/providers/Microsoft.OperationalInsights/workspaces/law",
    "22222222-2222-2222-2222-222222222222",
    "westeurope",
)
KEY = "741b141d-8111-4d86-a4e0-f74b06270a74"


def service_id(name: str) -> str:
    """The id of an API Management service, as the connector writes it."""
    return (
        f"/subscriptions/{SEED.subscription_id}/resourcegroups/rg-api/providers/microsoft.apimanagement/service/{name}"
    )


def row(finding: str = "f1", *, service: str = "contoso", **changes: Any) -> dict[str, Any]:
    """A row of a finding that is new and unhealthy. Rows are one record when finding, revision and change are."""
    facts = {
        "FindingId": finding,
        "Revision": 1,
        "ChangeType": "New",
        "FirstSeen": (NOW - 7 * 24 * HOUR).isoformat(),
        "RecommendationKey": KEY,
        "Recommendation": "apim-encrypted-protocols",
        "RecommendationName": "API Management APIs should use only encrypted protocols",
        "Severity": "High",
        "State": "Unhealthy",
        "PreviousState": "",
        "PreviousSeverity": "",
        "ServiceId": service_id(service),
        "ApimService": service,
        **changes,
    }
    return {"RecordId": f"{facts['FindingId']}/{facts['Revision']}/{facts['ChangeType']}", **facts}


class Rows:
    """Rows of our tables, and queries over them with our functions."""

    def __init__(self) -> None:
        self._engine = LocalKql(all_tables(), function_schemas())
        self._arrivals: list[Arrival] = []

    def send(
        self,
        *rows: Mapping[str, Any],
        table: str = RECOMMENDATIONS,
        observed: datetime = NOW,
        arrived: datetime | None = None,
    ) -> None:
        """Rows that the connector observed at one time and that arrived at another (the same unless said)."""
        stamped = [{"TimeGenerated": observed.isoformat(), **row} for row in rows]
        self._arrivals.append(Arrival(table, stamped, arrived or observed))

    def query(self, kql: str, *, now: datetime = NOW, period: timedelta | None = None) -> list[Row]:
        """The rows of a query at `now`, over `period` before it."""
        return self._engine.query(kql, self._arrivals, now=now, period=period)

"""The lab's workspace with our table and functions, and rows as the connector writes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apiward_core.tables import RECOMMENDATIONS, all_tables
from apiward_lab.loganalytics import Workspace
from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.saved_searches import parse_saved_search
from apiward_lab.loganalytics.schema import Table
from apiward_lab.loganalytics.timespans import Window
from apiward_rules.arm import function_properties
from apiward_rules.functions import load_functions

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


def recommendations_table() -> Table:
    """Our table as the lab has it."""
    table = all_tables()[RECOMMENDATIONS]
    return Table(table.name, tuple(Column(column.name, column.type) for column in table.columns))


class Rows:
    """A workspace to send rows to and run queries on."""

    def __init__(self) -> None:
        self._model = WorkspaceModel(SEED)
        self._table = recommendations_table()
        self._model.put_table(self._table)
        for alias, function in load_functions().items():
            body = {"properties": function_properties(function)}
            self._model.put_search(parse_saved_search(alias, body, "etag", None))

    def send(self, *rows: Mapping[str, Any], observed: datetime = NOW, arrived: datetime | None = None) -> None:
        """Rows that the connector observed at one time and that arrived at another (the same unless said)."""
        stamped = [{"TimeGenerated": observed.isoformat(), **row} for row in rows]
        self._model.insert(self._table, stamped, arrived or observed)

    def query(self, kql: str, *, now: datetime = NOW, period: timedelta | None = None) -> list[dict[str, Any]]:
        """The rows of a query at `now`, over `period` before it."""
        window = Window(now - period, now) if period else None
        return self._model.query(kql, now=now, window=window).records()

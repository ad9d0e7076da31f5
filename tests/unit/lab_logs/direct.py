"""Calls a service of the lab without a server: the same routes, no token."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics import LogAnalytics, Workspace
from apiward_lab.loganalytics.quota import Quota
from apiward_lab.routing import Router
from apiward_lab.web import Call, Principal, Problem, Route

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-security"
WORKSPACE = Workspace(
    f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/law-test",
    "22222222-2222-2222-2222-222222222222",
    "westeurope",
)
RULE = f"{GROUP}/providers/Microsoft.Insights/dataCollectionRules/dcr-test"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CALLER = Principal("33333333-3333-3333-3333-333333333333", "44444444-4444-4444-4444-444444444444", "tenant", "arm")
BASE_URL = "https://lab.test"


class StandingClock(VirtualClock):
    """A virtual clock whose real time stands still."""

    def now(self) -> datetime:
        """START plus how far the clock was moved."""
        return START + self.offset

    def advance(self, by: timedelta) -> datetime:
        """Move in one step, so that whoever is behind has to catch up."""
        self._offset += by
        return self.tick()


@dataclass(frozen=True)
class Answer:
    """What a service answered."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Direct:
    """Sends calls to routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._router = Router(routes)

    def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One call; `url` may hold a query. Problems come back as replies."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        try:
            match = self._router.find(method, parts.path, query.get("api-version"))
            assert match is not None, f"no route for {method} {parts.path}"
            content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
            reply = match.route.handler(
                Call(method, parts.path, match.params, query, dict(headers or {}), content, BASE_URL, CALLER)
            )
        except Problem as problem:
            reply = problem.reply()
        return Answer(reply.status, reply.body, reply.headers)


class Logs:
    """A Log Analytics service with one workspace, and the calls that tests make most."""

    def __init__(self, quota: Callable[[], Quota] = Quota) -> None:
        self.clock = StandingClock()
        self.service = LogAnalytics(self.clock, [WORKSPACE], base_url=lambda: BASE_URL, quota=quota)
        self.direct = Direct(self.service.routes)

    def put_table(self, name: str, columns: Mapping[str, str]) -> Answer:
        """Create or extend a table."""
        schema = {"name": name, "columns": [{"name": key, "type": kind} for key, kind in columns.items()]}
        return self.direct.send("PUT", self.table_url(name), {"properties": {"schema": schema}})

    @staticmethod
    def table_url(name: str) -> str:
        """The address of a table."""
        return f"{WORKSPACE.resource_id}/tables/{name}?api-version=2023-09-01"

    def put_rule(self, columns: Mapping[str, str], *, table: str = "Facts_CL", transform: str = "source") -> Answer:
        """Create a Direct rule with the one stream Custom-Facts."""
        return self.direct.send("PUT", f"{RULE}?api-version=2023-03-11", rule_body(columns, table, transform))

    def upload(self, rows: Any, *, stream: str = "Custom-Facts", zipped: bool = False) -> Answer:
        """Send rows through the rule."""
        rule = self.direct.send("GET", f"{RULE}?api-version=2023-03-11").body
        content = json.dumps(rows).encode()
        return self.direct.send(
            "POST",
            f"/dataCollectionRules/{rule['properties']['immutableId']}/streams/{stream}?api-version=2023-01-01",
            raw=gzip.compress(content) if zipped else content,
            headers={"content-encoding": "gzip"} if zipped else {},
        )

    def query(self, kql: str, timespan: str | None = None) -> Answer:
        """Run a query."""
        return self.direct.send(
            "POST", f"/v1/workspaces/{WORKSPACE.customer_id}/query", {"query": kql, "timespan": timespan}
        )

    def rows(self, kql: str, timespan: str | None = None) -> list[list[Any]]:
        """The rows of a query that must succeed."""
        reply = self.query(kql, timespan)
        assert reply.status == 200, reply.body
        return [list(row) for row in reply.body["tables"][0]["rows"]]


def rule_body(columns: Mapping[str, str], table: str = "Facts_CL", transform: str = "source") -> dict[str, Any]:
    """A Direct data collection rule."""
    return {
        "location": "westeurope",
        "kind": "Direct",
        "properties": {
            "streamDeclarations": {
                "Custom-Facts": {"columns": [{"name": name, "type": kind} for name, kind in columns.items()]}
            },
            "destinations": {"logAnalytics": [{"workspaceResourceId": WORKSPACE.resource_id, "name": "workspace"}]},
            "dataFlows": [
                {
                    "streams": ["Custom-Facts"],
                    "destinations": ["workspace"],
                    "transformKql": transform,
                    "outputStream": f"Custom-{table}",
                }
            ],
        },
    }

"""The query API (Log Analytics data plane, v1)."""

import json
import uuid
from datetime import datetime
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.kql_render import visualization
from apiward_lab.loganalytics.kql_run import Result
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.problems import DetailedProblem
from apiward_lab.loganalytics.registry import Registry
from apiward_lab.loganalytics.timespans import Window, parse_timespan
from apiward_lab.web import Call, Json, Reply

MAX_ROWS = 500_000
MAX_BYTES = 64_000_000
"""Of one answer (Azure Monitor service limits, Log Analytics query API)."""


class QueryApi:
    """Handlers for queries; they take no lock of the lab."""

    def __init__(
        self, clock: VirtualClock, registry: Registry, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._clock = clock
        self._registry = registry
        self._max_rows = max_rows
        self._max_bytes = max_bytes

    def scope(self, call: Call) -> str:
        """The ARM id at which the caller needs the right to query."""
        return self._workspace(call).seed.resource_id

    def query(self, call: Call) -> Reply:
        """Run one query. 200 with an `error` beside the tables when a limit cut the rows."""
        request = dict(call.query) if call.method == "GET" else _body(call)
        kql = request.get("query")
        if not isinstance(kql, str):
            raise _bad("The request is missing the query.")
        now = self._clock.now()
        try:
            result = self._workspace(call).query(
                kql, now=now, window=_window(request.get("timespan"), now), max_rows=self._max_rows
            )
        except QueryError as error:
            problem = error.problem()
            problem.more["correlationId"] = str(uuid.uuid4())
            raise problem from error
        preferred = call.headers.get("prefer", "")
        answer = self._answer(result, statistics="include-statistics" in preferred)
        if "include-render" in preferred:
            answer["render"] = visualization(kql)
        return Reply(body=answer)

    def _workspace(self, call: Call) -> WorkspaceModel:
        return self._registry.by_customer(call) if "customer" in call.params else self._registry.of_call(call)

    def _answer(self, result: Result, *, statistics: bool) -> Json:
        rows, complete_size = _within(result.rows, self._max_bytes)
        answer: dict[str, Any] = {
            "tables": [
                {
                    "name": "PrimaryResult",
                    "columns": [{"name": column.name, "type": column.type} for column in result.columns],
                    "rows": rows,
                }
            ]
        }
        if not result.complete:
            answer["error"] = _partial(f"{self._max_rows} records", "80DA0003")
        elif not complete_size:
            answer["error"] = _partial(f"{self._max_bytes} bytes", "80DA0003")
        if statistics:
            answer["statistics"] = {
                "query": {"executionTime": 0.0, "datasetStatistics": [{"tableRowCount": len(rows)}]}
            }
        return answer


def _body(call: Call) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise _bad("The request body must be an object.")
    return body


def _window(timespan: Any, now: datetime) -> Window:
    try:
        return parse_timespan(timespan, now)
    except (ValueError, AttributeError) as error:
        raise _bad(f"The timespan is invalid: {error}") from error


def _bad(message: str) -> DetailedProblem:
    return DetailedProblem(400, "BadArgumentError", message, correlationId=str(uuid.uuid4()))


def _within(rows: tuple[tuple[Any, ...], ...], limit: int) -> tuple[list[tuple[Any, ...]], bool]:
    kept: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        size += len(json.dumps(row))
        if size > limit:
            return kept, False
        kept.append(row)
    return kept, True


def _partial(limit: str, hresult: str) -> Json:
    message = f"The results of this query exceed the set limit of {limit} (E_QUERY_RESULT_SET_TOO_LARGE; 0x{hresult})."
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {
                    "code": "-2133196797",
                    "message": message,
                    "severity": 2,
                    "severityName": "Error",
                },
            }
        ],
    }

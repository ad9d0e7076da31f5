"""Queries against the workspace, with partial answers never taken for whole ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult, LogsTable

from apiward_core.errors import IncompleteError, MissingError, RejectedDataError, azure_errors

Row = Mapping[str, Any]
TimeSpan = timedelta | tuple[datetime, datetime]


class LogReader(Protocol):
    """Runs KQL and returns rows. The workspace is one; so is whatever else can answer KQL."""

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        """The rows of the query's first table; `timespan` limits TimeGenerated of every table."""
        ...


class WorkspaceLogs:
    """The Log Analytics workspace as a LogReader (Log Analytics query API v1)."""

    def __init__(self, client: LogsQueryClient, *, workspace_customer_id: str) -> None:
        self._client = client
        self._workspace = workspace_customer_id

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        """The rows of the query's first table.

        Raises IncompleteError when the service cut the answer (500,000 rows, 64 MB or time), and the other errors of
        `apiward_core.errors`.
        """
        try:
            with azure_errors(f"querying workspace {self._workspace}"):
                result = self._client.query_workspace(self._workspace, kql, timespan=timespan)
        except MissingError:
            raise
        except RejectedDataError as error:
            raise RejectedDataError(
                error.message,
                remedy="If a function or table is missing: apiward infra deploy, then apiward content apply.",
            ) from error
        if isinstance(result, LogsQueryPartialResult):
            raise IncompleteError(
                f"Workspace {self._workspace} answered only in part: {result.partial_error}.",
                remedy="Narrow the time span or the query.",
            )
        return _rows(result.tables[0]) if result.tables else []


def _rows(table: LogsTable) -> list[Row]:
    columns: Sequence[str] = table.columns
    return [dict(zip(columns, row, strict=True)) for row in table.rows]

"""Queries against the workspace, with partial answers never taken for whole ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult, LogsTable

from apiward_core.errors import IncompleteError, MissingError, RejectedDataError, TransientError, azure_errors

Row = Mapping[str, Any]
TimeSpan = timedelta | tuple[datetime, datetime]

CURRENT_WINDOW = timedelta(days=3)
"""How far back to look for what is current: a daily Snapshot row keeps each finding inside it."""

LOOKS_BACK = timedelta(days=90)
"""How far back to look for anything: Sentinel keeps rows that long at no charge."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query. `missing` says why there would have been more; it is empty when the answer is whole."""

    rows: list[Row]
    missing: str = ""


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
        answer = self.read(kql, timespan=timespan)
        if answer.missing:
            raise IncompleteError(
                f"Workspace {self._workspace} answered only in part: {answer.missing}.",
                remedy="Narrow the time span or the query.",
            )
        return answer.rows

    def read(self, kql: str, *, timespan: TimeSpan) -> Answer:
        """The rows of the query's first table, also when the service cut the answer; for readers who are told so.

        Raises the other errors of `apiward_core.errors`, TransientError for an answer without a table: a query that
        finds nothing has one without rows.
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
            return Answer(_rows(result.partial_data), str(result.partial_error))
        if not result.tables:
            raise TransientError(
                f"The answer of workspace {self._workspace} holds no table.",
                remedy="Try again; if it lasts, see whether a proxy answers in the place of Azure.",
            )
        return Answer(_rows(result.tables))


def _rows(tables: Sequence[LogsTable]) -> list[Row]:
    if not tables:
        return []
    columns: Sequence[str] = tables[0].columns
    return [dict(zip(columns, row, strict=True)) for row in tables[0].rows]

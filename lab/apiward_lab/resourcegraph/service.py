"""POST /providers/Microsoft.ResourceGraph/resources (ResourceGraph 2021-03-01, 2022-10-01 and 2024-04-01)."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics import kql_extensions
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.kql_run import Result, run
from apiward_lab.loganalytics.store import stage
from apiward_lab.rbac import AccessControl
from apiward_lab.resourcegraph.inventory import COLUMNS, Inventory
from apiward_lab.resourcegraph.language import GraphQuery, understand
from apiward_lab.resourcegraph.paging import Page, SkipTokens
from apiward_lab.resourcegraph.problems import Refusal, access_denied, invalid_query, throttled
from apiward_lab.resourcegraph.quota import UserQuota
from apiward_lab.resourcegraph.request import QueryRequest, parse_request
from apiward_lab.resourcegraph.visibility import Visibility
from apiward_lab.web import Call, Json, Reply, Route

_VERSIONS = ("2021-03-01", "2022-10-01", "2024-04-01")
_TABLE_TYPES = {"int": "integer", "long": "integer", "real": "number", "bool": "boolean", "dynamic": "object"}


class ResourceGraph:
    """Runs the KQL of a request over the tables of an inventory.

    `management_groups` tells which subscriptions (GUIDs) each group, named in lower case, holds directly or further
    below; a tenant's root group should be among them. `quota` limits how often each user may ask.
    """

    def __init__(
        self,
        inventory: Inventory,
        access: AccessControl,
        clock: VirtualClock,
        *,
        subscriptions: Sequence[str],
        management_groups: Mapping[str, Sequence[str]],
        quota: UserQuota | None = None,
    ) -> None:
        kql_extensions.register()
        self._inventory = inventory
        self._access = access
        self._clock = clock
        self._subscriptions = subscriptions
        self._management_groups = management_groups
        self._quota = quota or UserQuota()
        self._tokens = SkipTokens(secrets.token_bytes(32))

    @property
    def routes(self) -> Sequence[Route]:
        """One operation, for every authenticated caller: what he may not read is not in the answer."""
        return [Route("POST", "/providers/Microsoft.ResourceGraph/resources", self._query, _VERSIONS)]

    def _query(self, call: Call) -> Reply:
        caller = call.principal.object_id if call.principal else ""
        now = self._clock.now()
        allowance = self._quota.take(caller, now)
        try:
            if allowance.remaining < 0:
                raise throttled()
            body = self._answer(parse_request(call), Visibility(self._access, caller))
        except Refusal as refusal:
            late = {"Retry-After": str(allowance.seconds)} if allowance.remaining < 0 else {}
            raise refusal.problem(now, {**allowance.headers, **late}) from refusal
        # Encoded here because Resource Graph sends nulls, which the server leaves out of what it encodes itself.
        headers = {**allowance.headers, "Content-Type": "application/json; charset=utf-8"}
        return Reply(body=json.dumps(body).encode(), headers=headers)

    def _answer(self, request: QueryRequest, visibility: Visibility) -> Json:
        query = understand(request.query)
        asked = self._tokens.page(request)
        page = Page(0, asked.size) if query.is_limited else asked
        result = self._run(query, self._scope(request, visibility), visibility)
        rows = _ordered(result, query)
        has_more = page.end < len(rows)
        can_page = "id" in _names(result) and not query.is_limited
        shown = rows[page.start : page.end]
        answer: dict[str, Any] = {
            "totalRecords": len(rows),
            "count": len(shown),
            "resultTruncated": "true" if has_more and not can_page else "false",
            "facets": [],
            "data": _data(result, shown, as_table=request.as_table),
        }
        if has_more and can_page:
            answer["$skipToken"] = self._tokens.token(request, Page(page.end, page.size))
        return answer

    def _scope(self, request: QueryRequest, visibility: Visibility) -> Sequence[str]:
        """The subscriptions to look into. Those that the caller does not know are left out without a word."""
        wanted = set(request.subscriptions) or set(self._subscriptions)
        if request.management_groups:
            groups = [self._management_groups.get(name) for name in request.management_groups]
            wanted = {subscription for group in groups for subscription in group or ()}
        known = [entry for entry in self._subscriptions if entry in wanted and visibility.knows(entry)]
        if not known and request.scopes:
            raise access_denied()
        return known

    def _run(self, query: GraphQuery, subscriptions: Sequence[str], visibility: Visibility) -> Result:
        columns = [column.name for column in COLUMNS]
        try:
            with duckdb.connect(":memory:") as connection:
                connection.execute("SET TimeZone = 'UTC'")
                known = {name for name in query.tables if name.lower() in self._inventory.tables}
                for table in {name.lower() for name in known}:
                    stage(connection, table, COLUMNS, self._inventory.rows(table, subscriptions, visibility.can_read))
                return run(connection, query.kql, now=self._clock.now(), schema=dict.fromkeys(known, columns))
        except QueryError as error:
            raise invalid_query({"code": error.inner_code, "message": error.message}) from error


def _names(result: Result) -> list[str]:
    return [column.name for column in result.columns]


def _ordered(result: Result, query: GraphQuery) -> Sequence[tuple[Any, ...]]:
    """The rows, by id where the query gives no order: that is what makes its pages fit together."""
    names = _names(result)
    if query.is_sorted or "id" not in names:
        return result.rows
    position = names.index("id")
    return sorted(result.rows, key=lambda row: str(row[position]))


def _data(result: Result, rows: Sequence[tuple[Any, ...]], *, as_table: bool) -> Json:
    dynamic = {index for index, column in enumerate(result.columns) if column.type == "dynamic"}
    values = [[_parsed(value) if index in dynamic else value for index, value in enumerate(row)] for row in rows]
    if not as_table:
        return [dict(zip(_names(result), row, strict=True)) for row in values]
    columns = [{"name": column.name, "type": _TABLE_TYPES.get(column.type, "string")} for column in result.columns]
    return {"columns": columns, "rows": values}


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value

"""POST /providers/Microsoft.ResourceGraph/resources (ResourceGraph 2021-03-01, 2022-10-01 and 2024-04-01)."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import orjson

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics import kql_extensions
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.kql_run import Result, run
from apiward_lab.rbac import AccessControl
from apiward_lab.resourcegraph.filters import Types, types_read
from apiward_lab.resourcegraph.inventory import COLUMNS, Inventory
from apiward_lab.resourcegraph.language import GraphQuery, understand
from apiward_lab.resourcegraph.mirror import Mirror
from apiward_lab.resourcegraph.paging import Page, SkipTokens
from apiward_lab.resourcegraph.problems import Refusal, access_denied, invalid_query, throttled
from apiward_lab.resourcegraph.quota import GraphLimits, UserQuota
from apiward_lab.resourcegraph.request import QueryRequest, parse_request
from apiward_lab.resourcegraph.results import Basis, KeptResults
from apiward_lab.resourcegraph.visibility import Readable, Visibility
from apiward_lab.web import Call, Json, Reply, Route

_VERSIONS = ("2021-03-01", "2022-10-01", "2024-04-01")
_TABLE_TYPES = {"int": "integer", "long": "integer", "real": "number", "bool": "boolean", "dynamic": "object"}


class ResourceGraph:
    """Runs the KQL of a request over the tables of an inventory.

    `subscriptions_of` gives the subscriptions (GUIDs) that a management group holds directly or further below. When
    a tenant or management group has more than the `limits` allow, the first are looked into and a header tells of it.
    """

    def __init__(
        self,
        inventory: Inventory,
        access: AccessControl,
        clock: VirtualClock,
        *,
        subscriptions: Sequence[str],
        subscriptions_of: Callable[[str], Sequence[str]],
        limits: GraphLimits | None = None,
    ) -> None:
        kql_extensions.register()
        self._tables = inventory.tables
        self._mirror = Mirror(inventory)
        self._results = KeptResults()
        self._access = access
        self._clock = clock
        self._subscriptions = subscriptions
        self._subscriptions_of = subscriptions_of
        self._limits = limits or GraphLimits()
        self._quota = UserQuota(self._limits)
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
            request, visibility = parse_request(call), Visibility(self._access, caller)
            scope = self._scope(request, visibility)
            body = self._answer(request, _Asked(scope.subscriptions, visibility))
        except Refusal as refusal:
            late = {"Retry-After": str(allowance.seconds)} if allowance.remaining < 0 else {}
            raise refusal.problem(now, {**allowance.headers, **late}) from refusal
        # Encoded here because Resource Graph sends nulls, which the server leaves out of what it encodes itself.
        headers = {**allowance.headers, **scope.headers, "Content-Type": "application/json; charset=utf-8"}
        return Reply(body=orjson.dumps(body), headers=headers)

    def _answer(self, request: QueryRequest, asked: "_Asked") -> Json:
        query = understand(request.query)
        wanted = self._tokens.page(request)
        page = Page(0, wanted.size) if query.is_limited else wanted
        result = self._result(request, query, asked)
        has_more = page.end < len(result.rows)
        can_page = "id" in _names(result) and not query.is_limited
        shown = result.rows[page.start : page.end]
        answer: dict[str, Any] = {
            "totalRecords": len(result.rows),
            "count": len(shown),
            "resultTruncated": "true" if has_more and not can_page else "false",
            "facets": [],
            "data": _data(result, shown, as_table=request.as_table),
        }
        if has_more and can_page:
            answer["$skipToken"] = self._tokens.token(request, Page(page.end, page.size))
        return answer

    def _scope(self, request: QueryRequest, visibility: Visibility) -> "_Scope":
        """The subscriptions to look into. Those that the caller does not know are left out without a word."""
        wanted = set(request.subscriptions) or set(self._subscriptions)
        if request.management_groups:
            wanted = set(chain.from_iterable(map(self._subscriptions_of, request.management_groups)))
        known = [entry for entry in self._subscriptions if entry in wanted and visibility.knows(entry)]
        if not known and request.scopes:
            raise access_denied()
        most = len(known) if request.subscriptions else self._limits.subscriptions
        return _Scope(known[:most], is_cut=len(known) > most)

    def _result(self, request: QueryRequest, query: GraphQuery, asked: "_Asked") -> Result:
        """All rows in order: those kept from the page before, where a fresh look would find the same."""
        types = types_read(query.kql)
        tables = {table: types[table] for table in types if table in self._tables}
        key, now = (query.kql, tuple(request.scopes)), self._clock.now()
        basis = Basis(self._mirror.versions(tables), asked.visibility.roles)
        if request.skip_token and (kept := self._results.find(key, basis, now)):
            return kept
        result = _ordered(self._run(query, tables, asked), query)
        self._results.keep(key, result, basis, now)
        return result

    def _run(self, query: GraphQuery, tables: Mapping[str, Types | None], asked: "_Asked") -> Result:
        columns = [column.name for column in COLUMNS]
        schema = {name: columns for name in query.tables if name.lower() in tables}
        try:
            with self._mirror.show(tables, asked.readable) as cursor:
                return run(cursor, query.kql, now=self._clock.now(), schema=schema)
        except QueryError as error:
            raise invalid_query({"code": error.inner_code, "message": error.message}) from error


@dataclass(frozen=True)
class _Scope:
    """The subscriptions that a query looks into, and whether there would be more of them."""

    subscriptions: Sequence[str]
    is_cut: bool

    @property
    def headers(self) -> Mapping[str, str]:
        return {"x-ms-tenant-subscription-limit-hit": "true"} if self.is_cut else {}


@dataclass(frozen=True)
class _Asked:
    """The subscriptions that the caller asks about, and what he may see in them."""

    subscriptions: Sequence[str]
    visibility: Visibility

    def readable(self, resource_type: str) -> Readable:
        return self.visibility.readable(resource_type, self.subscriptions)


def _names(result: Result) -> list[str]:
    return [column.name for column in result.columns]


def _ordered(result: Result, query: GraphQuery) -> Result:
    """The rows, by id where the query gives no order: that is what makes its pages fit together."""
    names = _names(result)
    if query.is_sorted or "id" not in names:
        return result
    position = names.index("id")
    return replace(result, rows=tuple(sorted(result.rows, key=lambda row: str(row[position]))))


def _data(result: Result, rows: Sequence[tuple[Any, ...]], *, as_table: bool) -> Json:
    dynamic = {index for index, column in enumerate(result.columns) if column.type == "dynamic"}
    values = [[_parsed(value) if index in dynamic else value for index, value in enumerate(row)] for row in rows]
    if not as_table:
        return [dict(zip(_names(result), row, strict=True)) for row in values]
    columns = [{"name": column.name, "type": _TABLE_TYPES.get(column.type, "string")} for column in result.columns]
    return {"columns": columns, "rows": values}


def _parsed(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value

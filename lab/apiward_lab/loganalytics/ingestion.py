"""Logs Ingestion 2023-01-01: rows into tables, by a data collection rule."""

import json
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.columns import Column, convert, parse_datetime
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.quota import Quota
from apiward_lab.loganalytics.rules import Flow, Rule
from apiward_lab.web import Call, Problem, Reply

MAX_BYTES = 1_048_576
"""Of one call, compressed and uncompressed alike (Azure Monitor service limits)."""

OLDEST = timedelta(days=2)
LATEST = timedelta(days=1)
"""A TimeGenerated that is older, or later than that after arrival, becomes the time of arrival (standard columns)."""


class Ingestion:
    """Takes calls for the rules that `find` knows by immutable id."""

    def __init__(
        self, clock: VirtualClock, find: Callable[[str], Rule | None], *, quota: Callable[[], Quota] = Quota
    ) -> None:
        self._clock = clock
        self._find = find
        self._new_quota = quota
        self._quotas: dict[str, Quota] = {}
        self._lock = threading.Lock()

    def scope(self, call: Call) -> str:
        """The ARM id at which the caller needs the right to send."""
        return self._rule(call).resource_id

    def upload(self, call: Call) -> Reply:
        """POST /dataCollectionRules/{rule}/streams/{stream}: 204 when every row is stored."""
        rule = self._rule(call)
        columns = rule.streams.get(call.params["stream"])
        if columns is None:
            raise Problem(
                400,
                "InvalidStream",
                f"Stream '{call.params['stream']}' is not configured for data collection "
                f"rule with immutable Id '{rule.immutable_id}'.",
            )
        body = _content(call)
        self._throttle(rule, len(body))
        rows, now = _rows(body), self._clock.now()
        for flow in rule.flows:
            if flow.stream == call.params["stream"]:
                _deliver(flow, columns, rows, now)
        return Reply(204)

    def _rule(self, call: Call) -> Rule:
        rule = self._find(call.params["rule"])
        if rule is None:
            raise Problem(404, "NotFound", f"Data collection rule with immutable Id '{call.params['rule']}' not found.")
        return rule

    def _throttle(self, rule: Rule, size: int) -> None:
        with self._lock:
            quota = self._quotas.setdefault(rule.immutable_id, self._new_quota())
            wait = quota.take(size, self._clock.now())
        if wait:
            raise Problem(
                429,
                "TooManyRequests",
                f"Data collection rule '{rule.immutable_id}' is over its limit; retry in {wait} seconds.",
                {"Retry-After": str(wait)},
            )


def _content(call: Call) -> bytes:
    encoding = call.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise Problem(
            415, "UnsupportedMediaType", f"Content-Encoding '{encoding}' is not supported; send gzip or none."
        )
    if len(call.body) > MAX_BYTES:
        raise _too_large(len(call.body))
    try:
        body = _inflate(call.body) if encoding == "gzip" else call.body
    except (OSError, EOFError, zlib.error) as error:
        raise Problem(400, "InvalidContent", f"The content is not valid gzip: {error}") from error
    if len(body) > MAX_BYTES:
        raise _too_large(len(body))
    return body


def _inflate(body: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    content = reader.decompress(body, MAX_BYTES + 1)
    if len(content) <= MAX_BYTES and not reader.eof:
        raise EOFError("it ends too early")
    return content


def _too_large(size: int) -> Problem:
    return Problem(
        413,
        "ContentLengthLimitExceeded",
        f"Maximum allowed content length: {MAX_BYTES} bytes (1 MB). Provided content length: {size} bytes or more.",
    )


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        rows = json.loads(body)
    except ValueError as error:
        raise Problem(400, "InvalidContent", f"The content is not valid JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem(400, "InvalidContent", "The content must be a JSON array of objects.")
    return rows


def _deliver(flow: Flow, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    table = flow.workspace.table(flow.table)
    if table is None:
        raise Problem(400, "InvalidOutputTable", f"Table '{flow.table}' of the data collection rule no longer exists.")
    converted = [{column.name: convert(row.get(column.name), column.type) for column in columns} for row in rows]
    if flow.transform != "source":
        converted = _transformed(flow, columns, converted, now)
    for row in converted:
        row["TimeGenerated"] = _time_generated(row.get("TimeGenerated"), now)
    flow.workspace.insert(table, converted, now)


def _transformed(
    flow: Flow, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], now: datetime
) -> list[dict[str, Any]]:
    try:
        result = flow.workspace.engine.transform(flow.transform, columns, rows, now)
    except QueryError as error:
        raise Problem(400, "InvalidTransformOutput", f"The transformation failed: {error.message}") from error
    dynamic = {column.name for column in result.columns if column.type == "dynamic"}
    kinds = {column.name: "boolean" if column.type == "bool" else column.type for column in result.columns}
    return [
        {
            name: convert(json.loads(value) if name in dynamic and value is not None else value, kinds[name])
            for name, value in record.items()
        }
        for record in result.records()
    ]


def _time_generated(value: str | None, now: datetime) -> str:
    moment = parse_datetime(value) if value else None
    chosen = moment if moment is not None and now - OLDEST <= moment <= now + LATEST else now
    return chosen.replace(tzinfo=None).isoformat()

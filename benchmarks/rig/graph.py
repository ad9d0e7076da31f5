"""Azure Resource Graph 2021-03-01 over an estate: counts and rows of assessments, in pages, within the quota."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rig.estate import PAGE_ROWS, Estate, Pages
from rig.quota import Quota
from rig.wire import Answer, Part

_ASSESSMENTS = re.compile(r"type\s*=~\s*'microsoft\.security/assessments'", re.IGNORECASE)
_COUNT = re.compile(r"summarize\s+(\w+)\s*=\s*count\(\)", re.IGNORECASE)


class Graph:
    """Answers queries about assessments: a count by subscription, else their rows. All else is an empty table."""

    def __init__(self, estate: Estate, *, quota: Quota, generation: int) -> None:
        self._estate = estate
        self._quota = quota
        self._pages = Pages(estate, generation=generation, graph=True)

    def answer(self, body: bytes) -> Answer:
        """The answer to one query."""
        allowed, headers = self._quota.take()
        if not allowed:
            return Answer.of({"error": {"code": "RateLimiting"}}, status=429, headers=headers)
        asked = json.loads(body)
        query, subscriptions = asked["query"], asked.get("subscriptions") or self._estate.subscription_ids
        if not _ASSESSMENTS.search(query):
            return _table(count=0, total=0, headers=headers)
        if count := _COUNT.search(query):
            rows = [{"subscriptionId": each, count[1]: self._estate.rows_each} for each in subscriptions]
            return _table(json.dumps(rows)[1:-1].encode(), count=len(rows), total=len(rows), headers=headers)
        return self._rows(subscriptions, int((asked.get("options") or {}).get("$skipToken") or 0), headers)

    def _rows(self, subscriptions: Sequence[str], first: int, headers: Mapping[str, str]) -> Answer:
        pages = [(each, page) for each in subscriptions for page in range(self._estate.pages_each)]
        last = first + max(1, PAGE_ROWS // self._estate.rows_each)  # small subscriptions share an answer
        parts = [part for page in pages[first:last] for part in (b",", self._pages.items(*page))]
        total = self._estate.rows_each * len(subscriptions)
        rows = min(PAGE_ROWS, self._estate.rows_each) * len(pages[first:last])
        token = str(last) if last < len(pages) else None
        return _table(*parts[1:], count=min(rows, total), total=total, headers=headers, token=token)


def _table(*rows: Part, count: int, total: int, headers: Mapping[str, str], token: str | None = None) -> Answer:
    about: dict[str, Any] = {"totalRecords": total, "count": count, "resultTruncated": "false", "facets": []}
    if token:
        about["$skipToken"] = token
    return Answer.json(json.dumps(about)[:-1].encode(), b',"data":[', *rows, b"]}", headers=headers)

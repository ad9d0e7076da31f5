"""Saved searches over ARM (Microsoft.OperationalInsights 2023-09-01)."""

import uuid
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.problems import not_found
from apiward_lab.loganalytics.registry import Registry
from apiward_lab.loganalytics.saved_searches import SavedSearch, parse_saved_search
from apiward_lab.web import Call, Reply


class SearchesApi:
    """Handlers for saved searches."""

    def __init__(self, clock: VirtualClock, registry: Registry) -> None:
        self._clock = clock
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """All saved searches of a workspace."""
        model = self._registry.of_call(call)
        searches = sorted(model.saved_searches().values(), key=lambda search: search.name)
        return Reply(body={"value": [_body(model.seed.resource_id, search) for search in searches]})

    def get(self, call: Call) -> Reply:
        """One saved search."""
        model = self._registry.of_call(call)
        search = model.saved_searches().get(call.params["search"].lower())
        if search is None:
            raise not_found(
                "Microsoft.OperationalInsights/workspaces/savedSearches",
                f"{call.params['workspace']}/{call.params['search']}",
                call.params["group"],
            )
        return Reply(body=_body(model.seed.resource_id, search))

    def put(self, call: Call) -> Reply:
        """Create, or replace with the etag in the body."""
        model = self._registry.of_call(call)
        existing = model.saved_searches().get(call.params["search"].lower())
        etag = f"W/\"datetime'{self._clock.now():%Y-%m-%dT%H%%3A%M%%3A%S.%f}Z';{uuid.uuid4().hex[:8]}\""
        search = parse_saved_search(call.params["search"], call.json(), etag, existing)
        model.put_search(search)
        return Reply(body=_body(model.seed.resource_id, search))

    def delete(self, call: Call) -> Reply:
        """Delete; also fine when there is none."""
        self._registry.of_call(call).drop_search(call.params["search"])
        return Reply(200)


def _body(workspace_id: str, search: SavedSearch) -> dict[str, Any]:
    return {
        "id": f"{workspace_id}/savedSearches/{search.name}",
        "name": search.name,
        "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
        "etag": search.etag,
        "properties": search.body,
    }

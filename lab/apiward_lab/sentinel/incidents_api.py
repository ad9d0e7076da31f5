"""Incidents over ARM (Incidents 2021-10-01 and 2024-03-01)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from apiward_lab.sentinel.documents import alert_body, entities_body, incident_body, resource_id
from apiward_lab.sentinel.incidents import put_incident
from apiward_lab.sentinel.odata import parse_filter, sort_by
from apiward_lab.sentinel.registry import Registry
from apiward_lab.web import Call, Problem, Reply

DEFAULT_PAGE = 50
LARGEST_PAGE = 1_000


class IncidentsApi:
    """Handlers for incidents."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """A page of the incidents that $filter lets through, newest first unless $orderby says otherwise."""
        model = self._registry.of_call(call)
        bodies: Sequence[Mapping[str, Any]] = [
            incident_body(model.seed, incident, call.query["api-version"]) for incident in reversed(model.incidents())
        ]
        if call.query.get("$filter"):
            test = parse_filter(call.query["$filter"])
            bodies = [body for body in bodies if test(body)]
        if call.query.get("$orderby"):
            bodies = sort_by(call.query["$orderby"], bodies)
        return Reply(body=_page(call, bodies))

    def get(self, call: Call) -> Reply:
        """One incident."""
        model, incident = self._registry.incident(call)
        return Reply(body=incident_body(model.seed, incident, call.query["api-version"]))

    def put(self, call: Call) -> Reply:
        """Create (201) or replace (200)."""
        model = self._registry.of_call(call)
        existing = model.incident(call.params["incident"])
        name = existing.name if existing else call.params["incident"]
        incident = put_incident(
            name,
            call.json(),
            existing,
            number=existing.number if existing else model.next_number(),
            now=self._registry.now(),
            resource_id=resource_id(model.seed, "incidents", name),
        )
        model.put_incident(incident, by=call.principal.object_id if call.principal else "unknown")
        return Reply(200 if existing else 201, incident_body(model.seed, incident, call.query["api-version"]))

    def delete(self, call: Call) -> Reply:
        """Delete: 200, or 204 when there is none."""
        return Reply(200 if self._registry.of_call(call).drop_incident(call.params["incident"]) else 204)

    def alerts(self, call: Call) -> Reply:
        """The alerts of an incident."""
        model, incident = self._registry.incident(call)
        return Reply(body={"value": [alert_body(model.seed, alert) for alert in incident.alerts]})

    def entities(self, call: Call) -> Reply:
        """The entities of an incident's alerts."""
        model, incident = self._registry.incident(call)
        return Reply(body=entities_body(model.seed, incident.alerts))

    def bookmarks(self, call: Call) -> Reply:
        """The bookmarks of an incident; the lab has none."""
        self._registry.incident(call)
        return Reply(body={"value": []})


def _page(call: Call, bodies: Sequence[Any]) -> dict[str, Any]:
    size = _number(call, "$top", DEFAULT_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise Problem(400, "BadRequest", f"$top must be between 1 and {LARGEST_PAGE}, not {size}.")
    start = _number(call, "$skipToken", 0)
    page: dict[str, Any] = {"value": bodies[start : start + size]}
    if start + size < len(bodies):
        page["nextLink"] = f"{call.base_url}{call.path}?{urlencode({**call.query, '$skipToken': start + size})}"
    return page


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name) or str(default)
    if not text.isdecimal():
        raise Problem(400, "BadRequest", f"{name} must be a whole number, not '{text}'.")
    return int(text)

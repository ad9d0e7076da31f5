"""Which operation is served by which handler, and the role that it needs."""

from collections.abc import Iterator

from apiward_lab.loganalytics.registry import WORKSPACE_PATH
from apiward_lab.sentinel.comments_api import CommentsApi, RelationsApi
from apiward_lab.sentinel.incidents_api import IncidentsApi
from apiward_lab.sentinel.registry import Registry
from apiward_lab.sentinel.rules_api import OnboardingApi, RulesApi
from apiward_lab.web import Handler, Route

VERSIONS = ("2021-10-01", "2024-03-01")
_PROVIDER = "Microsoft.SecurityInsights"
_BASE = f"{WORKSPACE_PATH}/providers/{_PROVIDER}"
_INCIDENT = "incidents/{incident}"


def sentinel_routes(registry: Registry) -> Iterator[Route]:
    """Everything that Sentinel serves."""
    states, rules, incidents = OnboardingApi(registry), RulesApi(registry), IncidentsApi(registry)
    comments, relations = CommentsApi(registry), RelationsApi(registry)
    yield _route("GET", "onboardingStates", states.list, "onboardingStates/read")
    yield _route("GET", "onboardingStates/{state}", states.get, "onboardingStates/read")
    yield _route("PUT", "onboardingStates/{state}", states.put, "onboardingStates/write")
    yield _route("DELETE", "onboardingStates/{state}", states.delete, "onboardingStates/delete")
    for collection, item, api in (
        ("alertRules", "{rule}", rules),
        ("incidents", "{incident}", incidents),
        (f"{_INCIDENT}/comments", "{comment}", comments),
        (f"{_INCIDENT}/relations", "{relation}", relations),
    ):
        action = collection.replace("/{incident}", "")
        yield _route("GET", collection, api.list, f"{action}/read")
        yield _route("GET", f"{collection}/{item}", api.get, f"{action}/read")
        yield _route("PUT", f"{collection}/{item}", api.put, f"{action}/write")
        yield _route("DELETE", f"{collection}/{item}", api.delete, f"{action}/delete")
    yield _route("POST", f"{_INCIDENT}/alerts", incidents.alerts, "incidents/read")
    yield _route("POST", f"{_INCIDENT}/entities", incidents.entities, "incidents/read")
    yield _route("POST", f"{_INCIDENT}/bookmarks", incidents.bookmarks, "incidents/read")


def _route(method: str, path: str, handler: Handler, action: str) -> Route:
    return Route(method, f"{_BASE}/{path}", handler, VERSIONS, action=f"{_PROVIDER}/{action}")

"""The answers of Sentinel conform to Microsoft's OpenAPI documents."""

from typing import Any

import pytest

from tests.unit.lab_logs.specs import faults, needs_specs, unpublished
from tests.unit.lab_sentinel.workbench import Workbench, grouping

SPEC = "securityinsights/resource-manager/Microsoft.SecurityInsights/stable"
SERVICE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/shop"

pytestmark = needs_specs


@pytest.fixture
def incident(bench: Workbench) -> str:
    """The name of an incident that a rule raised, with a comment and a link."""
    bench.put_rule(
        query=f"print Name = 'a', Service = '{SERVICE}'",
        incidentConfiguration=grouping("AnyAlert"),
        alertDetailsOverride={"alertDisplayNameFormat": "{{Name}}"},
    )
    bench.clock.tick()
    name = str(bench.send("GET", "incidents").body["value"][0]["name"])
    bench.send("PUT", f"incidents/{name}/comments/c", {"properties": {"message": "m"}})
    related = {"relatedResourceId": f"{SERVICE}/providers/Microsoft.SecurityInsights/incidents/i"}
    bench.send("PUT", f"incidents/{name}/relations/r", {"properties": related})
    return name


def without_additional_data(alert: Any) -> Any:
    """The alert without its texts: the document calls them objects, its own example shows texts."""
    assert alert["properties"].pop("additionalData")
    return alert


@pytest.mark.parametrize(
    ("method", "path", "document", "definition"),
    [
        ("GET", "alertRules", "AlertRules.json", "AlertRulesList"),
        ("GET", "alertRules/rule", "AlertRules.json", "ScheduledAlertRule"),
        ("GET", "incidents", "Incidents.json", "IncidentList"),
        ("GET", "incidents/{incident}", "Incidents.json", "Incident"),
        ("GET", "incidents/{incident}/comments", "Incidents.json", "IncidentCommentList"),
        ("GET", "incidents/{incident}/relations", "Incidents.json", "RelationList"),
        ("POST", "incidents/{incident}/alerts", "Incidents.json", "IncidentAlertList"),
        ("POST", "incidents/{incident}/entities", "Incidents.json", "IncidentEntitiesResponse"),
        ("POST", "incidents/{incident}/bookmarks", "Incidents.json", "IncidentBookmarkList"),
        ("GET", "onboardingStates", "OnboardingStates.json", "SentinelOnboardingStatesList"),
    ],
)
@pytest.mark.parametrize("version", ["2021-10-01", "2024-03-01"])
def test_answers(
    bench: Workbench, incident: str, version: str, method: str, path: str, document: str, definition: str
) -> None:
    body: Any = bench.send(method, path.format(incident=incident), version=version).body
    if path.endswith("alerts"):
        body["value"] = [without_additional_data(alert) for alert in body["value"]]
    assert faults(f"{SPEC}/{version}/{document}", definition, body) == []


def test_an_entity_and_an_alert_fit_their_own_definitions(bench: Workbench, incident: str) -> None:
    types = f"{SPEC}/2021-10-01/common/EntityTypes.json"
    alert = bench.send("POST", f"incidents/{incident}/alerts").body["value"][0]
    entity = bench.send("POST", f"incidents/{incident}/entities").body["entities"][0]
    assert faults(types, "SecurityAlert", without_additional_data(alert)) == []
    assert faults(types, "AzureResourceEntity", entity) == []


def test_every_route_asks_for_a_published_operation(bench: Workbench) -> None:
    asked = {route.action for route in bench.sentinel.routes if route.action and "onboardingStates" not in route.action}
    assert unpublished(asked) == set()

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.estate import build
from apiward_lab.identities import applications, grant_seeded_roles
from apiward_lab.rbac import AccessControl
from apiward_lab.resources import CloudMetadata, Resources
from apiward_lab.routing import Router
from apiward_lab.web import Call, Principal, Problem, Reply, Route

ESTATE = build()
APPS = {app.name: app for app in applications("contoso")}


def routes() -> list[Route]:
    access = AccessControl(VirtualClock())
    grant_seeded_roles(access, ESTATE, list(APPS.values()))
    metadata = CloudMetadata(ESTATE.tenant_id, base_url=lambda: "https://lab")
    return [*Resources(ESTATE, access).routes, *metadata.routes]


def get(path: str, version: str, caller: str = "operator") -> Reply:
    match = Router(routes()).find("GET", path, version)
    assert match is not None
    principal = Principal(APPS[caller].object_id, "client", "tenant", "arm")
    return match.route.handler(Call("GET", path, match.params, {}, {}, b"", "https://lab", principal))


@pytest.mark.parametrize(("caller", "count"), [("connector", 3), ("playbooks", 3), ("admin", 3), ("stranger", 0)])
def test_subscriptions_are_listed_for_those_who_hold_a_role_there(caller: str, count: int) -> None:
    assert len(get("/subscriptions", "2022-12-01", caller).body["value"]) == count


def test_a_subscription_is_read_by_its_id() -> None:
    known = ESTATE.subscriptions[1]
    assert get(known.resource_id.upper(), "2022-12-01").body["displayName"] == known.name
    with pytest.raises(Problem, match="could not be found"):
        get("/subscriptions/none", "2022-12-01")


def test_resource_groups_belong_to_their_subscription() -> None:
    first, second = ESTATE.subscriptions[:2]
    names = [group["name"] for group in get(f"{first.resource_id}/resourceGroups", "2024-07-01").body["value"]]
    assert names == ["rg-retail-api", "rg-retail-web", "rg-security"]
    assert get(f"{first.resource_id}/resourceGroups/RG-SECURITY", "2024-07-01").body["name"] == "rg-security"
    with pytest.raises(Problem, match="Resource group 'rg-security' could not be found"):
        get(f"{second.resource_id}/resourceGroups/rg-security", "2024-07-01")


def test_old_versions_of_the_metadata_are_lists() -> None:
    one = get("/metadata/endpoints", "2022-09-01").body
    assert get("/metadata/endpoints", "2020-06-01").body == [one]
    assert one["authentication"]["audiences"] == [
        "https://management.core.windows.net/",
        "https://management.azure.com/",
    ]


def test_the_seeded_roles_are_no_more_than_intended() -> None:
    access = AccessControl(VirtualClock())
    grant_seeded_roles(access, ESTATE, list(APPS.values()))
    scope = ESTATE.subscriptions[0].resource_id
    security = f"{scope}/resourceGroups/rg-security"

    def may(name: str, action: str, where: str = scope, *, data: bool = False) -> bool:
        return access.is_allowed(APPS[name].object_id, action, where, data=data)

    assert may("connector", "Microsoft.Security/assessments/read")
    assert may("connector", "Microsoft.ApiManagement/service/apis/read")
    assert not may("connector", "Microsoft.ApiManagement/service/apis/write")
    assert not may("connector", "Microsoft.Insights/Telemetry/Write", security, data=True)
    assert may("playbooks", "Microsoft.ApiManagement/service/apis/write")
    assert may("playbooks", "Microsoft.SecurityInsights/incidents/write", security)
    assert not may("playbooks", "Microsoft.SecurityInsights/incidents/write")
    assert not may("operator", "Microsoft.ApiManagement/service/apis/write")
    assert may("admin", "Microsoft.Authorization/roleAssignments/write")

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.rbac import BUILT_IN_ROLES, AccessControl, Authorization, Permission, built_in
from apiward_lab.routing import Router
from apiward_lab.web import Call, Principal, Problem, Reply

SUBSCRIPTION = "/subscriptions/s1"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g1"
ADMIN = Principal("admin", "admin-client", "tenant", "arm")
ROOT = "/providers/Microsoft.Authorization"


class Tenant:
    """Access control behind its routes, with one administrator and the principals "anna" and "ben"."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.access = AccessControl(self.clock)
        self._router = Router(Authorization(self.access, is_principal={"anna", "ben"}.__contains__).routes)

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Reply:
        match = self._router.find(method, path, "2022-04-01")
        assert match is not None
        sent = json.dumps(body).encode()
        call = Call(method, path, match.params, query, {}, sent, "https://lab", ADMIN)
        try:
            return match.route.handler(call)
        except Problem as problem:
            return problem.reply()

    def grant(self, role: str, principal: str = "anna", scope: str = SUBSCRIPTION, name: str | None = None) -> Reply:
        role_id = built_in(role).role_id
        properties = {"roleDefinitionId": f"{SUBSCRIPTION}{ROOT}/roleDefinitions/{role_id}", "principalId": principal}
        path = f"{scope}{ROOT}/roleAssignments/{name or uuid.uuid4()}"
        return self.send("PUT", path, {"properties": properties})

    def wait(self) -> None:
        self.clock.advance(timedelta(minutes=5))


def test_a_role_counts_at_its_scope_and_below_and_nowhere_else() -> None:
    tenant = Tenant()
    assert tenant.grant("Reader", scope=GROUP).status == 201
    tenant.wait()
    read = "Microsoft.ApiManagement/service/read"
    assert tenant.access.is_allowed("anna", read, GROUP.upper())
    assert tenant.access.is_allowed("anna", read, f"{GROUP}/providers/Microsoft.ApiManagement/service/a")
    assert not tenant.access.is_allowed("anna", read, SUBSCRIPTION)
    assert not tenant.access.is_allowed("anna", read, GROUP + "0")
    assert not tenant.access.is_allowed("ben", read, GROUP)


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        ("Reader", "Microsoft.Security/assessments/READ", True),
        ("Reader", "Microsoft.ApiManagement/service/apis/write", False),
        ("Security Reader", "Microsoft.Security/assessments/read", True),
        ("Security Reader", "Microsoft.ApiManagement/service/apis/read", False),
        ("Security Reader", "Microsoft.OperationalInsights/workspaces/query/read", True),
        ("API Management Service Contributor", "Microsoft.ApiManagement/service/apis/write", True),
        ("API Management Service Contributor", "Microsoft.Authorization/roleAssignments/write", False),
        ("API Management Service Reader Role", "Microsoft.ApiManagement/service/apis/read", True),
        ("API Management Service Reader Role", "Microsoft.ApiManagement/service/users/keys/read", False),
        ("Contributor", "Microsoft.ApiManagement/service/apis/delete", True),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False),
        ("Owner", "Microsoft.Authorization/roleAssignments/write", True),
        ("Microsoft Sentinel Responder", "Microsoft.SecurityInsights/incidents/comments/write", True),
        ("Microsoft Sentinel Responder", "Microsoft.SecurityInsights/incidents/comments/delete", False),
        ("Microsoft Sentinel Responder", "Microsoft.SecurityInsights/alertRules/write", False),
        ("Microsoft Sentinel Contributor", "Microsoft.SecurityInsights/alertRules/write", True),
        ("Log Analytics Reader", "Microsoft.OperationalInsights/workspaces/sharedKeys/read", False),
    ],
)
def test_what_built_in_roles_allow(role: str, action: str, allowed: bool) -> None:
    assert built_in(role).allows(action) is allowed


def test_only_the_publisher_may_send_telemetry() -> None:
    may = [role.name for role in BUILT_IN_ROLES if role.allows("Microsoft.Insights/Telemetry/Write", data=True)]
    assert may == ["Monitoring Metrics Publisher"]


def test_data_actions_and_actions_are_apart() -> None:
    permission = Permission(actions=("*",), not_actions=("Contoso/*/secret",))
    assert permission.allows("Contoso/things/read")
    assert not permission.allows("contoso/things/SECRET")
    assert not permission.allows("Contoso/things/read", data=True)


def test_a_grant_is_felt_after_five_minutes_and_so_is_its_end() -> None:
    tenant, name = Tenant(), str(uuid.uuid4())
    tenant.grant("Reader", name=name)
    tenant.clock.advance(timedelta(minutes=4))
    assert tenant.access.permissions_at("anna", SUBSCRIPTION) == []
    tenant.clock.advance(timedelta(minutes=1))
    assert tenant.access.has_any_role("anna", SUBSCRIPTION)
    assert tenant.send("DELETE", f"{SUBSCRIPTION}{ROOT}/roleAssignments/{name}").status == 200
    assert tenant.send("GET", f"{SUBSCRIPTION}{ROOT}/roleAssignments").body == {"value": []}
    assert tenant.access.has_any_role("anna", SUBSCRIPTION)
    tenant.wait()
    assert not tenant.access.has_any_role("anna", SUBSCRIPTION)


def test_conflicts_and_mistakes_are_refused_as_azure_does() -> None:
    tenant, name = Tenant(), str(uuid.uuid4())
    assert tenant.grant("Reader", name=name).status == 201
    assert tenant.grant("Reader", name=name).status == 200
    assert tenant.grant("Reader").body["error"]["code"] == "RoleAssignmentExists"
    assert tenant.grant("Owner", name=name).body["error"]["code"] == "RoleAssignmentUpdateNotPermitted"
    assert tenant.grant("Owner", principal="nobody").body["error"]["code"] == "PrincipalNotFound"
    assert tenant.grant("Owner", name="mine").body["error"]["code"] == "InvalidRoleAssignmentId"
    missing = tenant.send("GET", f"{SUBSCRIPTION}{ROOT}/roleAssignments/{uuid.uuid4()}")
    assert (missing.status, missing.body["error"]["code"]) == (404, "RoleAssignmentNotFound")


def test_lists_show_inherited_assignments_and_obey_filters() -> None:
    tenant = Tenant()
    tenant.grant("Reader", scope=SUBSCRIPTION)
    tenant.grant("Owner", scope=GROUP, principal="ben")

    def principals(scope: str, **query: str) -> list[str]:
        listed = tenant.send("GET", f"{scope}{ROOT}/roleAssignments", **query).body["value"]
        return [entry["properties"]["principalId"] for entry in listed]

    assert principals(GROUP) == ["anna", "ben"]
    assert principals(SUBSCRIPTION, **{"$filter": "atScope()"}) == ["anna"]
    assert principals(GROUP, **{"$filter": "principalId eq 'ben'"}) == ["ben"]


CUSTOM = "33333333-3333-3333-3333-333333333333"


def define(tenant: Tenant, name: str = "Remediator", role_id: str = CUSTOM) -> Reply:
    actions = ["Microsoft.ApiManagement/service/apis/write"]
    properties = {"roleName": name, "permissions": [{"actions": actions}], "assignableScopes": [SUBSCRIPTION]}
    return tenant.send("PUT", f"{SUBSCRIPTION}{ROOT}/roleDefinitions/{role_id}", {"properties": properties})


def test_a_custom_role_can_be_defined_assigned_and_removed() -> None:
    tenant, path = Tenant(), f"{SUBSCRIPTION}{ROOT}/roleDefinitions"
    assert define(tenant).status == 201
    listed = tenant.send("GET", path, **{"$filter": "type eq 'CustomRole'"}).body["value"]
    assert [entry["properties"]["roleName"] for entry in listed] == ["Remediator"]
    assignment = f"{SUBSCRIPTION}{ROOT}/roleAssignments/{uuid.uuid4()}"
    tenant.send("PUT", assignment, {"properties": {"roleDefinitionId": CUSTOM, "principalId": "anna"}})
    tenant.wait()
    assert tenant.access.is_allowed("anna", "Microsoft.ApiManagement/service/apis/write", GROUP)
    assert tenant.send("DELETE", f"{path}/{CUSTOM}").body["error"]["code"] == "RoleDefinitionHasAssignments"
    tenant.send("DELETE", assignment)
    assert tenant.send("DELETE", f"{path}/{CUSTOM}").status == 200
    assert tenant.send("DELETE", f"{path}/{CUSTOM}").status == 204


def test_a_custom_role_stays_within_its_scopes_and_its_name() -> None:
    tenant = Tenant()
    define(tenant)
    elsewhere = f"/subscriptions/s2{ROOT}/roleAssignments/{uuid.uuid4()}"
    refused = tenant.send("PUT", elsewhere, {"properties": {"roleDefinitionId": CUSTOM, "principalId": "anna"}})
    assert refused.body["error"]["code"] == "RoleDefinitionDoesNotExist"
    twice = define(tenant, role_id="44444444-4444-4444-4444-444444444444")
    assert twice.body["error"]["code"] == "RoleDefinitionWithSameNameExists"
    owner = built_in("Owner").role_id
    assert define(tenant, name="My Owner", role_id=owner).status == 403

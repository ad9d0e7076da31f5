"""Azure Policy in the lab: what is assigned, what is exempt, and what Defender makes of it."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.defender import Defender
from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import build
from apiward_lab.management import Hierarchy
from apiward_lab.policy import Policy, seeded_policies
from apiward_lab.routing import Router
from apiward_lab.web import Call, Json, Problem, Reply, timestamp
from tests.unit.lab.openapi import needs_specification, violations

VERSION = "2023-04-01"
PROVIDER = "/providers/Microsoft.Authorization"
BENCHMARK = f"{PROVIDER}/policySetDefinitions/1f3afdf9-d0c9-4c3d-847f-89da613e70a8"
POLICY = f"{PROVIDER}/policyDefinitions/ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
REFERENCE = "aPIManagementServiceShouldUseEncryptedProtocols"
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"
UNUSED = "4e8c00a2-e8bc-42a8-9e12-99584a51ad10"
UNUSED_REFERENCE = "unusedApisShouldbeDisabledAndRemovedFromApim"
AUTHENTICATED = "91af2040-7874-4659-abf0-578e1f8d07dc"
AN_HOUR = timedelta(hours=1, minutes=1)
DOCUMENTS = "resources/resource-manager/Microsoft.Authorization"


class Tenant:
    """Azure Policy and Defender over the small estate, asked directly through their routes."""

    def __init__(self, page_size: int = 100) -> None:
        self.clock = VirtualClock()
        self.estate = build(at=self.clock.now())
        above = Hierarchy(self.estate).scopes_above
        self.book = seeded_policies(self.estate, self.clock.now(), scopes_above=above)
        self.defender = Defender(self.estate, self.clock, policies=self.book.judge)
        policy = Policy(self.book, self.clock, page_size=page_size)
        self._router = Router([*policy.routes, *self.defender.routes])
        self.scope = self.estate.subscriptions[0].resource_id
        self.assignments = f"{self.scope}{PROVIDER}/policyAssignments"
        self.builtin = f"{self.assignments}/SecurityCenterBuiltIn"
        self.root = f"/providers/Microsoft.Management/managementGroups/{self.estate.tenant_id}"

    def send(self, method: str, path: str, properties: Any = None, *, version: str = VERSION, **query: str) -> Reply:
        """The answer; an error answer comes back as the reply that it is."""
        found = self._router.find(method, path, version)
        assert found is not None, path
        body = json.dumps({"properties": properties}).encode()
        asked = {"api-version": version, **query}
        try:
            return found.route.handler(Call(method, path, found.params, asked, {}, body, "https://lab"))
        except Problem as problem:
            return problem.reply()

    def ids(self, path: str, *, version: str = VERSION, **query: str) -> list[str]:
        """The ids on the page."""
        return [entry["id"] for entry in self.send("GET", path, version=version, **query).body["value"]]

    def exempt(self, scope: str, *, status: int = 201, **properties: Any) -> Json:
        """Exempt a scope from the benchmark's encrypted protocols."""
        sent = {"policyAssignmentId": self.builtin, "exemptionCategory": "Waiver", **properties}
        path = f"{scope}{PROVIDER}/policyExemptions/test"
        reply = self.send("PUT", path, sent, version="2022-07-01-preview")
        assert reply.status == status, reply.body
        return reply.body

    def rows(self, key: str) -> list[Assessment]:
        """The assessments of one key in the first subscription, once Defender has looked again."""
        self.clock.advance(AN_HOUR)
        return [row for row in self.defender.ledger.rows_under(self.scope) if row.definition.key == key]

    def causes(self, key: str) -> Counter[str]:
        """How many of those rows have which cause."""
        return Counter(row.cause for row in self.rows(key))

    @property
    def orders(self) -> str:
        """An API that is reached without encryption."""
        service = next(service for service in self.estate.services if service.name == "apim-contoso-orders")
        return f"{service.resource_id}/apis/orders-v1"


def test_the_estate_begins_with_exempt_and_switched_off_assessments() -> None:
    tenant = Tenant()
    found = {
        (row.resource_id.rpartition("/")[2], row.code, row.cause) for row in tenant.defender.ledger.rows if row.cause
    }
    assert found == {
        ("partner-chat", "NotApplicable", "Exempt"),
        ("old-terminal", "NotApplicable", "Exempt"),
        ("vm-sandbox-dev", "NotApplicable", "OffByPolicy"),
    }


def test_a_removed_assignment_takes_the_rows_of_policies_and_switches_off_those_of_defender() -> None:
    tenant = Tenant()
    unused = len(tenant.rows(UNUSED))
    assert tenant.rows(ENCRYPTED)
    assert tenant.send("DELETE", tenant.builtin).status == 200
    assert tenant.rows(ENCRYPTED) == []
    assert tenant.causes(UNUSED) == {"OffByPolicy": unused}
    assert tenant.send("DELETE", tenant.builtin).status == 204


@pytest.mark.parametrize(
    ("properties", "remains"),
    [
        ({"overrides": [{"kind": "policyEffect", "value": "Disabled"}]}, False),
        ({"enforcementMode": "DoNotEnforce"}, True),
        ({"parameters": {"disallowPublicBlobAccessEffect": {"value": "Disabled"}}}, True),
    ],
    ids=["override of all", "not enforced", "parameter of another"],
)
def test_the_effect_decides_whether_there_are_rows(properties: Json, remains: bool) -> None:
    tenant = Tenant()
    assert tenant.send("PUT", tenant.builtin, {"policyDefinitionId": BENCHMARK, **properties}).status == 201
    assert bool(tenant.rows(ENCRYPTED)) is remains


def test_an_override_reaches_the_policies_that_it_selects() -> None:
    tenant = Tenant()
    selectors = [{"kind": "policyDefinitionReferenceId", "notIn": [UNUSED_REFERENCE.upper()]}]
    overrides = [{"kind": "policyEffect", "value": "Disabled", "selectors": selectors}]
    tenant.send("PUT", tenant.builtin, {"policyDefinitionId": BENCHMARK, "overrides": overrides})
    assert tenant.rows(ENCRYPTED) == []
    assert set(tenant.causes(UNUSED)) == {""}
    assert set(tenant.causes(AUTHENTICATED)) == {"OffByPolicy"}


def test_excluded_scopes_are_left_out() -> None:
    tenant = Tenant()
    excluded = f"{tenant.scope}/resourcegroups/RG-RETAIL-API"
    tenant.send("PUT", tenant.builtin, {"policyDefinitionId": BENCHMARK, "notScopes": [excluded]})
    groups = {row.resource_id.split("/")[4] for row in tenant.rows(ENCRYPTED)}
    assert groups == {"rg-retail-web"}


def test_the_more_active_of_two_assignments_counts() -> None:
    tenant = Tenant()
    before = len(tenant.rows(ENCRYPTED))
    tenant.send("DELETE", tenant.builtin)
    path = f"{tenant.root}{PROVIDER}/policyAssignments/encrypted"
    tenant.send("PUT", path, {"policyDefinitionId": POLICY})
    assert len(tenant.rows(ENCRYPTED)) == before
    off = {"policyDefinitionId": POLICY, "parameters": {"effect": {"value": "Disabled"}}}
    tenant.send("PUT", path, off)
    assert tenant.rows(ENCRYPTED) == []


def test_an_exemption_counts_until_it_expires() -> None:
    tenant = Tenant()
    expires = timestamp(tenant.clock.now() + timedelta(hours=2))
    tenant.exempt(tenant.orders, policyDefinitionReferenceIds=[REFERENCE], expiresOn=expires)
    [row] = [row for row in tenant.rows(ENCRYPTED) if row.resource_id == tenant.orders]
    assert (row.code, row.cause) == ("NotApplicable", "Exempt")
    tenant.clock.advance(timedelta(hours=1))
    [row] = [row for row in tenant.rows(ENCRYPTED) if row.resource_id == tenant.orders]
    assert (row.code, row.cause) == ("Unhealthy", "")


def test_an_exemption_is_for_what_is_below_its_scope_and_for_the_policies_that_it_names() -> None:
    tenant = Tenant()
    tenant.exempt(tenant.orders.partition("/providers/")[0], policyDefinitionReferenceIds=[UNUSED_REFERENCE])
    rows = tenant.rows(UNUSED)
    exempt = {row.resource_id.split("/")[4] for row in rows if row.cause == "Exempt"}
    assert exempt == {"rg-retail-api"}
    assert any(not row.cause for row in rows)
    assert tenant.causes(ENCRYPTED)["Exempt"] == 1  # the seeded one


def test_an_exemption_that_names_no_policy_is_for_all() -> None:
    tenant = Tenant()
    tenant.exempt(tenant.orders)
    for key in (ENCRYPTED, UNUSED):
        found = {row.cause for row in tenant.rows(key) if row.resource_id.startswith(tenant.orders)}
        assert found == {"Exempt"}


def test_lists_hold_what_is_above_and_below() -> None:
    tenant = Tenant()
    inherited = f"{tenant.root}{PROVIDER}/policyAssignments/contoso-api-baseline"
    below = f"{tenant.scope}/resourceGroups/rg-retail-web{PROVIDER}/policyAssignments/own"
    tenant.send("PUT", below, {"policyDefinitionId": POLICY})
    assert tenant.ids(tenant.assignments) == [inherited, tenant.builtin, below]
    assert tenant.ids(tenant.assignments, **{"$filter": "atScope()"}) == [inherited, tenant.builtin]
    assert tenant.ids(tenant.assignments, **{"$filter": "atExactScope()"}) == [tenant.builtin]
    assert tenant.ids(tenant.assignments, **{"$filter": f"policyDefinitionId eq '{POLICY}'"}) == [below]
    elsewhere = f"{tenant.scope}/resourceGroups/rg-security{PROVIDER}/policyAssignments"
    assert tenant.ids(elsewhere) == [inherited, tenant.builtin]


def test_lists_are_paged_and_the_filter_stays() -> None:
    tenant = Tenant(page_size=1)
    first = tenant.send("GET", tenant.assignments, **{"$filter": "atScope()"}).body
    assert "atScope" in first["nextLink"]
    token = first["nextLink"].rpartition("$skipToken=")[2].replace("%3D", "=")
    second = tenant.send("GET", tenant.assignments, **{"$filter": "atScope()", "$skipToken": token}).body
    assert [len(first["value"]), len(second["value"])] == [1, 1]
    assert "nextLink" not in second


def test_exemptions_are_listed_and_deleted() -> None:
    tenant = Tenant()
    version, path = "2022-07-01-preview", f"{tenant.scope}{PROVIDER}/policyExemptions"
    [seeded] = tenant.ids(path, version=version)
    made = tenant.exempt(tenant.orders, expiresOn=timestamp(tenant.clock.now() + timedelta(minutes=5)))["id"]
    tenant.clock.advance(timedelta(minutes=6))
    assert set(tenant.ids(path, version=version)) == {seeded, made}
    assert tenant.ids(path, version=version, **{"$filter": "excludeExpired()"}) == [seeded]
    assert tenant.ids(path, version=version, **{"$filter": f"policyAssignmentId eq '{tenant.root}'"}) == []
    assert tenant.send("GET", seeded, version=version).body["properties"]["expiresOn"]
    assert [tenant.send("DELETE", seeded, version=version).status for _ in range(2)] == [200, 204]
    assert tenant.send("GET", seeded, version=version).status == 404


def test_custom_initiatives_are_listed_where_they_can_be_assigned() -> None:
    tenant = Tenant()
    path = f"{tenant.scope}{PROVIDER}/policySetDefinitions"
    kept = f"{tenant.root}{PROVIDER}/policySetDefinitions/contoso-api-baseline"
    assert tenant.ids(path, **{"$filter": "policyType eq 'Custom'"}) == [kept]
    assert tenant.ids(path, **{"$filter": "policyType eq 'BuiltIn'"}) == [BENCHMARK]
    assert tenant.ids(f"{PROVIDER}/policySetDefinitions") == [BENCHMARK]
    assert tenant.send("GET", kept).status == 200
    assert tenant.send("GET", f"{tenant.scope}{BENCHMARK}").status == 404


def test_every_policy_that_defender_judges_by_is_defined() -> None:
    tenant = Tenant()
    for definition in tenant.defender.ledger.definitions:
        assert tenant.send("GET", f"{PROVIDER}/policyDefinitions/{definition.policy_id}").status == 200


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        (None, 400),
        ({}, 404),
        ({"policyDefinitionId": f"{PROVIDER}/policyDefinitions/0"}, 404),
        ({"policyDefinitionId": POLICY, "enforcementMode": "Never"}, 400),
        ({"policyDefinitionId": POLICY, "parameters": {"unknown": {"value": 1}}}, 400),
        ({"policyDefinitionId": BENCHMARK, "parameters": {"effect": {"value": "Disabled"}}}, 400),
    ],
)
def test_an_assignment_that_is_not_valid_changes_nothing(properties: Json, status: int) -> None:
    tenant = Tenant()
    before = tenant.send("GET", tenant.builtin).body
    assert tenant.send("PUT", tenant.builtin, properties).status == status
    assert tenant.send("GET", tenant.builtin).body == before


@pytest.mark.parametrize(
    "properties",
    [
        {"policyAssignmentId": "/nothing"},
        {"exemptionCategory": "Forgotten"},
        {"expiresOn": "soon"},
        {"expiresOn": "2026-12-01T00:00:00"},
    ],
)
def test_an_exemption_that_is_not_valid_changes_nothing(properties: Json) -> None:
    tenant = Tenant()
    exemptions = f"{tenant.scope}{PROVIDER}/policyExemptions"
    before = tenant.ids(exemptions, version="2022-07-01-preview")
    tenant.exempt(tenant.orders, status=400, **properties)
    tenant.exempt("/subscriptions/00000000-0000-0000-0000-000000000000", status=400)
    assert tenant.ids(exemptions, version="2022-07-01-preview") == before


@needs_specification
def test_assignments_and_exemptions_conform_to_the_documents() -> None:
    tenant = Tenant()
    listed = tenant.send("GET", tenant.assignments).body
    document = f"{DOCUMENTS}/stable/2023-04-01/policyAssignments.json"
    # The document types a parameter's value as an object, and its own example gives a text.
    found = [
        entry for entry in violations(document, "PolicyAssignmentListResult", listed) if ".parameters." not in entry
    ]
    assert (found, len(listed["value"])) == ([], 2)
    path = f"{tenant.scope}{PROVIDER}/policyExemptions"
    exemptions = tenant.send("GET", path, version="2022-07-01-preview").body
    document = f"{DOCUMENTS}/preview/2022-07-01-preview/policyExemptions.json"
    assert violations(document, "PolicyExemptionListResult", exemptions) == []
    assert exemptions["value"]

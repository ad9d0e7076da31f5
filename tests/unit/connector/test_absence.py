"""Each way in which a finding vanishes, made in a lab, seen by the source and explained by the real clients."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
import requests
from azure.mgmt.security import SecurityCenter
from azure.mgmt.security.v2024_01_01.models import Extension, Pricing

from apiward_connector.existence import Existence
from apiward_connector.explain import PRODUCER_GONE, RESOURCE_GONE, UNEXPLAINED, Explainer
from apiward_connector.finding import UNHEALTHY, Finding, Kind, Located, Statement
from apiward_connector.moments import NONE
from apiward_connector.place import locate
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.inventory import InventorySource
from apiward_connector.sources.metadata import MetadataSource
from apiward_connector.sources.plans import PlansSource
from apiward_connector.sources.policy import PolicySource
from apiward_core.arm import ArmClient
from apiward_core.arm_id import ArmId
from apiward_core.catalogue import UNCATALOGUED, load_catalogue
from apiward_core.errors import AccessError
from apiward_lab.lab import Lab
from apiward_lab.rbac import built_in
from tests.lab_credential import credential_of

ARM_SCOPE = "https://management.azure.com/.default"
AN_HOUR = timedelta(hours=1, minutes=1)
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"
NETWORK = "74e7dcff-317f-9635-41d2-ead5019acc99"
BASE_POLICIES = "0d7b1f52-3c64-4c1b-8a0f-6e3f5b9d2a44"
ENDPOINTS = {"91af2040-7874-4659-abf0-578e1f8d07dc", "4e8c00a2-e8bc-42a8-9e12-99584a51ad10"}
BENCHMARK = "/providers/Microsoft.Authorization/policySetDefinitions/1f3afdf9-d0c9-4c3d-847f-89da613e70a8"
ASSIGNMENT = "/providers/Microsoft.Authorization/policyAssignments"
POSTURE_OFF = Pricing(pricing_tier="Standard", extensions=[Extension(name="ApiPosture", is_enabled="False")])


class Tenant:
    """A lab, its admin, and its connector, who knows what he has seen in the first subscription."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.lab = lab
        self.subscription = lab.estate.subscriptions[0].subscription_id
        self._stack = stack
        self._source = AssessmentsSource(self._client("connector"))
        self._metadata = MetadataSource(self._client("connector")).load(self.subscription)
        self._seen = self._read()

    def explainer(self) -> Explainer:
        """An explainer as a new run has one."""
        arm = self._stack.enter_context(
            ArmClient(base_url=self.lab.base_url, user_agent="test", **self._as("connector"))
        )
        client = self._client("connector")
        return Explainer(
            existence=Existence(arm),
            plans=PlansSource(client),
            collections=InventorySource(client),
            policies=PolicySource(arm),
            catalogue=load_catalogue(),
        )

    def lost(self, after: timedelta = AN_HOUR) -> list[Finding]:
        """What has vanished since the beginning, once Defender has looked again."""
        self.lab.clock.advance(after)
        return [self._seen[name] for name in sorted(set(self._seen) - set(self._read()))]

    def present(self, key: str) -> Finding:
        """A finding that is there."""
        return next(lost for lost in self._seen.values() if lost.kind.key == key)

    def plan(self, name: str, pricing: Pricing) -> None:
        """The admin changes a plan."""
        self._client("admin")(self.subscription).pricings.update(f"subscriptions/{self.subscription}", name, pricing)

    def send(self, method: str, path: str, **properties: Any) -> None:
        """The admin writes a policy assignment."""
        token = credential_of(self.lab, "admin").get_token(ARM_SCOPE).token
        answer = requests.request(
            method,
            f"{self.lab.base_url}{path}?api-version=2023-04-01",
            json={"properties": properties},
            headers={"Authorization": f"Bearer {token}"},
            verify=str(self.lab.ca_bundle),
            timeout=30,
        )
        assert answer.ok, answer.text

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription}"

    @property
    def assignment(self) -> str:
        return f"{self.scope}{ASSIGNMENT}/SecurityCenterBuiltIn"

    def _read(self) -> Mapping[tuple[str, str], Finding]:
        raws = [raw for page in self._source.pages(self.subscription) for raw in page]
        return {(raw.properties.resource_details.id.lower(), raw.name): self._finding(raw) for raw in raws}

    def _finding(self, raw: Any) -> Finding:
        resource = ArmId.read(raw.properties.resource_details.id.lower())
        key, known = raw.name, load_catalogue().by_key(raw.name)
        slug, policy = known.slug if known else UNCATALOGUED, self._metadata[key].policy_definition_id
        kind = Kind(key, slug, "", "", "", policy)
        return Finding(b"", Statement(kind, UNHEALTHY), Located(locate(resource, {})), NONE, NONE)

    def _client(self, identity: str) -> Callable[[str], SecurityCenter]:
        def client(subscription_id: str) -> SecurityCenter:
            made = SecurityCenter(subscription_id=subscription_id, base_url=self.lab.base_url, **self._as(identity))
            self._stack.enter_context(made)
            return made

        return client

    def _as(self, identity: str) -> dict[str, Any]:
        credential = self._stack.enter_context(credential_of(self.lab, identity))
        return {
            "credential": credential,
            "credential_scopes": [ARM_SCOPE],
            "connection_verify": str(self.lab.ca_bundle),
        }


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Lab.start() as lab, ExitStack() as stack:
        yield Tenant(lab, stack)
        assert list(lab.unknown_routes) == []


def causes(tenant: Tenant, lost: list[Finding]) -> set[str | None]:
    explain = tenant.explainer()
    found = {explain(finding) for finding in lost}
    assert explain.gaps == ()
    return found


def test_a_deleted_resource(tenant: Tenant) -> None:
    service = next(service for service in tenant.lab.estate.services if service.name == "apim-contoso-orders")
    del service.apis["orders-v1"]
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} >= {ENCRYPTED, *ENDPOINTS}
    assert {finding.place.api for finding in lost} == {"orders-v1"}
    assert causes(tenant, lost) == {RESOURCE_GONE}


def test_a_deleted_service_takes_everything_with_it(tenant: Tenant) -> None:
    services = tenant.lab.estate.services
    services.remove(next(service for service in services if service.name == "apim-contoso-partner"))
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} >= {ENCRYPTED, NETWORK, *ENDPOINTS}
    assert causes(tenant, lost) == {RESOURCE_GONE}


def test_a_plan_and_an_extension_that_are_off(tenant: Tenant) -> None:
    tenant.plan("Api", Pricing(pricing_tier="Free"))
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} == ENDPOINTS
    assert causes(tenant, lost) == {UNEXPLAINED}  # API posture of Defender CSPM would produce them, too
    tenant.plan("CloudPosture", POSTURE_OFF)
    assert causes(tenant, lost) == {PRODUCER_GONE}


def test_an_offboarded_api(tenant: Tenant) -> None:
    tenant.plan("CloudPosture", POSTURE_OFF)
    service = next(service for service in tenant.lab.estate.services if service.name == "apim-contoso-retail")
    del service.onboarded["stores"]
    lost = tenant.lost()
    assert {finding.place.api for finding in lost} == {"stores"}
    assert causes(tenant, lost) == {PRODUCER_GONE}


def test_a_removed_assignment(tenant: Tenant) -> None:
    tenant.send("DELETE", tenant.assignment)
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} >= {ENCRYPTED, NETWORK}
    assert {finding.kind.key for finding in lost}.isdisjoint({BASE_POLICIES, *ENDPOINTS})
    about_apis = [finding for finding in lost if finding.kind.recommendation != UNCATALOGUED]
    assert causes(tenant, about_apis) == {PRODUCER_GONE}


@pytest.mark.parametrize(
    ("key", "properties"),
    [
        (
            NETWORK,
            {
                "parameters": {
                    "aPIManagementServicesShouldUseAVirtualNetworkMonitoringEffect": {"value": "Disabled"},
                }
            },
        ),
        (
            ENCRYPTED,
            {
                "overrides": [
                    {
                        "kind": "policyEffect",
                        "value": "Disabled",
                        "selectors": [
                            {
                                "kind": "policyDefinitionReferenceId",
                                "in": ["aPIManagementServiceShouldUseEncryptedProtocols"],
                            }
                        ],
                    }
                ]
            },
        ),
    ],
    ids=["by parameter", "by override"],
)
def test_a_disabled_effect(tenant: Tenant, key: str, properties: Mapping[str, Any]) -> None:
    tenant.send("PUT", tenant.assignment, policyDefinitionId=BENCHMARK, **properties)
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} == {key}
    assert causes(tenant, lost) == {PRODUCER_GONE}


def test_an_excluded_scope(tenant: Tenant) -> None:
    excluded = f"{tenant.scope}/resourceGroups/rg-retail-web"
    tenant.send("PUT", tenant.assignment, policyDefinitionId=BENCHMARK, notScopes=[excluded])
    lost = [finding for finding in tenant.lost() if "microsoft.apimanagement" in finding.place.resource_id]
    assert {finding.kind.key for finding in lost} >= {ENCRYPTED, NETWORK}
    assert all(finding.place.resource_id.startswith(excluded.lower()) for finding in lost)
    assert causes(tenant, lost) == {PRODUCER_GONE}


def test_an_assignment_without_enforcement_still_produces(tenant: Tenant) -> None:
    tenant.send("PUT", tenant.assignment, policyDefinitionId=BENCHMARK, enforcementMode="DoNotEnforce")
    assert tenant.lost() == []
    assert causes(tenant, [tenant.present(ENCRYPTED)]) == {UNEXPLAINED}


def test_an_inherited_assignment_of_an_own_initiative(tenant: Tenant) -> None:
    assert causes(tenant, [tenant.present(BASE_POLICIES)]) == {UNEXPLAINED}
    lab = tenant.lab
    root = f"/providers/Microsoft.Management/managementGroups/{lab.estate.tenant_id}"
    owner, admin = built_in("Owner").role_id, lab.applications["admin"].object_id
    lab.access.assign("root-owner", scope=root, role_id=owner, principal_id=admin, by="", at_once=True)
    tenant.send("DELETE", f"{root}{ASSIGNMENT}/contoso-api-baseline")
    lost = tenant.lost()
    assert {finding.kind.key for finding in lost} == {BASE_POLICIES}
    assert causes(tenant, lost) == {PRODUCER_GONE}


def test_a_page_that_slipped(tenant: Tenant) -> None:
    keys = (ENCRYPTED, NETWORK, *ENDPOINTS)
    assert causes(tenant, [tenant.present(key) for key in keys]) == {UNEXPLAINED}


def test_without_a_role_nothing_is_seen_to_vanish_and_nothing_is_explained(tenant: Tenant) -> None:
    lab, connector = tenant.lab, tenant.lab.applications["connector"].object_id
    for held in list(lab.access.assignments):
        if held.principal_id == connector:
            lab.access.unassign(held)
    with pytest.raises(AccessError):
        tenant.lost()
    explain = tenant.explainer()
    assert explain(tenant.present(ENCRYPTED)) == UNEXPLAINED
    [gap] = explain.gaps
    assert "AuthorizationFailed" in gap.why

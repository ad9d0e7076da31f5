"""What is assigned and exempted in the tenant from the beginning."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from apiward_lab.estate import Estate
from apiward_lab.estate.model import MANAGEMENT_GROUPS
from apiward_lab.policy.book import PolicyBook
from apiward_lab.policy.builtin import BENCHMARK, DEFINITIONS
from apiward_lab.policy.model import Member, PolicyAssignment, PolicyExemption, PolicySet
from apiward_lab.web import timestamp

ASSIGNED_BY_DEFENDER = "SecurityCenterBuiltIn"
"""The name of the assignment by which Defender for Cloud assigns the benchmark to a subscription."""

_BASE_POLICIES = "d5448c98-e503-4fdd-bcd2-784960c00d04"
_SANDBOX = "Contoso Sandbox"
_LASTS = timedelta(days=120)

# name, service, what in it, reference id, category, whether it expires
_EXEMPTIONS = (
    (
        "partner-chat-behind-vpn",
        "apim-contoso-partner",
        "apis/partner-chat",
        "aPIManagementServiceShouldUseEncryptedProtocols",
        "Mitigated",
        True,
    ),
    (
        "old-terminal-is-suspended",
        "apim-contoso-merchant",
        "subscriptions/old-terminal",
        "aPIManagementServiceShouldNotHaveAllApisScopedSubscriptions",
        "Waiver",
        False,
    ),
)


def seeded_policies(estate: Estate, at: datetime, *, scopes_above: Callable[[str], Sequence[str]]) -> PolicyBook:
    """The benchmark on every subscription, an initiative of Contoso's own at the root group, and two exemptions.

    In the sandbox, management ports are not looked at.
    """
    root = f"{MANAGEMENT_GROUPS}/{estate.tenant_id}"
    own = PolicySet(
        "contoso-api-baseline",
        "Contoso API baseline",
        [Member("inheritBasePolicies", DEFINITIONS[_BASE_POLICIES])],
        scope=root,
    )
    book = PolicyBook(definitions=list(DEFINITIONS.values()), sets=[BENCHMARK, own], scopes_above=scopes_above)
    for subscription in estate.subscriptions:
        off = {"restrictAccessToManagementPortsMonitoringEffect": {"value": "Disabled"}}
        display_name = f"ASC Default (subscription: {subscription.subscription_id})"
        parameters = off if subscription.name == _SANDBOX else {}
        book.assign(_assignment(subscription.resource_id, ASSIGNED_BY_DEFENDER, display_name, BENCHMARK, parameters))
    book.assign(_assignment(root, own.name, own.display_name, own, {}))
    for exemption in _exemptions(estate, at):
        book.exempt(exemption)
    return book


def _assignment(
    scope: str, name: str, display_name: str, assigned: PolicySet, parameters: dict[str, dict[str, str]]
) -> PolicyAssignment:
    properties = {
        "displayName": display_name,
        "policyDefinitionId": assigned.definition_id,
        "notScopes": [],
        "parameters": parameters,
        "enforcementMode": "Default",
    }
    return PolicyAssignment(scope, name, properties)


def _exemptions(estate: Estate, at: datetime) -> Sequence[PolicyExemption]:
    services = {service.name: service for service in estate.services}
    return [
        _exemption(services[service].resource_id, what, name, reference, category, at, expires=expires)
        for name, service, what, reference, category, expires in _EXEMPTIONS
    ]


def _exemption(
    service_id: str, what: str, name: str, reference: str, category: str, at: datetime, *, expires: bool
) -> PolicyExemption:
    subscription = "/".join(service_id.split("/")[:3])
    properties = {
        "policyAssignmentId": PolicyAssignment(subscription, ASSIGNED_BY_DEFENDER).assignment_id,
        "policyDefinitionReferenceIds": [reference],
        "exemptionCategory": category,
        "displayName": name.replace("-", " ").capitalize(),
    }
    if expires:
        properties["expiresOn"] = timestamp(at + _LASTS)
    return PolicyExemption(f"{service_id}/{what}", name, properties, created=at, changed=at)

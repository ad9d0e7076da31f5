"""API Management services should use a virtual network."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate

EVALUATED_SKUS = frozenset({"Developer", "StandardV2", "Premium", "PremiumV2"})
"""The policy's default; the other tiers cannot join a virtual network and comply as they are."""


class VirtualNetwork:
    """Unhealthy when a service of a tier that could join a virtual network is in none."""

    definition = Definition(
        key="74e7dcff-317f-9635-41d2-ead5019acc99",
        display_name="API Management services should use a virtual network",
        policy_id="ef619a2c-cc4d-4d03-b2ba-8c94a834d85b",
        description="A virtual network isolates the service and lets you decide who reaches it.",
        remediation="Deploy the API Management service into a virtual network.",
        severity="Medium",
        categories=("Networking",),
        user_impact="Moderate",
        effort="High",
        threats=("maliciousInsider", "dataExfiltration"),
        tactics=("Initial Access",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each service."""
        for service in estate.services:
            is_outside = service.sku in EVALUATED_SKUS and service.virtual_network_type == "None"
            yield Verdict(service.resource_id, is_healthy=not is_outside)

"""API Management direct management endpoint should not be enabled."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate


class DirectManagement:
    """Unhealthy while the tenant access of a service is enabled."""

    definition = Definition(
        key="e2aeced9-6ef0-410e-b948-4aaa65ded9a7",
        display_name="API Management direct management endpoint should not be enabled",
        policy_id="b741306c-968e-4b67-b916-5675e5c709f4",
        description="The direct management API passes by the roles and the throttling of Azure Resource Manager.",
        remediation="Disable the direct management REST API in the Management API settings of the service.",
        severity="Low",
        categories=("Networking",),
        threats=("maliciousInsider", "elevationOfPrivilege"),
        tactics=("Defense Evasion",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for the tenant access of each service."""
        for service in estate.services:
            access = service.tenant_access["access"]
            yield Verdict(service.child_id("tenant", access), is_healthy=not access.properties["enabled"])

"""API Management subscriptions should not be scoped to all APIs."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Entity, Estate


class AllApisSubscriptions:
    """Unhealthy while a subscription whose scope ends in /apis is active. The built-in one has the service as scope."""

    definition = Definition(
        key="44aae697-8cc1-4ed1-a136-44a644bfd51f",
        display_name="API Management subscriptions should not be scoped to all APIs",
        policy_id="3aa03346-d8c5-4994-a5bc-7652c2a2aef1",
        description="A key that opens every API of the service gives away more than its holder needs.",
        remediation="Give the subscription a product or a single API as its scope, or suspend it.",
        severity="Medium",
        categories=("IdentityAndAccess",),
        user_impact="Moderate",
        threats=("dataExfiltration", "elevationOfPrivilege"),
        tactics=("Initial Access",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each subscription of each service."""
        for service in estate.services:
            for entry in service.subscriptions.values():
                yield Verdict(service.child_id("subscriptions", entry), is_healthy=not _opens_all(entry))


def _opens_all(entry: Entity) -> bool:
    scope, state = str(entry.properties["scope"]), entry.properties["state"]
    return state == "active" and scope.lower().endswith("/apis")

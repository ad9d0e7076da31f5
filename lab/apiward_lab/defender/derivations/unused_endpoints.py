"""API endpoints that are unused should be disabled and removed from the Azure API Management service."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Producer, Verdict
from apiward_lab.defender.exposure import is_used, watched_operations
from apiward_lab.estate import Estate


class UnusedEndpoints:
    """Unhealthy when an operation has had no call for 30 days."""

    definition = Definition(
        key="4e8c00a2-e8bc-42a8-9e12-99584a51ad10",
        display_name=(
            "API endpoints that are unused should be disabled and removed from the Azure API Management service"
        ),
        policy_id="c8acafaf-3d23-44d1-9624-978ef0f8652c",
        description="Endpoints that nobody calls are often forgotten and no longer maintained.",
        remediation="Remove the operation from the API once you are sure that nobody needs it.",
        severity="Low",
        categories=("Compute",),
        threats=("dataExfiltration",),
        tactics=("Reconnaissance",),
        published="05/01/2023",
        producer=Producer.DEFENDER_FOR_APIS,
    )

    def verdicts(self, estate: Estate, now: datetime) -> Iterator[Verdict]:
        """One verdict for each operation of a watched API."""
        for resource_id, _, operation in watched_operations(estate, now):
            yield Verdict(resource_id, is_healthy=is_used(operation, now))

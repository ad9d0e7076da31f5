"""Microsoft Defender for APIs should be enabled."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.defender.exposure import has_plan
from apiward_lab.estate import Estate


class PlanEnabled:
    """Unhealthy for a subscription without the plan. No source prints the real key; this one is the lab's own."""

    definition = Definition(
        key="b1a3c1de-5f0e-4c55-9b1e-0a6f2f6f7c01",
        display_name="Microsoft Defender for APIs should be enabled",
        policy_id="7926a6d1-b268-4586-8197-e8ae90c877d7",
        description="The plan discovers API resources and watches those that are onboarded.",
        remediation="Enable the Defender for APIs plan in the environment settings of the subscription.",
        severity="High",
        categories=("Compute",),
        threats=("dataExfiltration", "accountBreach"),
        published="05/01/2023",
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each subscription."""
        for subscription in estate.subscriptions:
            yield Verdict(subscription.resource_id, is_healthy=has_plan(estate, subscription.subscription_id))

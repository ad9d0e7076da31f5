"""API Management policies should inherit a parent scope: an assessment that is in no catalogue."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate


class BasePolicies:
    """Unhealthy when the policy of an API leaves out <base />.

    The policy definition is Microsoft's; that Defender shows it, under this key, is made up: a reader has to keep
    assessments that it has never heard of.
    """

    definition = Definition(
        key="0d7b1f52-3c64-4c1b-8a0f-6e3f5b9d2a44",
        display_name="API Management policies should inherit a parent scope using <base />",
        policy_id="d5448c98-e503-4fdd-bcd2-784960c00d04",
        description="A policy without <base /> cuts off what was decided for all APIs of the service.",
        remediation="Add <base /> to each section of the policy.",
        severity="Medium",
        categories=("ApiManagement",),
        threats=("maliciousInsider",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each API that has a policy of its own."""
        for service, api in estate.apis():
            if api.policy:
                yield Verdict(service.api_id(api), is_healthy="<base" in api.policy)

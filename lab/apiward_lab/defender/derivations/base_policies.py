"""API Management policies should inherit parent scope policies: an assessment that is in no catalogue."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate

_SECTIONS = ("inbound", "backend", "outbound", "on-error")


class BasePolicies:
    """Unhealthy when a section of an API's policy does not begin with <base />.

    The policy definition is Microsoft's; that Defender shows it, under this key, is made up: a reader has to keep
    assessments that it has never heard of.
    """

    definition = Definition(
        key="0d7b1f52-3c64-4c1b-8a0f-6e3f5b9d2a44",
        display_name="API Management policies should inherit parent scope policies using <base />",
        policy_id="d5448c98-e503-4fdd-bcd2-784960c00d04",
        description="A policy without <base /> cuts off what was decided for all APIs of the service.",
        remediation="Begin each section of the policy with <base />.",
        severity="Medium",
        categories=("ApiManagement",),
        threats=("maliciousInsider",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each policy of an API."""
        for service, api in estate.apis():
            if api.policy:
                yield Verdict(f"{service.api_id(api)}/policies/policy", is_healthy=_inherits(api.policy))


def _inherits(policy: str) -> bool:
    """As the policy definition compares: without any whitespace."""
    text = "".join(policy.split())
    return all(f"<{section}><base/>" in text for section in _SECTIONS)

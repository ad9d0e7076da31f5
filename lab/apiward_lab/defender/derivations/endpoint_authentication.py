"""API endpoints in Azure API Management should be authenticated."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Producer, Verdict
from apiward_lab.defender.exposure import asks_who_calls, is_used, watched_operations
from apiward_lab.estate import Estate


class EndpointAuthentication:
    """Unhealthy when calls come in that nobody authenticates. Without recent calls there is nothing to judge."""

    definition = Definition(
        key="91af2040-7874-4659-abf0-578e1f8d07dc",
        display_name="API endpoints in Azure API Management should be authenticated",
        policy_id="8ac833bd-f505-48d5-887e-c993a1d3eea0",
        description="Endpoints that answer without checking who calls can be used by anyone who finds them.",
        remediation="Require a subscription key, or validate a token or a client certificate in the policy.",
        severity="High",
        categories=("Compute",),
        user_impact="High",
        effort="Moderate",
        threats=("dataExfiltration", "accountBreach"),
        tactics=("Initial Access", "Credential Access"),
        published="05/01/2023",
        producer=Producer.DEFENDER_FOR_APIS,
    )

    def verdicts(self, estate: Estate, now: datetime) -> Iterator[Verdict]:
        """One verdict for each operation of a watched API that was called in the last 30 days."""
        for resource_id, api, operation in watched_operations(estate, now):
            if is_used(operation, now):
                yield Verdict(resource_id, is_healthy=asks_who_calls(api))

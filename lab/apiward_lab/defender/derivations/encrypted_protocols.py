"""API Management APIs should use only encrypted protocols."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate

_UNENCRYPTED = {"http", "ws"}


class EncryptedProtocols:
    """Unhealthy when any protocol of an API is http or ws."""

    definition = Definition(
        key="741b141d-8111-4d86-a4e0-f74b06270a74",
        display_name="API Management APIs should use only encrypted protocols",
        policy_id="ee7495e7-3ba7-40b6-bfee-c29e22cc75d4",
        description="APIs should be reachable over HTTPS or WSS only, so that data is protected on its way.",
        remediation="Remove HTTP and WS from the URL scheme in the settings of the API.",
        severity="High",
        categories=("Networking",),
        user_impact="Moderate",
        threats=("dataExfiltration",),
        tactics=("Credential Access", "Collection"),
        techniques=("Network Sniffing",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each API and revision."""
        for service, api in estate.apis():
            yield Verdict(service.api_id(api), is_healthy=_UNENCRYPTED.isdisjoint(api.protocols))

"""Secure transfer to storage accounts should be enabled."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate


class SecureTransfer:
    """Unhealthy when a storage account takes plain HTTP."""

    definition = Definition(
        key="1c5de8e1-f68d-6a17-e0d2-ec259c42768c",
        display_name="Secure transfer to storage accounts should be enabled",
        policy_id="404c3081-a854-4457-ae30-26a93ef643f9",
        description="Storage accounts should refuse requests that are not encrypted.",
        remediation="Enable 'Secure transfer required' in the configuration of the storage account.",
        severity="High",
        categories=("Data",),
        threats=("dataExfiltration", "dataSpillage"),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each storage account."""
        for account in estate.storage_accounts:
            yield Verdict(account.resource_id, is_healthy=account.https_only)

"""Storage account public access should be disallowed."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Verdict
from apiward_lab.estate import Estate


class PublicBlobs:
    """Unhealthy when a storage account allows anonymous reading of blobs."""

    definition = Definition(
        key="51fd8bb1-0db4-bbf1-7e2b-cfcba7eb66a6",
        display_name="Storage account public access should be disallowed",
        policy_id="4fa4b6c0-31ca-4c0d-b10d-24b96f62a751",
        description="Anonymous read access to blobs can leak data.",
        remediation="Set allowBlobPublicAccess to false on the storage account.",
        severity="Medium",
        categories=("Data",),
        threats=("dataExfiltration",),
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each storage account."""
        for account in estate.storage_accounts:
            yield Verdict(account.resource_id, is_healthy=not account.allow_public_blobs)

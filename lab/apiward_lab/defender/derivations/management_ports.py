"""Management ports should be closed on your virtual machines."""

from collections.abc import Iterator
from datetime import datetime

from apiward_lab.defender.definition import Definition, Producer, Verdict
from apiward_lab.estate import Estate


class ManagementPorts:
    """Unhealthy when a machine's management ports are open to the Internet."""

    definition = Definition(
        key="bc303248-3d14-44c2-96a0-55f5c326b5fe",
        display_name="Management ports should be closed on your virtual machines",
        policy_id="22730e10-96f6-4aac-ad84-9383d35b5917",
        description="Open remote management ports expose a machine to brute-force attacks from the Internet.",
        remediation="Restrict the inbound rules of the network security group for the management ports.",
        severity="Medium",
        categories=("Networking",),
        threats=("accountBreach",),
        producer=Producer.DEFENDER,
    )

    def verdicts(self, estate: Estate, _now: datetime) -> Iterator[Verdict]:
        """One verdict for each virtual machine."""
        for machine in estate.machines:
            yield Verdict(machine.resource_id, is_healthy=machine.management_ports_closed)

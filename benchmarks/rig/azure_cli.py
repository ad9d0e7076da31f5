"""Azure CLI against the service: it signs in to a cloud of its own, in a configuration folder of its own."""

import os
import subprocess
from pathlib import Path
from shutil import which

from rig.estate import TENANT_ID


def is_installed() -> bool:
    """Whether there is an `az` on the path."""
    return which("az") is not None


class AzureCli:
    """An `az` that is signed in. Nothing of the user's own configuration is read or written."""

    def __init__(self, *, url: str, ca: str, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(folder),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": ca,
        }
        places = ("resource-manager", "management", "active-directory", "active-directory-resource-id")
        named = [
            part for place in (*places, "active-directory-graph-resource-id") for part in (f"--endpoint-{place}", url)
        ]
        self._az("cloud", "register", "--name", "Benchmark", *named)
        self._az("cloud", "set", "--name", "Benchmark")
        who = ("--username", TENANT_ID, "--password", "anything", "--tenant", TENANT_ID)
        self._az("login", "--service-principal", *who)

    def list_assessments(self, subscription_id: str) -> None:
        """Read the assessments of one subscription, and print nothing."""
        self._az("security", "assessment", "list", "--subscription", subscription_id)

    def _az(self, *arguments: str) -> None:
        command = ["az", *arguments, "--output", "none", "--only-show-errors"]
        subprocess.run(command, env=self._environment, check=True)  # noqa: S603 - the user's own az, on fixed arguments

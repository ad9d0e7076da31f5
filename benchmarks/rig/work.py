"""What is measured: one piece of work a process.

    python -m rig.work NAME < ARGUMENTS.json

prints one line of JSON, the members of `rig.processes.Usage`. The interpreter's start is left out of its times, and so
is what the work imports at its beginning; memory is the most that the whole process had.
"""

import json
import resource
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, time
from typing import Any

from azure.core.credentials import AccessToken

from rig.azure_cli import AzureCli
from rig.estate import TENANT_ID

RULE = "dcr-" + "0" * 32
Work = Callable[[], Mapping[str, Any]]


class Signed:
    """A credential that has its token already. It is as long as one of Entra's."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, for whatever it is."""
        del scopes, options
        return AccessToken("0" * 1_500, int(time()) + 3_600)


def baseline(url: str, ca: str, subscriptions: list[str]) -> Work:
    """What a user would write: the SDK's list of assessments, as dictionaries, into the SDK's upload."""
    from azure.mgmt.security import SecurityCenter  # noqa: PLC0415 - only this work needs it
    from azure.monitor.ingestion import LogsIngestionClient  # noqa: PLC0415

    def run() -> Mapping[str, Any]:
        signed: dict[str, Any] = {"connection_verify": ca, "credential_scopes": [f"{url}/.default"]}
        logs = LogsIngestionClient(url, Signed(), **signed)
        for subscription in subscriptions:
            security = SecurityCenter(Signed(), subscription, base_url=url, **signed)
            now = datetime.now(UTC).isoformat()
            assessments = security.assessments.list(f"subscriptions/{subscription}")
            logs.upload(RULE, "Custom-Baseline", [{"TimeGenerated": now, **item.as_dict()} for item in assessments])
        return {}

    return run


def connector(url: str, ca: str, subscriptions: list[str], state: str, source: str, offset: float) -> Work:
    """The connector as the command line makes it, with its defaults."""
    from apiward.wiring import App  # noqa: PLC0415 - only this work needs it
    from apiward_core.clients import AzureClients  # noqa: PLC0415
    from apiward_core.clock import SystemClock  # noqa: PLC0415
    from apiward_core.settings import explicit_settings  # noqa: PLC0415

    settings = explicit_settings(
        cloud="custom",
        arm_endpoint=url,
        ca_bundle=ca,
        tenant_id=TENANT_ID,
        subscriptions=subscriptions,
        source=source,
        ingestion_endpoint=url,
        dcr_immutable_id=RULE,
        state_dir=state,
        clock_offset=offset,
    )

    def run() -> Mapping[str, Any]:
        with AzureClients(settings, credential=Signed()) as clients:
            report = App(settings, clients, SystemClock(settings.offset)).connector().run(settings.subscriptions)
        return {"gaps": [f"{gap.what}: {gap.why}" for scope in report.scopes for gap in scope.gaps]}

    return run


def az(url: str, ca: str, subscription: str, folder: str) -> Work:
    """The reading half by Azure CLI, which has signed in before."""
    cli = AzureCli(url=url, ca=ca, folder=Path(folder))

    def run() -> Mapping[str, Any]:
        cli.list_assessments(subscription)
        return {}

    return run


def load(state: str, subscription: str) -> Work:
    """Reading the state of one subscription."""
    from apiward_connector.state_store import StateStore  # noqa: PLC0415 - only this work needs it
    from apiward_core.clock import SystemClock  # noqa: PLC0415
    from apiward_core.folder_objects import FolderObjects  # noqa: PLC0415

    def run() -> Mapping[str, Any]:
        StateStore(FolderObjects(Path(state) / "objects"), clock=SystemClock()).load(f"/subscriptions/{subscription}")
        return {}

    return run


def main(name: str, about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do the work of that name, with the processes that it starts; gives the members of `rig.processes.Usage`."""
    work = _WORKS[name](**about)
    cpu, wall = _cpu(), perf_counter()
    said = work()
    wall, cpu = perf_counter() - wall, _cpu() - cpu
    return {"wall": wall, "cpu": cpu, "peak_mb": max(usage.ru_maxrss for usage in _usages()) / _MB, "said": said}


def _cpu() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _usages() -> tuple[resource.struct_rusage, resource.struct_rusage]:
    return resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)


_MB = 1024 if sys.platform == "linux" else 1024 * 1024  # Linux counts in KB, macOS in bytes
_WORKS: Mapping[str, Callable[..., Work]] = {"baseline": baseline, "az": az, "connector": connector, "load": load}

if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.load(sys.stdin))))

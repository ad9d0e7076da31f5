"""What host.json says, and the app settings that override it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from apiward_lab.functions.declared import LoadError
from apiward_lab.functions.timespan import parse_timespan

_OVERRIDE = "AzureFunctionsJobHost__extensions__queues__"
_QUEUE_OPTIONS = {
    "batchSize",
    "maxDequeueCount",
    "maxPollingInterval",
    "messageEncoding",
    "newBatchThreshold",
    "visibilityTimeout",
}
_LARGEST_BATCH = 32


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The options of extension 5.x for queues, with its defaults, and the prefix of HTTP routes."""

    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int
    visibility_timeout: timedelta
    base64: bool
    route_prefix: str

    @property
    def at_once(self) -> int:
        """The most messages of one queue that are worked on at a time."""
        return self.batch_size + self.new_batch_threshold


def read_options(folder: Path, settings: Mapping[str, str]) -> HostOptions:
    """The options of the app in `folder` under these app settings.

    Raises LoadError for a host.json that the host would refuse, and for queue options that it would not know.
    """
    try:
        document = json.loads((folder / "host.json").read_text("utf-8"))
        if document["version"] != "2.0":
            raise LoadError(f"host.json has version {document['version']!r}; Functions 4.x reads 2.0")
        if "extensionBundle" not in document:
            raise LoadError("host.json has no extensionBundle, so a Python app has no queue bindings")
        extensions = document.get("extensions", {})
        prefix = extensions.get("http", {}).get("routePrefix", "api")
        return _options({**extensions.get("queues", {}), **_overrides(settings)}, prefix)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise LoadError(f"host.json of {folder} cannot be used: {error!r}") from error


def _overrides(settings: Mapping[str, str]) -> dict[str, Any]:
    return {name.removeprefix(_OVERRIDE): value for name, value in settings.items() if name.startswith(_OVERRIDE)}


def _options(queues: Mapping[str, Any], prefix: str) -> HostOptions:
    if unknown := queues.keys() - _QUEUE_OPTIONS:
        raise LoadError(f"host.json has unknown queue options: {sorted(unknown)}")
    batch = int(queues.get("batchSize", 16))
    encoding = queues.get("messageEncoding", "base64")
    if not 1 <= batch <= _LARGEST_BATCH or encoding not in {"base64", "none"}:
        raise LoadError(f"host.json: batchSize {batch} or messageEncoding {encoding!r} is not possible")
    return HostOptions(
        batch_size=batch,
        new_batch_threshold=int(queues.get("newBatchThreshold", batch // 2)),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        visibility_timeout=parse_timespan(queues.get("visibilityTimeout", "00:00:00")),
        base64=encoding == "base64",
        route_prefix=prefix,
    )

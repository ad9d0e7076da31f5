"""Workbooks as resources of Azure Resource Manager: Microsoft.Insights/workbooks, api-version 2023-06-01.

The resource's name must be a GUID, and workspaces of one resource group share the collection, so the name is made of
both workspace and workbook. `sourceId` binds it to its workspace; Microsoft Sentinel lists what is bound to its
workspace in the category sentinel.
"""

from typing import Any, Protocol

import orjson

from apiward_core.arm_id import ArmId
from apiward_core.content import Json, Kind
from apiward_core.errors import MissingError
from apiward_workbooks.load import Shipped

WORKBOOK = Kind(
    name="workbook",
    collection="{group}/providers/Microsoft.Insights/workbooks",
    api_version="2023-06-01",
    envelope={"kind": "shared"},
    # sourceId is written, but a service that spells ids in its own way would make each look edited
    service_owned=frozenset({"sourceId", "storageUri", "revision", "timeModified", "userId", "tags"}),
    enums=frozenset({"category"}),
    named_by_workspace=True,
)
_WORKSPACES_API_VERSION = "2023-09-01"
_KEPT = ("location", "tags", "identity")


def workbook_properties(shipped: Shipped) -> Json:
    """The `properties` of the workbook's resource, but for `sourceId`, which `WorkbookResources` adds."""
    document = orjson.loads(shipped.text)
    return {
        "displayName": shipped.title,
        "description": shipped.description,
        "category": "sentinel",
        "version": document["version"],
        "serializedData": orjson.dumps(document).decode(),
    }


class Arm(Protocol):
    """Reads and writes ARM resources; `apiward_core.arm.ArmClient` is one."""

    def get(self, path: str, *, api_version: str, **query: str) -> Json:
        """The resource. Raises MissingError when there is none."""
        ...

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        """Create or replace."""
        ...


class WorkbookResources:
    """The workbooks of one workspace, addressed by ARM id."""

    def __init__(self, arm: Arm, *, workspace: ArmId) -> None:
        self._arm = arm
        self._workspace = workspace

    def get(self, path: str, *, api_version: str) -> Json:
        """The workbook with its document, which the service leaves out unless it is asked for it.

        Raises MissingError when there is none.
        """
        return self._arm.get(path, api_version=api_version, canFetchContent="true")

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        """Create or replace the workbook. Raises ConflictError when the etag in `body` is stale.

        A new one is placed where the workspace is; one that exists keeps its location, tags, identity and storage.
        """
        envelope, storage = self._place(path, api_version)
        properties = {**storage, **body["properties"], "sourceId": self._workspace.text}
        return self._arm.put(path, {**envelope, **body, "properties": properties}, api_version=api_version)

    def _place(self, path: str, api_version: str) -> tuple[Json, Json]:
        try:
            found = self.get(path, api_version=api_version)
        except MissingError:
            workspace = self._arm.get(self._workspace.text, api_version=_WORKSPACES_API_VERSION)
            return {"location": workspace["location"]}, {}
        properties: dict[str, Any] = found.get("properties") or {}
        storage = {"storageUri": properties["storageUri"]} if properties.get("storageUri") else {}
        return {name: found[name] for name in _KEPT if found.get(name)}, storage

"""Shipped content against what a workspace has of it, brought up to date without losing what an analyst changed.

Rules, functions, hunting queries, automation rules and workbooks are ARM resources alike: an envelope around
`properties`, and an `etag` in the body by which the service refuses a write over somebody else's. So one class plans
and applies all of them, and a `Kind` holds what differs.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID, uuid5

import orjson

from apiward_core.arm_id import ArmId
from apiward_core.content_lock import Lock
from apiward_core.errors import ConflictError, MissingError

Json = dict[str, Any]

_DURATION = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.0+)?S)?)?", re.IGNORECASE | re.ASCII
)
_SECONDS = (604_800, 86_400, 3_600, 60, 1)
_ATTEMPTS = 2


@dataclass(frozen=True)
class Kind:
    """One kind of content.

    `collection` is the path of its resources, with `{workspace}` for the workspace's ARM id and `{group}` for that of
    its resource group; `envelope` stands beside `properties` in every body. The rest tells two spellings of one state
    from two states, by field name at any depth: `service_owned` fields are the service's, `enums` compare without case,
    `durations` are ISO 8601, and `defaults` are what an absent field means. Kinds whose collection is shared by several
    workspaces are `named_by_workspace`: names are GUIDs, and of each one per workspace is made.
    """

    name: str
    collection: str
    api_version: str
    envelope: Mapping[str, Any] = field(default_factory=dict)
    service_owned: frozenset[str] = frozenset()
    enums: frozenset[str] = frozenset()
    durations: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    named_by_workspace: bool = False

    def normalise(self, properties: Mapping[str, Any]) -> Json:
        """`properties` in the one spelling that is compared: no empty or default fields, lists sorted."""
        return {
            name: value
            for name, value in ((name, self._normal(name, value)) for name, value in properties.items())
            if name not in self.service_owned and not _is_empty(value) and value != self.defaults.get(name)
        }

    def digest(self, properties: Mapping[str, Any]) -> str:
        """SHA-256 of the normalised `properties`, in hexadecimal digits."""
        return hashlib.sha256(_canonical(self.normalise(properties))).hexdigest()

    def _normal(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.normalise(value)
        if isinstance(value, list | tuple):
            return sorted((self._normal(name, item) for item in value), key=_canonical)
        if not isinstance(value, str):
            return value
        if name in self.durations:
            return _seconds(value)
        if name in self.enums:
            return value.casefold()
        return value.replace("\r\n", "\n").strip()


@dataclass(frozen=True)
class ContentItem:
    """One thing that is shipped: `id` is ours and never changes, `name` is the resource's, or what that is made of."""

    kind: Kind
    id: str
    name: str
    version: str
    properties: Json

    @property
    def digest(self) -> str:
        """Of the properties as they are shipped."""
        return self.kind.digest(self.properties)

    def resource_id(self, workspace: ArmId) -> str:
        """The ARM id that the item has, or will have, in `workspace`."""
        group = f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
        name = str(uuid5(UUID(self.name), workspace.key)) if self.kind.named_by_workspace else self.name
        return f"{self.kind.collection.format(workspace=workspace, group=group)}/{name}"


class State(StrEnum):
    """How a workspace stands to an item. `EDITED`: what is there was never shipped, so somebody's hand made it."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    EDITED = "edited"


@dataclass(frozen=True)
class Step:
    """What was found of one item, and whether it was written.

    `found` is the shipped version that the workspace has (None: no resource, or an edited one); `differs` names the
    properties that are not as shipped.
    """

    item: ContentItem
    state: State
    found: str | None = None
    differs: tuple[str, ...] = ()
    etag: str | None = None
    written: bool = False


class ArmResources(Protocol):
    """Reads and writes resources of one kind; `apiward_core.arm.ArmClient` does so for any."""

    def get(self, path: str, *, api_version: str) -> Json:
        """The resource. Raises MissingError when there is none."""
        ...

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        """Create or replace. Raises ConflictError when the etag in `body` is stale."""
        ...


class Content:
    """The shipped content of one workspace.

    `resources` gives what reads and writes a kind; `lock` knows every state that was ever shipped.
    """

    def __init__(self, resources: Callable[[Kind], ArmResources], *, workspace: ArmId, lock: Lock) -> None:
        self._resources = resources
        self._workspace = workspace
        self._lock = lock

    def plan(self, items: Iterable[ContentItem]) -> list[Step]:
        """How the workspace stands to each item. Reads only."""
        return [self._look(item) for item in items]

    def apply(self, items: Iterable[ContentItem], *, overwrite: bool = False) -> list[Step]:
        """Create and update in the given order; edited items are kept unless `overwrite`.

        Doing it again writes nothing. Raises ConflictError when somebody changes an item each time before the write.
        """
        return [self._bring(item, overwrite=overwrite) for item in items]

    def _look(self, item: ContentItem) -> Step:
        try:
            resource = self._resources(item.kind).get(
                item.resource_id(self._workspace), api_version=item.kind.api_version
            )
        except MissingError:
            return Step(item, State.CREATE, differs=tuple(sorted(item.properties)))
        deployed = resource.get("properties") or {}
        digest = item.kind.digest(deployed)
        found = self._lock.version(item.id, digest)
        if digest == item.digest:
            state, found = State.UNCHANGED, item.version
        else:
            state = State.UPDATE if found else State.EDITED
        return Step(item, state, found, _differences(item, deployed), resource.get("etag"))

    def _bring(self, item: ContentItem, *, overwrite: bool) -> Step:
        wanted = {State.CREATE, State.UPDATE} | ({State.EDITED} if overwrite else set())
        for attempt in range(1, _ATTEMPTS + 1):
            step = self._look(item)
            if step.state not in wanted:
                return step
            try:
                self._write(step)
                break
            except ConflictError:
                if attempt == _ATTEMPTS:
                    raise
        return replace(step, written=True)

    def _write(self, step: Step) -> None:
        kind = step.item.kind
        body = {**kind.envelope, "properties": step.item.properties}
        if step.etag:
            body["etag"] = step.etag
        self._resources(kind).put(step.item.resource_id(self._workspace), body, api_version=kind.api_version)


def _differences(item: ContentItem, deployed: Json) -> tuple[str, ...]:
    shipped, found = item.kind.normalise(item.properties), item.kind.normalise(deployed)
    return tuple(sorted(name for name in shipped.keys() | found.keys() if shipped.get(name) != found.get(name)))


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _seconds(text: str) -> str | int:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return text
    return sum(int(count) * unit for count, unit in zip(match.groups(), _SECONDS, strict=True) if count)

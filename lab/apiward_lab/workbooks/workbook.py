"""One workbook, and the rules by which a request makes or changes it (Workbooks 2023-06-01)."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apiward_lab.web import Json, Problem, timestamp

_REQUIRED = ("displayName", "category", "serializedData")
_CHANGEABLE = ("displayName", "category", "serializedData", "tags", "description")


@dataclass(frozen=True)
class Workbook:
    """A revision of a workbook. `properties` holds those that a caller may set, `revision` names this state of them."""

    resource_id: str
    location: str
    properties: Mapping[str, Any]
    tags: Mapping[str, str]
    user_id: str
    modified: datetime
    revision: str

    @property
    def name(self) -> str:
        """The GUID."""
        return self.resource_id.rpartition("/")[2]

    def body(self, *, with_content: bool) -> Json:
        """The resource as the REST API shows it; without its content `serializedData` is null."""
        own = {
            "userId": self.user_id,
            "timeModified": timestamp(self.modified),
            "storageUri": None,
            "revision": self.revision,
        }
        hidden = {} if with_content else {"serializedData": None}
        return {
            "id": self.resource_id,
            "name": self.name,
            "type": "microsoft.insights/workbooks",
            "location": self.location,
            "kind": "shared",
            "etag": f'"{self.revision}"',
            "tags": dict(self.tags),
            "properties": {**self.properties, **own, **hidden},
        }


def put(resource_id: str, body: Any, *, source_id: str | None, user_id: str, now: datetime) -> Workbook:
    """The workbook that a PUT makes. `source_id` is the query's, which stands above the body's. Raises Problem 400."""
    properties = _properties(body)
    if not body.get("location"):
        raise Problem(400, "LocationRequired", "The location property is required for this definition.")
    for name in _REQUIRED:
        if not properties.get(name):
            raise _invalid(f"Workbook '{_name(resource_id)}' needs properties.{name}.")
    _check(resource_id, body, properties)
    kept = {name: properties[name] for name in (*_CHANGEABLE, "version", "sourceId") if properties.get(name)}
    return Workbook(
        resource_id=resource_id,
        location=body["location"],
        properties=kept | ({"sourceId": source_id} if source_id else {}),
        tags=body.get("tags") or {},
        user_id=user_id,
        modified=now,
        revision=uuid.uuid4().hex,
    )


def patch(before: Workbook, body: Any, *, source_id: str | None, user_id: str, now: datetime) -> Workbook:
    """The workbook that a PATCH leaves. Raises Problem 400."""
    properties = _properties(body) if body.get("properties") is not None else {}
    _check(before.resource_id, body, properties)
    changed = {name: properties[name] for name in _CHANGEABLE if name in properties}
    return replace(
        before,
        properties={**before.properties, **changed, **({"sourceId": source_id} if source_id else {})},
        tags=before.tags if body.get("tags") is None else body["tags"],
        user_id=user_id,
        modified=now,
        revision=uuid.uuid4().hex,
    )


def _properties(body: Any) -> Mapping[str, Any]:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise _invalid("The body of a workbook needs 'properties'.")
    return properties


def _check(resource_id: str, body: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    if body.get("kind", "shared") != "shared":
        raise _invalid(f"Workbook '{_name(resource_id)}': kind '{body['kind']}' is not 'shared'.")
    if "serializedData" not in properties:
        return
    try:
        content = json.loads(properties["serializedData"])
    except (TypeError, ValueError) as error:
        raise _invalid(
            f"Workbook '{_name(resource_id)}': serializedData is not a string that holds valid JSON: {error}"
        ) from error
    if not isinstance(content, dict):
        raise _invalid(f"Workbook '{_name(resource_id)}': serializedData must hold a JSON object.")


def check_name(resource_id: str) -> None:
    """Raise Problem 400 unless the resource's name is a GUID."""
    try:
        uuid.UUID(_name(resource_id))
    except ValueError as error:
        raise _invalid(f"Invalid Workbook resource name: '{_name(resource_id)}'. It must be a GUID.") from error


def _name(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]


def _invalid(message: str) -> Problem:
    return Problem(400, "BadRequest", message)

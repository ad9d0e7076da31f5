"""What a request wants to change."""

from collections.abc import Collection, Mapping
from typing import Any

from apiward_lab.apim.problems import validation_error
from apiward_lab.web import Call


def sent_properties(call: Call, *, read_only: Collection[str] = ()) -> dict[str, Any]:
    """The properties of the body without those that the service sets itself. Raises Problem 400."""
    body = call.json()
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise validation_error("properties", "The body must hold an object named properties.")
    return {name: value for name, value in properties.items() if name not in read_only}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged, everything else is replaced, null removes."""
    result = dict(old)
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result

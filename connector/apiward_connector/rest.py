"""Members of REST documents, found in any case: Resource Graph writes "Id" where the REST API writes "id"."""

from typing import Any

from apiward_core.clock import parse_timestamp, timestamp


def member(document: Any, *path: str) -> Any:
    """The value at `path` without regard to case; None where the path leaves the objects of the document."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document[name] if name in document else _in_any_case(document, name)
    return document


def _in_any_case(document: dict[Any, Any], name: str) -> Any:
    wanted = name.lower()
    return next((value for key, value in document.items() if isinstance(key, str) and key.lower() == wanted), None)


def text(document: Any, *path: str) -> str:
    """The text at `path`; numbers are spelled out, everything that is no scalar is ""."""
    value = member(document, *path)
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or isinstance(value, dict | list) else str(value)


def texts(document: Any, *path: str) -> tuple[str, ...]:
    """The non-empty texts of the list at `path`; () when there is no list."""
    value = member(document, *path)
    return (
        tuple(item.strip() for item in value if isinstance(item, str) and item.strip())
        if isinstance(value, list)
        else ()
    )


def moment(document: Any, *path: str) -> str:
    """The time at `path` as apiward writes times, "" when there is none that can be read."""
    try:
        return timestamp(parse_timestamp(text(document, *path)))
    except ValueError:
        return ""

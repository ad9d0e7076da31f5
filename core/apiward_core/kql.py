"""Values into KQL without concatenation: each becomes a typed literal in a `let` statement before the query."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apiward_core.clock import timestamp

Scalar = str | bool | int | float | datetime | timedelta
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\u0085": "\\u0085"}


def bind(query: str, **values: Scalar | list[str]) -> str:
    """`query` with one `let name = literal;` per value before it.

    A list of strings becomes a dynamic array. Raises ValueError for a name that is no KQL identifier and TypeError for
    a value of another type.
    """
    for name in values:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no KQL identifier")
    return "".join(f"let {name} = {literal(value)};\n" for name, value in values.items()) + query


def literal(value: Scalar | list[str]) -> str:
    """The KQL literal of `value`."""
    for kind, write in _LITERALS:
        if isinstance(value, kind):
            return write(value)
    raise TypeError(f"{type(value).__name__} has no KQL literal")


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(_UNSAFE.get(character, character) for character in quoted)


_LITERALS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),  # before int: a bool is one in Python
    (str, _string),
    (int, lambda value: f"long({value})"),
    (float, lambda value: f"real({value!r})"),
    (datetime, lambda value: f"datetime({timestamp(value)})"),
    (timedelta, lambda value: f"{int(value.total_seconds() * 1000)}ms"),
    (list, lambda value: f"dynamic([{', '.join(map(_string, value))}])"),
)

"""Columns: the types of Log Analytics, how DuckDB stores them and what the service makes of a JSON value."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_FIELD_BYTES = 64 * 1024
"""Longer values are cut without a word (Azure Monitor service limits, custom logs)."""

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "boolean": "BOOLEAN",
    "dynamic": "JSON",
    "datetime": "TIMESTAMP",
    "guid": "UUID",
}
STREAM_TYPES = ("string", "int", "long", "real", "boolean", "datetime", "dynamic")
"""Column types of a stream (DataCollectionRules 2023-03-11, ColumnDefinition)."""

TABLE_TYPES = (*STREAM_TYPES, "guid")
"""Column types of a custom table (Tables 2023-09-01, Column)."""

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Column:
    """One column of a table or a stream; `type` is in lower case."""

    name: str
    type: str
    description: str = ""


def convert(value: Any, kind: str) -> Any:
    """What the service stores for a JSON value in a column of that type.

    A value that does not fit becomes null, as Azure Data Explorer documents for ingestion ("Value not matching the
    table schema data type: NULL value filled"); an absent string is the empty string, because strings are never null.
    """
    if value is None:
        return "" if kind == "string" else None
    return _CONVERTERS[kind](value)


def _string(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return _cut(text)


def _cut(text: str) -> str:
    if len(text) * 4 <= MAX_FIELD_BYTES:
        return text
    return text.encode()[:MAX_FIELD_BYTES].decode(errors="ignore")


def _integer(allowed: range) -> Callable[[Any], int | None]:
    def convert_integer(value: Any) -> int | None:
        number = _number(value)
        if number is None or number != math.floor(number) or int(number) not in allowed:
            return None
        return int(number)

    return convert_integer


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool | int | float):
        number = value
    elif isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                return None
    else:
        return None
    return number if isinstance(number, int) or math.isfinite(number) else None


def _real(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else float(number)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower())
    return bool(value) if isinstance(value, bool | int | float) else None


def _datetime(value: Any) -> str | None:
    moment = parse_datetime(value) if isinstance(value, str) else None
    return None if moment is None else moment.replace(tzinfo=None).isoformat()


def parse_datetime(text: str) -> datetime | None:
    """An ISO 8601 moment in UTC (a text without offset is UTC), or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _dynamic(value: Any) -> Any:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value if len(text) * 4 <= MAX_FIELD_BYTES or len(text.encode()) <= MAX_FIELD_BYTES else _cut(text)


def _guid(value: Any) -> str | None:
    text = str(value).strip("{}").lower()
    digits = text.replace("-", "")
    return text if len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits) else None  # noqa: PLR2004 - hexadecimal digits of a GUID


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "int": _integer(_INT),
    "long": _integer(_LONG),
    "real": _real,
    "boolean": _boolean,
    "dynamic": _dynamic,
    "datetime": _datetime,
    "guid": _guid,
}

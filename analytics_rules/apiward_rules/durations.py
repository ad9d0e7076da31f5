"""Durations as rule YAML spells them, and as Azure Resource Manager does."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_SHORT = re.compile(r"(\d+)([mhd])")
_DOTTED = re.compile(r"(?:(\d+)\.)?([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: Any) -> Any:
    """The duration that `47h`, `5m`, `2d` or `1.02:03:04` names; a timedelta is passed on.

    Raises ValueError for anything else, ISO 8601 included: Azure-Sentinel's own checks refuse that in YAML.
    """
    if isinstance(text, timedelta):
        return text
    if short := _SHORT.fullmatch(str(text)):
        return timedelta(**{_UNITS[short[2]]: int(short[1])})
    if dotted := _DOTTED.fullmatch(str(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in dotted.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise ValueError(f"{text!r} is no duration: write a number with m, h or d, or [d.]hh:mm:ss (not ISO 8601)")


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


def iso(duration: timedelta) -> str:
    """ISO 8601, as ARM wants it: whole days, then hours, minutes and seconds; PT0S for none."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{duration.days}D" if duration.days else ""
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return f"P{days}{'T' + time if time else ''}" if days or time else "PT0S"

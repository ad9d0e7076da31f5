"""Durations as host.json and function.json write them: [d.]hh:mm:ss[.fff]."""

import re
from datetime import timedelta

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?")


def parse_timespan(text: object) -> timedelta:
    """The duration that `text` writes. Raises ValueError when it writes none."""
    found = _TIMESPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 00:05:00")
    days, hours, minutes, seconds, fraction = found.groups(default="0")
    return timedelta(
        days=int(days), hours=int(hours), minutes=int(minutes), seconds=int(seconds) + float(f"0.{fraction}")
    )

"""Time ranges as people write and read them."""

import re
from datetime import timedelta

from apiward_core.errors import ConfigurationError

_ISO = re.compile(
    r"P(?:(?P<weeks>\d{1,3})W)?(?:(?P<days>\d{1,4})D)?(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?)?",
    re.ASCII,
)
_SHORT = re.compile(r"(?P<number>\d{1,6})(?P<unit>[mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZES = (("day", 1440), ("hour", 60), ("minute", 1))
LONGEST = timedelta(days=730)
"""Interactive retention of a Log Analytics workspace, at most."""


def parse_time_range(text: str) -> timedelta:
    """The duration that `30d`, `12h`, `90m`, `4w` or ISO 8601 such as `P30D` or `PT12H` names.

    Raises ConfigurationError for anything else, for none, and for more than two years.
    """
    if short := _SHORT.fullmatch(text.lower()):
        duration = timedelta(**{_UNITS[short["unit"]]: int(short["number"])})
    elif iso := _ISO.fullmatch(text.upper()):
        duration = timedelta(**{unit: int(number) for unit, number in iso.groupdict().items() if number})
    else:
        duration = timedelta(0)
    if not timedelta(0) < duration <= LONGEST:
        raise ConfigurationError(
            f"{text!r} is no time range between a minute and {LONGEST.days} days.",
            remedy="Write for example 30d, 12h, P30D or PT12H.",
        )
    return duration


def in_words(duration: timedelta) -> str:
    """The duration in its largest whole unit: "30 days", "12 hours", "90 minutes"."""
    minutes = max(1, round(duration.total_seconds() / 60))
    unit, size = next((unit, size) for unit, size in _SIZES if minutes % size == 0)
    count = minutes // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"

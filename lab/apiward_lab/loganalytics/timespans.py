"""ISO 8601 durations and the time spans of the query API."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apiward_lab.loganalytics.columns import parse_datetime

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True)
class Window:
    """A span of TimeGenerated, both ends included; None is open."""

    start: datetime | None = None
    end: datetime | None = None


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not match or text in {"P", "PT"} or text.endswith("T"):
        raise ValueError(f"'{text}' is not an ISO 8601 duration such as PT1H or P1DT30M")
    return timedelta(**{unit: float(value) for unit, value in match.groupdict().items() if value})


def parse_timespan(text: str | None, now: datetime) -> Window:
    """The window of a query's `timespan`: a duration up to now, start/end, start/duration or duration/end.

    Raises ValueError when it is none of these.
    """
    if not text:
        return Window()
    first, slash, second = text.partition("/")
    if not slash:
        return Window(now - parse_duration(first), now)
    if first.startswith("P"):
        end = _moment(second)
        return Window(end - parse_duration(first), end)
    start = _moment(first)
    return Window(start, start + parse_duration(second) if second.startswith("P") else _moment(second))


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"'{text}' is not an ISO 8601 date and time")
    return moment


def format_datetime(moment: datetime) -> str:
    """A moment as the service writes it: UTC, seven digits of fraction, Z."""
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond:06d}0Z"


def format_timespan(span: timedelta) -> str:
    """A timespan as Kusto writes it: [-][d.]hh:mm:ss[.fffffff]."""
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06d}0" if span.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"

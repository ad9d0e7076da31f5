"""NCRONTAB, the expressions of timer triggers in UTC: {second} {minute} {hour} {day} {month} {day-of-week}."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 0, 6, _DAYS),
)
_FIVE_YEARS = 5 * 366


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer fires. All of its fields must fit."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> "Schedule":
        """The schedule that a six-field expression writes. Raises ValueError when it is none."""
        parts = expression.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{expression!r} has {len(parts)} fields; NCRONTAB has {len(_FIELDS)}, seconds first")
        return cls(*(_values(part, *field) for part, field in zip(parts, _FIELDS, strict=True)))

    def after(self, moment: datetime) -> datetime:
        """The first time later than `moment`. Raises ValueError when none comes within five years."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for ahead in range(_FIVE_YEARS):
            day = (start + timedelta(days=ahead)).date()
            if day.month not in self.months or day.day not in self.days or day.isoweekday() % 7 not in self.weekdays:
                continue
            for hour, minute, second in product(sorted(self.hours), sorted(self.minutes), sorted(self.seconds)):
                found = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)
                if found >= start:
                    return found
        raise ValueError("the schedule never falls due")


def _values(part: str, name: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for entry in part.split(","):
        span, slash, step = entry.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first, name, names)
            end = _number(last, name, names) if dash else high if slash else begin
        every = _number(step, name, {}) if slash else 1
        if not (low <= begin <= end <= high and every > 0):
            raise ValueError(f"{entry!r} is no {name}: {low} to {high}")
        found |= set(range(begin, end + 1, every))
    return frozenset(found)


def _number(text: str, name: str, names: Mapping[str, int]) -> int:
    if text.isdecimal():
        return int(text)
    if text[:3].lower() in names:
        return names[text[:3].lower()]
    raise ValueError(f"{text!r} is no {name}")

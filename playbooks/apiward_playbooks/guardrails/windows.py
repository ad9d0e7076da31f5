"""Whether a moment lies in a freeze window."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apiward_playbooks.guardrails.document import DatedFreeze, Freeze, WeeklyFreeze

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def freezes_at(freeze: Freeze, now: datetime) -> list[str]:
    """The windows that hold `now`, each in words that do not change while it lasts."""
    weekly = [
        f"{window.reason} (weekly, {window.starts:%H:%M} to {window.ends:%H:%M} {window.time_zone})"
        for window in freeze.weekly
        if _in_week(window, now)
    ]
    dated = [
        f"{window.reason} (to {window.ends:%Y-%m-%d %H:%M} {window.time_zone})"
        for window in freeze.dated
        if _in_dates(window, now)
    ]
    return weekly + dated


def _in_week(window: WeeklyFreeze, now: datetime) -> bool:
    zone = ZoneInfo(window.time_zone)
    today = now.astimezone(zone).date()
    nearby = [today + timedelta(days) for days in (-1, 0, 1)]  # tomorrow may begin early, see _holds
    into_next_day = timedelta(window.ends <= window.starts)
    return any(
        _holds(datetime.combine(day, window.starts), datetime.combine(day + into_next_day, window.ends), zone, now)
        for day in nearby
        if _DAYS[day.weekday()] in window.days
    )


def _in_dates(window: DatedFreeze, now: datetime) -> bool:
    return _holds(window.starts, window.ends, ZoneInfo(window.time_zone), now)


def _holds(starts: datetime, ends: datetime, zone: ZoneInfo, now: datetime) -> bool:
    """Whether `now` is between two wall clock times; one that a clock change doubles or skips is read as the wider."""
    return min(_readings(starts, zone)) <= now < max(_readings(ends, zone))


def _readings(moment: datetime, zone: ZoneInfo) -> list[datetime]:
    return [moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]

"""Whether a moment lies in a freeze window."""

from datetime import UTC, datetime
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
    local = now.astimezone(ZoneInfo(window.time_zone))
    clock = local.time()
    today, yesterday = _DAYS[local.weekday()] in window.days, _DAYS[local.weekday() - 1] in window.days
    if window.starts < window.ends:
        return today and window.starts <= clock < window.ends
    return (today and clock >= window.starts) or (yesterday and clock < window.ends)


def _in_dates(window: DatedFreeze, now: datetime) -> bool:
    zone = ZoneInfo(window.time_zone)
    starts, ends = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in (window.starts, window.ends))
    return starts <= now < ends

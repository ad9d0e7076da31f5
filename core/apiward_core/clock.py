"""Time as an argument, so that the same code runs on real time and on the lab's virtual time."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the product asks the time of."""

    def now(self) -> datetime:
        """The current time, in UTC."""
        ...


class SystemClock:
    """The machine's clock plus a fixed offset (`clock_offset` in the settings; 0 on real Azure)."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """The current time, in UTC."""
        return datetime.now(UTC) + self._offset


def timestamp(moment: datetime) -> str:
    """`moment` as Azure writes it: ISO 8601, UTC, microseconds, "Z". Raises ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime:
    """The moment that an ISO 8601 text names; Azure's seven fractional digits are cut to six.

    Raises ValueError when `text` is no timestamp, has no time zone, or in UTC is outside the years 1 to 9999.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = tail[: next((i for i, c in enumerate(tail) if not c.isdigit()), len(tail))]
        text = f"{head}.{digits[:6]}{tail[len(digits) :]}"
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from error

"""Finds the rows for which a service refuses all that are sent with them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

Refusal = Callable[[Sequence[bytes]], str]
"""Sends rows together, and says why they were refused; "" when they were taken."""

_PROBES = 8
_MOST_CALLS = 128  # one row among a thousand is found by some twenty


def sift(rows: Sequence[bytes], refusal: Refusal) -> list[tuple[bytes, str]] | None:
    """Send rows that were refused together, and return those that are refused still, each with the reason.

    None when the service takes none of a few rows that are sent alone: then it is not the rows. What takes more than a
    hundred calls to tell apart counts as refused. Raises what `refusal` raises; rows may have been taken by then.
    """
    taken = next((at for at in _spread(len(rows)) if not refusal(rows[at : at + 1])), None)
    if taken is None:
        return None
    parts = deque(_halves([*rows[:taken], *rows[taken + 1 :]]))
    refused: list[tuple[bytes, str]] = []
    calls, why = 0, ""
    while parts:
        part = parts.popleft()
        if calls < _MOST_CALLS:
            calls += 1
            if not (said := refusal(part)):
                continue
            why = said
            if len(part) > 1:
                parts += _halves(part)
                continue
        refused += [(row, why) for row in part]
    return refused


def _spread(count: int) -> Iterator[int]:
    return iter(sorted({count * probe // _PROBES for probe in range(_PROBES)}))


def _halves(rows: Sequence[bytes]) -> list[Sequence[bytes]]:
    middle = len(rows) // 2
    return [half for half in (rows[:middle], rows[middle:]) if half]

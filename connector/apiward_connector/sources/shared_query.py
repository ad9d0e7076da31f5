"""One query for several subscriptions that have few rows each: the service counts queries, not rows."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from apiward_connector.assessment import GraphAssessment
from apiward_connector.rest import as_text, text
from apiward_connector.sources.paging import Page
from apiward_core.errors import ApiwardError
from apiward_core.turns import held

Read = Callable[[Sequence[str]], Iterator[Page]]


class SharedQuery:
    """The rows of a few subscriptions, read by whoever comes first. Thread-safe."""

    def __init__(self, subscriptions: Sequence[str], read: Read) -> None:
        self._subscriptions = subscriptions
        self._read = read
        self._lock = threading.Lock()
        self._outcome: dict[str, list[Any]] | ApiwardError | None = None

    def take(self, subscription_id: str) -> Page:
        """The rows of a subscription, once. Raises what the query raised, for each of the subscriptions."""
        with held(self._lock):  # the others wait for the one query that answers them all
            if self._outcome is None:
                self._outcome = self._fetch()
            if isinstance(self._outcome, ApiwardError):
                raise self._outcome
            return self._outcome.pop(subscription_id, [])

    def _fetch(self) -> dict[str, list[Any]] | ApiwardError:
        rows: dict[str, list[Any]] = {}
        try:
            for page in self._read(self._subscriptions):
                for row in page:
                    rows.setdefault(_subscription(row).lower(), []).append(row)
        except ApiwardError as error:  # it is the answer for all of them
            return error
        return rows


def _subscription(row: Any) -> str:
    return as_text(row.subscription_id) if isinstance(row, GraphAssessment) else text(row, "subscriptionId")


def pack(counts: Mapping[str, int], *, most: int) -> list[list[str]]:
    """The subscriptions whose rows fit into one answer of `most` rows together, in the order of `counts`.

    Neighbours share, though others might fill an answer better: they are read at about the same time, so that few
    answers have to be kept.
    """
    packs: list[list[str]] = []
    room = 0
    for subscription, rows in counts.items():
        if not 0 < rows <= most:
            continue
        if rows > room:
            packs.append([])
            room = most
        packs[-1].append(subscription)
        room -= rows
    return packs

"""Rows of Azure Resource Graph, subscription by subscription."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from apiward_connector.existence import Once
from apiward_connector.sources.paging import Page


class Graph(Protocol):
    """Gives every row of a query, or says that it cannot. Both raise the errors of `apiward_core.errors`."""

    def pages(self, query: str, *, subscriptions: Sequence[str], what: str) -> Iterator[Page]:
        """The rows of `query`, which projects `id` and is ordered by it; `what` names them in errors."""
        ...

    def count_by_subscription(self, rows: str, *, subscriptions: Sequence[str], what: str) -> Mapping[str, int]:
        """How many of `rows`, a table with its filter, each subscription has; those without any may be left out."""
        ...


class GraphRows:
    """The rows of one kind.

    `rows` is the table with its filter, `columns` what is projected of a row: `id` and what is wanted. Once it is known
    which subscriptions a run is about, they are counted at once, and those without any row are not asked: most of them
    in most estates, and the service gives an identity some three queries a second.
    """

    def __init__(self, graph: Graph, *, rows: str, columns: str, what: str) -> None:
        self._graph = graph
        self._rows = rows
        self._columns = columns
        self._what = what
        self._expected: tuple[str, ...] = ()
        self._filled = Once(self._count)

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Say before the first `pages` of a run which subscriptions it is about, by their ids in lower case."""
        self._expected, self._filled = tuple(subscriptions), Once(self._count)

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The rows of a subscription, page by page. Raises the errors of `apiward_core.errors`."""
        if subscription_id in self._expected and subscription_id not in self._filled(self._expected):
            return iter(())
        query = f"{self._rows}\n| project {self._columns}\n| order by id asc"
        what = f"{self._what} of subscription {subscription_id}"
        return self._graph.pages(query, subscriptions=[subscription_id], what=what)

    def _count(self, subscriptions: tuple[str, ...]) -> Collection[str]:
        """Those that have any: one count that answers all of a run, and fails for all of it."""
        what = f"the number of {self._what}"
        counts = self._graph.count_by_subscription(self._rows, subscriptions=subscriptions, what=what)
        return frozenset(subscription for subscription, count in counts.items() if count)

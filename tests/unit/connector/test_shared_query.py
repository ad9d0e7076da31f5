from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from apiward_connector.sources.paging import Page
from apiward_connector.sources.shared_query import SharedQuery, pack
from apiward_core.errors import ThrottledError


def test_whoever_comes_meanwhile_waits_for_the_one_answer() -> None:
    together, asked = Barrier(2, timeout=0.3), []

    def read(subscriptions: Sequence[str]) -> Iterator[Page]:
        asked.append(subscriptions)
        with suppress(BrokenBarrierError):  # nobody else may be here
            together.wait()
        yield [{"id": name, "subscriptionId": name.upper()} for name in subscriptions]

    query = SharedQuery(["a", "b"], read)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(query.take, ["a", "b"]))
    assert [[row["id"] for row in page] for page in found] == [["a"], ["b"]]
    assert asked == [["a", "b"]]


def test_a_failure_is_told_to_all_and_not_repeated() -> None:
    asked = []

    def read(subscriptions: Sequence[str]) -> Iterator[Page]:
        asked.append(subscriptions)
        yield [{"id": "a", "subscriptionId": "a"}]
        raise ThrottledError("Too much.", remedy="Wait.")

    query = SharedQuery(["a", "b"], read)
    for name in ("a", "b"):
        with pytest.raises(ThrottledError):
            query.take(name)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("counts", "packs"),
    [
        ({}, []),
        ({"a": 0}, []),
        ({"a": 10, "b": 1}, [["a"], ["b"]]),
        ({"a": 4, "b": 6, "c": 1}, [["a", "b"], ["c"]]),
        ({"a": 4, "b": 11, "c": 0, "d": 6}, [["a", "d"]]),
        ({"a": 6, "b": 6, "c": 4}, [["a"], ["b", "c"]]),
    ],
)
def test_neighbours_share_up_to_the_most_rows(counts: dict[str, int], packs: list[list[str]]) -> None:
    assert pack(counts, most=10) == packs

"""What is remembered is what the function gives, whoever asks at the same time, and no more than there is room for."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from apiward_connector.memo import Memo


def test_a_result_is_made_once_while_there_is_room() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    memo = Memo[str, int](length, size=2, weigh=len)
    assert [memo[text] for text in ("a", "bb", "a", "ccc", "a")] == [1, 2, 1, 3, 1]
    assert asked == ["a", "bb", "ccc", "a"]


def test_what_is_heavy_is_given_and_not_kept() -> None:
    memo = Memo[str, int](len, size=2, weigh=len)
    assert (memo["x" * 2048], memo["x" * 2049], len(memo)) == (2048, 2049, 1)


def test_what_fails_is_asked_for_again() -> None:
    memo = Memo[str, int](int, size=2, weigh=len)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            memo["x"]
    assert not memo


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take over from each other wherever they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_threads_that_share_it_get_what_they_ask_for_and_leave_it_small() -> None:
    threads, size = 8, 4
    begun, memo = Barrier(threads), Memo[int, int](lambda number: -number, size=size, weigh=lambda _: 1)

    def ask(offset: int) -> bool:
        begun.wait(timeout=20)
        return all(memo[number % 13] == -(number % 13) for number in range(offset, offset + 20_000))

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(ask, range(threads)))
    assert len(memo) < size + threads

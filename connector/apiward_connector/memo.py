"""Results that are asked for again and again, in bounded memory."""

from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_HEAVY = 2048


class Memo(dict[K, V]):
    """What a pure function gives, by its argument: `memo[argument]` asks it for what is not known yet.

    No more than `size` results are kept: all are forgotten when that is reached, which is cheaper than to know which
    was used last. An argument of more than 2,048 characters, as `weigh` counts them, is never kept. What the function
    raises is raised.
    """

    def __init__(self, function: Callable[[K], V], *, size: int, weigh: Callable[[K], int]) -> None:
        super().__init__()
        self._function = function
        self._size = size
        self._weigh = weigh

    def __missing__(self, argument: K) -> V:
        result = self._function(argument)
        if self._weigh(argument) <= _HEAVY:
            if len(self) >= self._size:
                self.clear()
            self[argument] = result
        return result


def length_of_all(texts: tuple[str, ...]) -> int:
    """The characters of all the texts, and one for each."""
    return sum(map(len, texts)) + len(texts)

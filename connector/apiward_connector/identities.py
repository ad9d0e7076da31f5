"""The resource of each finding, kept small: what a Removed row needs and no comparison does."""

from collections.abc import Iterable, Iterator, Sequence

import orjson
import zstandard

Identity = tuple[str, str, str]
"""The resource id, and the service and the API where the id does not name them; all in lower case."""

_BLOCK = 4096  # ids that share most of their text compress best in blocks of about a megabyte
_LEVEL = 3


class Identities:
    """A list that grows at its end: full blocks are compressed, the last one is open."""

    def __init__(self, blocks: Iterable[bytes] = ()) -> None:
        self._full: list[bytes] = list(blocks)
        self._open: list[Identity] = []
        if self._full and len(last := _unpack(self._full[-1])) < _BLOCK:
            self._full.pop()
            self._open = last

    def extend(self, identities: Iterable[Identity]) -> None:
        """Add some at the end."""
        self._open += identities
        while len(self._open) >= _BLOCK:
            self._full.append(_pack(self._open[:_BLOCK]))
            self._open = self._open[_BLOCK:]

    def __len__(self) -> int:
        return len(self._full) * _BLOCK + len(self._open)

    def at(self, positions: Sequence[int]) -> Iterator[Identity]:
        """The identities at `positions`, which ascend."""
        number, block = -1, self._open
        for position in positions:
            if position // _BLOCK != number:
                number = position // _BLOCK
                block = _unpack(self._full[number]) if number < len(self._full) else self._open
            yield block[position % _BLOCK]

    def blocks(self) -> list[bytes]:
        """All of it, for another Identities to be made of."""
        return [*self._full, _pack(self._open)] if self._open else list(self._full)


def _pack(identities: list[Identity]) -> bytes:
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(orjson.dumps(identities))
    return bytes(memoryview(packed))  # its own memory is what the worst case takes, twenty times as much


def _unpack(block: bytes) -> list[Identity]:
    return [(resource, service, api) for resource, service, api in orjson.loads(zstandard.decompress(block))]

"""An index of ids finds what was added, at its position, and nothing else; equal halves do not confuse it."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_connector.id_index import ABSENT, IdIndex

halves = st.integers(0, 3) | st.integers(2**64 - 2, 2**64 - 1)  # few, so that many ids share one
ids = st.tuples(halves, halves)


@settings(max_examples=200, deadline=None)
@given(pages=st.lists(st.lists(ids, unique=True, max_size=8), max_size=12), asked=st.lists(ids, max_size=12))
def test_every_id_is_found_where_it_was_added(pages: list[list[tuple[int, int]]], asked: list[tuple[int, int]]) -> None:
    index, known = IdIndex(), dict[tuple[int, int], int]()
    for page in pages:
        new = [each for each in page if each not in known]
        known |= {each: len(known) + number for number, each in enumerate(new)}
        index.add(np.array([high for high, _ in new], dtype=np.uint64))
    lows = np.array([low for _, low in known], dtype=np.uint64)
    wanted = [*known, *asked]
    high = np.array([high for high, _ in wanted], dtype=np.uint64)
    low = np.array([low for _, low in wanted], dtype=np.uint64)
    assert index.find(high, low, lows=lows).tolist() == [known.get(each, ABSENT) for each in wanted]


@pytest.mark.parametrize("lengths", [[5] * 1000, range(100, 0, -1), range(100)], ids=["alike", "falling", "rising"])
def test_there_are_never_more_runs_than_the_binary_logarithm_of_the_ids(lengths: Iterable[int]) -> None:
    index, count = IdIndex(), 0
    for length in lengths:
        index.add(np.arange(count, count + length, dtype=np.uint64))
        count += length
        assert len(index._runs) <= count.bit_length()

"""Rows are packed as full as the limit of Logs Ingestion allows, and never fuller."""

from itertools import pairwise

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_core.ingest import MAX_BODY, frame, pack, serialise

rows = st.lists(st.binary(max_size=60).map(lambda data: orjson.dumps({"a": data.hex()})))


@settings(max_examples=200, deadline=None)
@given(rows=rows, limit=st.integers(130, 1000))
def test_no_batch_exceeds_the_limit_and_nothing_is_lost_or_moved(rows: list[bytes], limit: int) -> None:
    batches = list(pack(rows, limit=limit))
    assert all(batch and len(frame(batch)) <= limit for batch in batches)
    assert [row for batch in batches for row in batch] == rows
    assert [item for batch in batches for item in orjson.loads(frame(batch))] == [orjson.loads(row) for row in rows]


@settings(max_examples=200, deadline=None)
@given(rows=rows, limit=st.integers(130, 1000))
def test_a_batch_ends_only_where_the_next_row_does_not_fit(rows: list[bytes], limit: int) -> None:
    batches = list(pack(rows, limit=limit))
    assert all(len(frame([*batch, after[0]])) > limit for batch, after in pairwise(batches))


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(300, 4000), min_size=20, max_size=60))
def test_at_volume_every_batch_but_the_last_is_filled_to_98_percent(sizes: list[int]) -> None:
    rows = [serialise({"text": "x" * size})[0] for size in sizes] * 100
    full = [len(frame(batch)) for batch in pack(rows)][:-1]
    assert all(0.98 * MAX_BODY <= size <= MAX_BODY for size in full)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(2, 60), min_size=2, max_size=20))
def test_rows_that_fit_exactly_are_one_batch_and_a_byte_less_room_makes_two(sizes: list[int]) -> None:
    rows = [orjson.dumps("x" * (size - 2)) for size in sizes]
    exact = len(frame(rows))
    assert len(list(pack(rows, limit=exact))) == 1
    assert len(list(pack(rows, limit=exact - 1))) == 2

"""Rows are packed as full as the limit of Logs Ingestion allows, and never fuller."""

import gzip
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_core.packing import Batch, Packer, batch_rows, frame, shortened
from apiward_core.tables import HEALTH, all_tables

TABLE = all_tables()[HEALTH]
MAX_BODY, MAX_FIELD = 1_048_576, 65_536  # bytes, of Logs Ingestion: a call and a field
texts = st.text(max_size=40)  # of any alphabet: a character takes one to four bytes, an escaped one six
rows = st.lists(st.dictionaries(texts, texts, max_size=3).map(orjson.dumps))


def pack(packed: list[bytes], **limit: int) -> list[Batch]:
    packer = Packer(TABLE, **limit)
    return [*packer.add(packed[:7]), *packer.add(packed[7:]), *packer.flush()]


def body(batch: Batch) -> bytes:
    return gzip.decompress(batch.body)


@settings(max_examples=200, deadline=None)
@given(rows=rows, limit=st.integers(1000, 3000))
def test_no_batch_exceeds_the_limit_and_nothing_is_lost_or_moved(rows: list[bytes], limit: int) -> None:
    batches = pack(rows, limit=limit)
    assert all(batch.rows and len(body(batch)) <= limit for batch in batches)
    assert [row for batch in batches for row in batch_rows(batch)] == rows
    assert [batch.rows for batch in batches] == [len(orjson.loads(body(batch))) for batch in batches]


@settings(max_examples=200, deadline=None)
@given(rows=rows, limit=st.integers(1000, 3000))
def test_a_batch_ends_only_where_the_next_row_does_not_fit(rows: list[bytes], limit: int) -> None:
    for batch, after in pairwise(pack(rows, limit=limit)):
        assert len(body(batch)) + len(b",") + len(batch_rows(after)[0]) > limit


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(300, 4000), min_size=20, max_size=60), letter=st.sampled_from("xé中\U0001f600"))
def test_at_volume_every_batch_but_the_last_is_filled_to_98_percent(sizes: list[int], letter: str) -> None:
    rows = [orjson.dumps({"text": letter * size}) for size in sizes] * 100
    full = [len(body(batch)) for batch in pack(rows)][:-1]
    assert all(0.98 * MAX_BODY <= size <= MAX_BODY for size in full)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(2, 60), min_size=2, max_size=20))
def test_rows_that_fit_exactly_are_one_batch_and_a_byte_less_room_makes_two(sizes: list[int]) -> None:
    rows = [orjson.dumps("x" * (size - 2)) for size in sizes]
    exact = len(frame(rows))
    assert len(pack(rows, limit=exact)) == 1
    assert len(pack(rows, limit=exact - 1)) == 2


@pytest.mark.parametrize(("last", "batches"), [(1022, 1), (1023, 2)], ids=["full", "a byte too much"])
def test_a_body_is_filled_to_the_last_byte_that_the_service_takes(last: int, batches: int) -> None:
    full = pack([*[orjson.dumps("x" * 1021)] * 1023, orjson.dumps("x" * (last - 2))])
    assert (len(full), len(body(full[0])) == MAX_BODY) == (batches, batches == 1)


@settings(max_examples=30, deadline=None)
@given(letter=st.characters(codec="utf-8"), near=st.integers(-40, 40))
def test_no_field_exceeds_its_limit_whatever_its_alphabet(letter: str, near: int) -> None:
    text = letter * ((MAX_FIELD + near) // len(letter.encode()))
    row: dict[str, Any] = {"short": "as it was", "long": text}
    data, cut = shortened(orjson.dumps(row))
    after = orjson.loads(data)
    assert len(after["long"].encode()) <= MAX_FIELD
    assert after["short"] == row["short"]
    assert cut == (after["long"] != text) == (len(text.encode()) > MAX_FIELD)

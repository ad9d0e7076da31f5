from collections.abc import Sequence

import pytest

from apiward_core.errors import TransientError
from apiward_core.sift import sift

WHY = "HTTP 400: the content is malformed"


class Service:
    """Refuses every call that holds a bad row, and keeps the rows of the others."""

    def __init__(self, *bad: int) -> None:
        self._bad = {b"%d" % number for number in bad}
        self.calls: list[int] = []
        self.taken: list[bytes] = []

    def __call__(self, rows: Sequence[bytes]) -> str:
        self.calls.append(len(rows))
        if self._bad.intersection(rows):
            return WHY
        self.taken += rows
        return ""


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@pytest.mark.parametrize("bad", [[0], [999], [437], [0, 1, 998, 999], [124, 125, 126]])
def test_what_is_refused_is_told_apart_from_what_is_not(bad: list[int]) -> None:
    service, rows = Service(*bad), numbered(1000)
    refused = sift(rows, service)
    assert refused is not None
    assert sorted(refused) == sorted((b"%d" % number, WHY) for number in bad)
    assert sorted(service.taken) == sorted(set(rows) - {row for row, _ in refused})


def test_one_row_among_a_thousand_takes_few_calls() -> None:
    service = Service(437)
    sift(numbered(1000), service)
    assert len(service.calls) <= 22


def test_that_everything_is_refused_is_found_out_by_a_few_rows() -> None:
    service = Service(*range(1000))
    assert sift(numbered(1000), service) is None
    assert service.calls == [1] * 8


@pytest.mark.parametrize("good_from", [0, 875], ids=["a probe is taken at once", "only the last probe is taken"])
def test_bad_rows_everywhere_are_told_apart_as_far_as_the_calls_go_and_none_is_lost(good_from: int) -> None:
    bad = {*range(good_from), *range(0, 1000, 3)} - {875}
    service, rows = Service(*bad), numbered(1000)
    refused = sift(rows, service)
    assert refused is not None
    assert len(service.calls) <= 8 + 128
    assert {why for _, why in refused} == {WHY}
    assert sorted(service.taken + [row for row, _ in refused]) == sorted(rows)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_rows_are_each_sent_alone(count: int) -> None:
    service = Service(0)
    assert sift(numbered(count), service) == (None if count == 1 else [(b"0", WHY)])


def test_another_failure_ends_it() -> None:
    def fail(rows: Sequence[bytes]) -> str:
        raise TransientError(f"HTTP 503 for {len(rows)} rows.", remedy="Try again.")

    with pytest.raises(TransientError):
        sift(numbered(3), fail)

"""Moments as Azure writes them."""

import pytest

from apiward_core.clock import parse_timestamp, timestamp


def test_seven_digits_are_cut_and_the_zone_becomes_utc() -> None:
    assert timestamp(parse_timestamp("2021-04-12T11:07:18.6759138+02:00")) == "2021-04-12T09:07:18.675913Z"


@pytest.mark.parametrize(
    "text", ["yesterday", "", "2021-04-12T11:07:18", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
)
def test_what_is_no_moment_in_utc_is_refused_as_a_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat|outside the years"):
        parse_timestamp(text)

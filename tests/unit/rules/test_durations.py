"""Durations in rule YAML and in ARM."""

from datetime import timedelta

import pytest

from apiward_rules.durations import iso, parse_duration


@pytest.mark.parametrize(
    ("text", "duration", "written"),
    [
        ("5m", timedelta(minutes=5), "PT5M"),
        ("47h", timedelta(hours=47), "P1DT23H"),
        ("14d", timedelta(days=14), "P14D"),
        ("00:05:30", timedelta(minutes=5, seconds=30), "PT5M30S"),
        ("1.02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4), "P1DT2H3M4S"),
        ("00:00:00", timedelta(0), "PT0S"),
    ],
)
def test_a_duration_is_read_and_written(text: str, duration: timedelta, written: str) -> None:
    assert parse_duration(text) == duration
    assert iso(duration) == written


@pytest.mark.parametrize("text", ["PT1H", "1 h", "1w", "24:00:00", "1:00", 60, None, ""])
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)

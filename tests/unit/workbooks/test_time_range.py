"""Time ranges as people write them."""

from datetime import timedelta

import pytest

from apiward_core.errors import ConfigurationError
from apiward_workbooks.time_range import in_words, parse_time_range


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30d", timedelta(days=30)),
        ("12H", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("4w", timedelta(weeks=4)),
        ("P30D", timedelta(days=30)),
        ("p2w", timedelta(weeks=2)),
        ("PT12H", timedelta(hours=12)),
        ("P1DT6H30M", timedelta(days=1, hours=6, minutes=30)),
        ("730d", timedelta(days=730)),
    ],
)
def test_short_and_iso_durations_are_read(text: str, duration: timedelta) -> None:
    assert parse_time_range(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "0d",
        "P0D",
        "731d",
        "30",
        "d",
        "-1d",
        "30 days",
        "P1Y",
        "9999999d",
        "\N{ARABIC-INDIC DIGIT THREE}d",
    ],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigurationError, match="Write for example 30d") as caught:
        parse_time_range(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 minute"),
    ],
)
def test_a_duration_is_told_in_its_largest_whole_unit(duration: timedelta, words: str) -> None:
    assert in_words(duration) == words

"""Values of rows as cells, by the formatters of workbooks."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from apiward_workbooks.cells import Cell, Formatter, formatter_of, plain_cell

MOMENT = datetime(2026, 11, 23, 13, 5, tzinfo=timezone(timedelta(hours=1)))
LINK = {"formatter": 7, "formatOptions": {"linkTarget": "Url", "linkLabel": "Open"}}


def cell(value: Any, rule: dict[str, Any], **others: Any) -> Cell:
    return Formatter(rule).cell({"Column": value, **others}, "Column")


@pytest.mark.parametrize(
    ("value", "rule", "text"),
    [
        ("text", {}, "text"),
        (None, {}, ""),
        (True, {}, "yes"),
        (1234567, {}, "1,234,567"),
        (2.5, {}, "2.50"),
        (MOMENT, {}, "2026-11-23 12:05 UTC"),
        (MOMENT.astimezone(UTC).replace(tzinfo=None), {}, "2026-11-23 12:05 UTC"),
        (["a", 1], {}, '["a", 1]'),
        (None, {"numberFormat": {"emptyValCustomText": "none"}}, "none"),
        (36, {"numberFormat": {"unit": 26}}, "36 h"),
        (0.375, {"numberFormat": {"unit": 1, "options": {"maximumFractionDigits": 0}}}, "0%"),
        (MOMENT, {"formatter": 6, "dateFormat": {"formatName": "shortDatePattern"}}, "2026-11-23"),
        (3, {"formatter": 1}, "3"),
        ("/subscriptions/1/resourceGroups/rg/providers/a.b/c/name", {"formatter": 13}, "name"),
        ("/subscriptions/1", {"formatter": 15}, "1"),
        ([1, 2], {"formatter": 9}, "[1, 2]"),
    ],
)
def test_a_value_is_shown_as_its_formatter_says(value: Any, rule: dict[str, Any], text: str) -> None:
    assert cell(value, rule).text == text


@pytest.mark.parametrize(("value", "number"), [(1, True), (1.5, True), ("1", False), (True, False), (MOMENT, False)])
def test_only_numbers_stand_at_the_right(value: Any, number: bool) -> None:
    assert plain_cell(value).number is number


def test_a_link_to_the_web_can_be_followed() -> None:
    assert cell("https://portal.azure.com/#x", LINK) == Cell("Open", href="https://portal.azure.com/#x")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>",
        "http://portal.azure.com",
        "//evil.example",
        "https:evil.example",
        "https://[bad",
        "https://a\u202eb.example",
        " javascript:alert(1)",
        "",
    ],
)
def test_any_other_address_is_only_text(address: str) -> None:
    assert cell(address, LINK) == Cell(address)


def test_a_link_that_opens_part_of_the_portal_is_only_text() -> None:
    rule = {"formatter": 7, "formatOptions": {"linkTarget": "CellDetails", "linkLabel": "Open"}}
    assert cell("https://a.example", rule) == Cell("https://a.example")


def thresholds(*rows: tuple[str, Any, str, str], kind: str = "colors") -> dict[str, Any]:
    grid = [dict(zip(("operator", "thresholdValue", "representation", "text"), row, strict=True)) for row in rows]
    return {"formatter": 18, "formatOptions": {"thresholdsOptions": kind, "thresholdsGrid": grid}}


@pytest.mark.parametrize(
    ("operator", "limit", "value", "holds"),
    [
        ("==", "High", "High", True),
        ("==", "High", "high", False),
        ("==", "10", 10, True),
        ("!=", "10", 10, False),
        (">", "9", 10, True),
        (">=", "10", 10, True),
        ("<", "9", 10, False),
        ("<=", "10", 10, True),
        ("contains", "ig", "High", True),
        ("startsWith", "Hi", "High", True),
        ("endsWith", "Hi", "High", False),
        ("regex", "^H.*h$", "High", True),
        ("regex", "(", "High", False),
        ("is Empty", None, "", True),
        ("is Empty", None, "x", False),
        ("no such", "x", "x", False),
    ],
)
def test_a_threshold_compares_as_its_operator_says(operator: str, limit: Any, value: Any, holds: bool) -> None:
    rule = thresholds((operator, limit, "redBright", "{0}{1}"), ("Default", None, "green", "{0}{1}"))
    assert cell(value, rule).tone == ("red" if holds else "green")


def test_the_first_threshold_that_holds_gives_tone_and_text() -> None:
    rule = thresholds((">", "5", "orange", 'at least {0}, says ["Who"]'), (">", "1", "green", "{0}{1}"), kind="icons")
    assert cell(7, rule, Who="Defender") == Cell("at least 7, says Defender", "orange", mark=True)
    assert cell(2, rule) == Cell("2", "green", mark=True)
    assert cell(0, rule) == Cell("0")


def test_the_text_of_a_threshold_does_not_read_the_data_as_a_pattern() -> None:
    rule = thresholds(("Default", None, "red", '{0} / ["Who"]'))
    assert cell('["Who"]', rule, Who="{0}").text == '["Who"] / {0}'


def test_rules_are_found_by_name_and_by_pattern_in_their_order() -> None:
    by_name, by_pattern, broken = (
        Formatter({"columnMatch": match, "formatter": 1}) for match in ("Count (all)", "C.*", "(")
    )
    rules = [broken, by_name, by_pattern]
    assert formatter_of("Count (all)", rules) is by_name
    assert formatter_of("Count", rules) is by_pattern
    assert formatter_of("Discount", rules).kind == 0


@pytest.mark.parametrize(("kind", "supported"), [(0, True), (5, True), (18, True), (9, False), (22, False)])
def test_a_formatter_knows_whether_reports_show_it(kind: int, supported: bool) -> None:
    assert Formatter({"formatter": kind}).supported is supported

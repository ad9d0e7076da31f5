"""Values reach KQL as literals only."""

from datetime import UTC, datetime, timedelta

import pytest

from apiward_core.kql import bind, literal


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", '"plain"'),
        ('a"; T | take 1; //', '"a\\"; T | take 1; //"'),
        ("back\\slash\nline", '"back\\\\slash\\nline"'),
        ("\u2028", '"\\u2028"'),
        (True, "true"),
        (7, "long(7)"),
        (0.5, "real(0.5)"),
        (datetime(2026, 11, 23, 10, 0, tzinfo=UTC), "datetime(2026-11-23T10:00:00.000000Z)"),
        (timedelta(minutes=70), "4200000ms"),
        (["a", '"'], 'dynamic(["a", "\\""])'),
    ],
)
def test_literals(value: object, written: str) -> None:
    assert literal(value) == written  # type: ignore[arg-type]


def test_values_become_let_statements_before_the_query() -> None:
    assert bind("T | where Id == finding", finding="x") == 'let finding = "x";\nT | where Id == finding'


def test_a_name_that_is_no_identifier_is_refused() -> None:
    with pytest.raises(ValueError, match="no KQL identifier"):
        bind("T", **{"x; drop": "y"})


def test_a_value_without_literal_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType has no KQL literal"):
        literal(None)  # type: ignore[arg-type]


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        literal(datetime(2026, 11, 23))  # noqa: DTZ001 - that is the fault under test

"""The local KQL engine behind its protocol: functions, frozen time, the period, and refusals."""

from datetime import timedelta
from typing import Any

import pytest

from apiward.local_kql import LocalKql
from apiward_core.errors import RejectedDataError
from apiward_core.kql_check import FunctionSchema
from apiward_core.kql_engine import Arrival, Row
from apiward_core.tables import Column, Table
from tests.unit.rules.workspace import HOUR, NOW

COLUMNS = {
    "TimeGenerated": "datetime",
    "Name": "string",
    "Count": "long",
    "Share": "real",
    "Open": "boolean",
    "More": "dynamic",
}
FACTS = Table("Facts_CL", "Facts.", tuple(Column(name, kind, "") for name, kind in COLUMNS.items()))
FUNCTIONS = {"Named": FunctionSchema("Facts_CL | where Name == Wanted", "Wanted:string, Back:timespan = 1h")}


def ask(kql: str, *rows: dict[str, Any], period: timedelta | None = None, table: str = "Facts_CL") -> list[Row]:
    facts = [{"TimeGenerated": NOW.isoformat(), **row} for row in rows]
    engine = LocalKql({"Facts_CL": FACTS}, FUNCTIONS)
    return engine.query(kql, [Arrival(table, facts, NOW - HOUR)], now=NOW, period=period)


def test_rows_go_in_and_come_out_as_the_query_api_writes_them() -> None:
    row = {"Name": "a", "Count": 3, "Share": 1, "Open": True, "More": {"x": 1}}
    assert ask("Facts_CL | project TimeGenerated, Name, Count, Share, Open, More", row) == [
        {"TimeGenerated": "2026-11-23T12:00:00.0000000Z", **row, "Share": 1.0, "More": '{"x":1}'}
    ]


def test_a_function_takes_its_arguments() -> None:
    rows = [{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2}]
    assert ask('Named("b") | project Count', *rows) == [{"Count": 2}]


def test_time_is_frozen_and_arrival_is_what_was_said() -> None:
    (found,) = ask("Facts_CL | project Now = now(), Arrived = ingestion_time()", {})
    assert (found["Now"][:16], found["Arrived"][:16]) == ("2026-11-23T12:00", "2026-11-23T11:00")


def test_the_period_applies_inside_functions_too() -> None:
    old = {"Name": "a", "TimeGenerated": (NOW - 2 * HOUR).isoformat()}
    assert len(ask('Named("a")', old, {"Name": "a"})) == 2
    assert len(ask('Named("a")', old, {"Name": "a"}, period=HOUR)) == 1


def test_a_query_sees_its_own_rows_only() -> None:
    engine = LocalKql({"Facts_CL": FACTS}, {})
    arrival = Arrival("Facts_CL", [{"TimeGenerated": NOW.isoformat()}], NOW)
    for _ in range(2):
        assert engine.query("Facts_CL | count", [arrival], now=NOW) == [{"Count": 1}]


def test_a_query_that_is_wrong_is_refused() -> None:
    with pytest.raises(RejectedDataError, match=r"cannot be run: .*'Colour'"):
        ask("Facts_CL | where Colour == 'red'")


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(RejectedDataError, match="table Other_CL, which is none of Facts_CL"):
        ask("Facts_CL", table="Other_CL")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"Nmae": "a"}, "column Nmae, which Facts_CL lacks"),
        ({"Name": 7}, "7 in the column Name of Facts_CL, which is of type string"),
        ({"Count": "7"}, "'7' in the column Count .* long"),
        ({"Count": True}, "True in the column Count"),
        ({"Share": "a half"}, "'a half' in the column Share"),
        ({"Open": 1}, "1 in the column Open"),
        ({"TimeGenerated": "noon"}, "'noon' in the column TimeGenerated"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(RejectedDataError, match=said):
        ask("Facts_CL", row)


def test_a_value_may_be_null() -> None:
    assert ask("Facts_CL | where isnull(Count) | count", {"Count": None}) == [{"Count": 1}]

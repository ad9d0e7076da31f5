"""Parameters at their defaults, and the texts that refer to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_workbooks.model import Condition, Parameter
from apiward_workbooks.parameters import Context, Values
from tests.unit.rules.workspace import SEED

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONTEXT = Context(ArmId.parse(SEED.resource_id), NOW)
EVERYTHING = {"selectAllValue": "*", "additionalResourceOptions": ["value::all"]}


def declared(kind: int, context: Context = CONTEXT, **document: Any) -> Values:
    values = Values()
    values.declare(Parameter("P", "P", kind, hidden=False, document=document), context)
    return values


def filled(values: Values, text: str) -> str:
    done, missing = values.substitute(text)
    assert missing == []
    return done


WORKSPACES = {"resourceTypeFilter": {"Microsoft.OperationalInsights/workspaces": True}}
SEVERAL = {"multiSelect": True, "quote": "'", "delimiter": ","}


@pytest.mark.parametrize(
    ("kind", "document", "text", "expected"),
    [
        (1, {"value": "x"}, "a {P} b {P:label}", "a x b x"),
        (2, {"value": "one"}, "{P}", "one"),
        (2, {"value": ["a", "b"], **SEVERAL}, "in ({P})", "in ('a','b')"),
        (2, {"value": ["value::all"], "typeSettings": EVERYTHING, **SEVERAL}, "{P} {P:label}", "'*' all"),
        (2, {"defaultValue": "value::all", "typeSettings": EVERYTHING, **SEVERAL}, "{P}", "'*'"),
        (2, {"value": "h", "jsonData": '[{"value": "h", "label": "High"}]'}, "{P:label}", "High"),
        (2, {"value": "h", "jsonData": "no JSON"}, "{P:label}", "h"),
        (
            5,
            {"value": "value::1", "typeSettings": WORKSPACES},
            "{P:name} {P:subscriptionId}",
            f"law {SEED.subscription_id}",
        ),
        (5, {"value": "value::1", "typeSettings": WORKSPACES}, "{P}", SEED.resource_id),
    ],
)
def test_a_reference_stands_for_the_default(kind: int, document: dict[str, Any], text: str, expected: str) -> None:
    assert filled(declared(kind, **document), text) == expected


def test_a_time_range_ends_now() -> None:
    values = declared(4, value={"durationMs": 86_400_000})
    start, end = "2026-11-22T12:00:00.000000Z", "2026-11-23T12:00:00.000000Z"
    between = f"between (datetime({start}) .. datetime({end}))"
    assert filled(values, "where T {P} and T > {P:start}") == f"where T  {between} and T > datetime({start})"
    assert filled(values, "{P:label}, {P:seconds} s") == "the last 1 day, 86400 s"


def test_the_time_range_of_the_report_wins_over_the_workbooks() -> None:
    week = Context(CONTEXT.workspace, NOW, timedelta(days=7))
    assert filled(declared(4, week, value={"durationMs": 86_400_000}), "{P:label}") == "the last 7 days"


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (1, {"query": "T | project x"}),
        (2, {"value": "value::1"}),
        (2, {"value": ["value::all"], "typeSettings": {}}),
        (2, {}),
        (4, {}),
        (5, {"value": "value::1", "typeSettings": {"resourceTypeFilter": {"microsoft.web/sites": True}}}),
        (6, {"value": "/subscriptions/x"}),
        (8, {"value": "westeurope"}),
    ],
)
def test_a_parameter_that_a_report_cannot_set_is_missing_where_it_is_used(kind: int, document: dict[str, Any]) -> None:
    assert declared(kind, **document).substitute("{P} and {P:label}") == ("{P} and {P:label}", ["{P}", "{P:label}"])


def test_a_form_that_is_not_known_is_missing() -> None:
    assert declared(1, value="x").substitute("{P:tomltojson}")[1] == ["{P:tomltojson}"]


def test_braces_that_are_no_reference_stay() -> None:
    assert filled(declared(1, value="x"), 'dynamic({"a": 1}) {0} {Other}') == 'dynamic({"a": 1}) {0} {Other}'


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (Condition("P", equal=True, value="x"), True),
        (Condition("P", equal=True, value="y"), False),
        (Condition("P", equal=False, value="y"), True),
        (Condition("Other", equal=True, value="x"), False),
        (Condition("Other", equal=False, value=""), False),
    ],
)
def test_a_condition_compares_the_parameters_value(condition: Condition, shown: bool) -> None:
    assert declared(1, value="x").show([condition]) is shown


def test_whether_to_show_is_open_while_a_parameter_cannot_be_set() -> None:
    values = declared(6, value="x")
    values.declare(Parameter("Q", "Q", 1, hidden=False, document={"value": "q"}), CONTEXT)
    unset = Condition("P", equal=True, value="x")
    assert values.show([unset]) is None
    assert values.show([unset, Condition("Q", equal=True, value="other")]) is False


def test_what_a_group_declares_stays_inside() -> None:
    outer = Values()
    inner = outer.inner()
    inner.declare(Parameter("P", "P", 1, hidden=False, document={"value": "x"}), CONTEXT)
    assert (filled(inner, "{P}"), filled(outer, "{P}")) == ("x", "{P}")

"""Faults of rules and functions, file by file, with Microsoft's parser."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from apiward_core.kql_check import PACKAGE, FunctionSchema, KqlChecker
from apiward_rules.inspection import Inspected, inspect_functions, inspect_rules
from apiward_rules.load import parse_rule
from tests.unit.rules.test_arm import RULE_YAML

LANGUAGE_SERVICE = Path(__file__).parents[3] / PACKAGE
SCHEMA = {"Facts_CL": [("Service", "string"), ("KeyColumn", "string")]}
FUNCTIONS = {"Right": FunctionSchema("Facts_CL | take 1"), "Wrong": FunctionSchema("Facts_CL | where Colour == 1")}

pytestmark = pytest.mark.skipif(not LANGUAGE_SERVICE.is_dir(), reason="node_modules is absent: run make setup")


@pytest.fixture(scope="module")
def checker() -> KqlChecker:
    return KqlChecker(LANGUAGE_SERVICE, SCHEMA, FUNCTIONS)


def changed(**fields: Any) -> str:
    return yaml.safe_dump({**yaml.safe_load(RULE_YAML), **fields})


def faults(checker: KqlChecker, text: str) -> tuple[str, ...]:
    (found,) = inspect_rules({"facts.yaml": text}, checker, beside={})
    assert found.name == "facts"
    return found.faults


def test_a_sound_rule_has_none(checker: KqlChecker) -> None:
    assert faults(checker, RULE_YAML) == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"queryFrequency": "PT1H"}, "not ISO 8601"),
        ({"queryPeriod": "15d"}, "P14D"),
        ({"query": "Facts_CL | where Colour == 'red' | project Service"}, "query 1:18 Error KS142"),
        ({"query": "Elsewhere_CL | take 1"}, "query 1:1 Error KS204"),
        ({"query": "Facts_CL | project Service"}, "does not return KeyColumn"),
    ],
)
def test_a_fault_is_named(checker: KqlChecker, fields: dict[str, Any], said: str) -> None:
    (fault,) = faults(checker, changed(**fields))
    assert said in fault


def test_a_warning_is_no_fault(checker: KqlChecker) -> None:
    assert faults(checker, changed(query="union isfuzzy=true Facts_CL, (Elsewhere_CL | take 1)")) == ()


def test_every_file_is_looked_at_whatever_is_wrong_with_another(checker: KqlChecker) -> None:
    texts = {"b.yaml": RULE_YAML, "a.yaml": "name: [", "c.yaml": changed(id="0f8fad5b-d9cb-469f-a165-708677289501")}
    first, second, third = inspect_rules(texts, checker, beside={})
    assert [first.name, second.name, third.name] == ["a", "b", "c"]
    assert "not YAML" in first.faults[0]
    assert second.faults == ()
    assert third.faults == ("name: 'Facts seen' is also that of b.yaml",)


def test_an_id_or_name_of_another_rule_is_a_fault_unless_it_is_that_rule(checker: KqlChecker) -> None:
    shipped = {"shipped": parse_rule("shipped.yaml", RULE_YAML)}
    (copied,) = inspect_rules({"facts.yaml": RULE_YAML}, checker, beside=shipped)
    (edited,) = inspect_rules({"facts.yaml": changed(severity="Low")}, checker, beside=shipped)
    assert copied.faults == ()
    assert [fault.partition(":")[0] for fault in edited.faults] == ["id", "name"]


def test_a_function_is_checked_where_it_stands(checker: KqlChecker) -> None:
    right, wrong = inspect_functions(["Right", "Wrong"], checker)
    assert right == Inspected("Right", ())
    assert "1:18 Error KS142" in wrong.faults[0]

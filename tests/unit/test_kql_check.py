"""Microsoft's KQL parser over our schemas: each kind of fault is found, named and placed."""

from pathlib import Path

import pytest

from apiward_core.errors import ConfigurationError
from apiward_core.kql_check import PACKAGE, FunctionSchema, KqlChecker

LANGUAGE_SERVICE = Path(__file__).parents[2] / PACKAGE
TABLES = {"Facts_CL": [("TimeGenerated", "datetime"), ("Severity", "string"), ("Hits", "long"), ("Extra", "dynamic")]}
FUNCTIONS = {
    "Latest": FunctionSchema(
        "Facts_CL\n| where Severity == wanted\n| summarize Hits = max(Hits)", "wanted:string = 'High'"
    ),
    "Named": FunctionSchema("Latest('Low') | project Hits"),
    "Broken": FunctionSchema("Facts_CL\n| where Colour == 'red'"),
    "Commented": FunctionSchema("Facts_CL | take 1 // the last line has no end"),
}

pytestmark = pytest.mark.skipif(not LANGUAGE_SERVICE.is_dir(), reason="node_modules is absent: run make setup")


@pytest.fixture(scope="module")
def checker() -> KqlChecker:
    return KqlChecker(LANGUAGE_SERVICE, TABLES, FUNCTIONS)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("Facts_CL | where Colour == 'red'", "KS142", "'Colour'"),
        ("Elsewhere_CL | take 1", "KS204", "'Elsewhere_CL'"),
        ("Facts_CL | where Hits has 'x'", "KS106", "long and string"),
        ("Facts_CL | where Hits >", "KS006", "Missing expression"),
        ("Latest('Low') | project Severity", "KS142", "'Severity'"),
        ("Named | project Severity", "KS142", "'Severity'"),
        ("Facts_CL | where Extra.a == 1 | extend nothing(Hits)", "KS211", "nothing"),
    ],
)
def test_a_fault_is_named(checker: KqlChecker, query: str, code: str, words: str) -> None:
    (found,) = checker.check(query)
    assert (found.code, found.severity) == (code, "Error")
    assert words in found.message


@pytest.mark.parametrize(
    "query",
    [
        "Facts_CL | summarize arg_max(TimeGenerated, *) by Severity",
        "Latest | extend Twice = Hits * 2",
        "Latest('Low') | join kind=inner Named on Hits",
        "Facts_CL | extend IngestedAt = ingestion_time(), Deep = tostring(Extra.a.b)",
        "Commented | project Severity",
    ],
)
def test_a_right_query_gets_no_remark(checker: KqlChecker, query: str) -> None:
    assert checker.check(query) == []


def test_a_fault_is_placed_by_line_and_column(checker: KqlChecker) -> None:
    query = "Facts_CL\n| extend Name = 'ü'\n| where  Colour == 'red'"
    (found,) = checker.check(query)
    assert (found.line, found.column) == (3, 10)
    assert query[found.start :].startswith("Colour")
    assert str(found).startswith("3:10 Error KS142: ")


def test_a_fuzzy_union_with_an_unknown_table_is_a_warning(checker: KqlChecker) -> None:
    (found,) = checker.check("union isfuzzy=true Facts_CL, (Elsewhere_CL | take 1)")
    assert (found.code, found.severity) == ("KS205", "Warning")


def test_the_body_of_a_function_is_checked_where_it_stands(checker: KqlChecker) -> None:
    (found,) = checker.check_function("Broken")
    assert (found.code, found.line, found.column) == ("KS142", 2, 9)


@pytest.mark.parametrize("name", ["Latest", "Named", "Commented"])
def test_a_right_function_gets_no_remark(checker: KqlChecker, name: str) -> None:
    assert checker.check_function(name) == []


def test_the_columns_of_the_result_have_kusto_types(checker: KqlChecker) -> None:
    query = "Facts_CL | project Severity, Twice = Hits * 2, Age = now() - TimeGenerated, Extra, Hot = Hits > 3"
    assert checker.columns(query) == [
        ("Severity", "string"),
        ("Twice", "long"),
        ("Age", "timespan"),
        ("Extra", "dynamic"),
        ("Hot", "bool"),
    ]
    assert checker.columns("Latest") == [("Hits", "long")]
    assert checker.columns("Elsewhere_CL") == []


def test_a_boolean_column_is_kustos_bool() -> None:
    checker = KqlChecker(LANGUAGE_SERVICE, {"T": [("Exempt", "boolean"), ("odd name", "real")]}, {})
    assert checker.columns("T") == [("Exempt", "bool"), ("odd name", "real")]


def test_an_unknown_type_is_refused_with_its_column() -> None:
    with pytest.raises(ConfigurationError, match="Exempt of T has the unknown type maybe"):
        KqlChecker(LANGUAGE_SERVICE, {"T": [("Exempt", "maybe")]}, {})


def test_a_missing_package_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="npm ci"):
        KqlChecker(tmp_path, {}, {})

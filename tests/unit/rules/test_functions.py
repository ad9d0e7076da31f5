"""KQL functions: header, order, refusals."""

import pytest

from apiward_core.errors import ConfigurationError
from apiward_rules.functions import function_schemas, load_functions, parse_function


def test_the_header_is_yaml_in_the_leading_comment() -> None:
    text = "// version: 1.2.3\n// description: >-\n//   Rows,\n//   once.\nFacts_CL\n// not: header\n| take 1\n"
    function = parse_function("Once.kql", text)
    assert (function.alias, function.version, function.description) == ("Once", "1.2.3", "Rows, once.")
    assert (function.parameters, function.query) == ("", text)


def test_the_header_may_declare_parameters() -> None:
    text = "// version: 1.2.3\n// parameters: Name:string, Back:timespan = 1h\n// description: Rows.\nFacts_CL"
    assert parse_function("Some.kql", text).parameters == "Name:string, Back:timespan = 1h"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Facts_CL", "header"),
        ("// version: 1.0\n// description: x\nFacts_CL", "version"),
        ("// version: 1.0.0\nFacts_CL", "description"),
        ("// version: 1.0.0\n// description: x\n// author: y\nFacts_CL", "author"),
        ("// version: [\nFacts_CL", "header"),
    ],
)
def test_a_bad_header_is_refused_with_the_file(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"(?s)Function Bad\.kql: .*({said})"):
        parse_function("Bad.kql", text)


def test_a_function_comes_after_those_that_it_calls() -> None:
    order = list(load_functions())
    for caller in ("ApiRecommendationCurrent", "ApiRecommendationsRaised"):
        assert order.index("ApiRecommendationHistory") < order.index(caller)
    assert order.index("ApiRecommendationTypes") < order.index("ApiRecommendationCurrent")


def test_a_checker_or_an_engine_gets_body_and_parameters() -> None:
    for alias, schema in function_schemas().items():
        function = load_functions()[alias]
        assert (schema.body, schema.parameters) == (function.query, function.parameters)

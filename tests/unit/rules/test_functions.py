"""KQL functions: header, order, refusals."""

import pytest

from apiward_core.errors import ConfigurationError
from apiward_rules.functions import load_functions, parse_function


def test_the_header_is_yaml_in_the_leading_comment() -> None:
    text = "// version: 1.2.3\n// description: >-\n//   Rows,\n//   once.\nFacts_CL\n// not: header\n| take 1\n"
    function = parse_function("Once.kql", text)
    assert (function.alias, function.version, function.description) == ("Once", "1.2.3", "Rows, once.")
    assert function.query == text


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
    assert order.index("ApiRecommendationHistory") < order.index("ApiRecommendationCurrent")

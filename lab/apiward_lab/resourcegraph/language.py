"""The part of KQL that Resource Graph has ("Understanding the Azure Resource Graph query language")."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import duckdb_kql

from apiward_lab.loganalytics import kql_tree
from apiward_lab.loganalytics.kql_errors import explain
from apiward_lab.loganalytics.kql_names import table_names
from apiward_lab.loganalytics.kql_tree import Node
from apiward_lab.resourcegraph.problems import Refusal, disallowed, invalid_query

DEFAULT_TABLE = "resources"

_OPERATORS = frozenset(
    f"{name}Operator"
    for name in (
        *("Count", "Distinct", "Extend", "Join", "Mvexpand", "Parse", "Project", "ProjectAway", "Sort", "Summarize"),
        *("Take", "Top", "Union", "Where"),
    )
)
_PLACES = {"AfterPipeOperator", "BeforeOrAfterPipeOperator", "ForkPipeOperator"}
_SOURCES = {
    "PrintOperator",
    "RangeExpression",
    "DataTableExpression",
    "ExternalDataExpression",
    "MaterializeExpression",
    "ToTableExpression",
}
_MOST = {"JoinOperator": 3, "UnionOperator": 3, "MvexpandOperator": 3}
_JOINS = {"innerunique", "inner", "leftouter", "fullouter"}
_LEADING_OPERATOR = re.compile(
    r"\s*(?:where|extend|project(?:-away)?|summarize|distinct|count|sort|order|top|take|limit|join|mv-?expand|parse)\b"
)


@dataclass(frozen=True)
class GraphQuery:
    """A query that Resource Graph accepts.

    `tables` are those it reads, as it spells them; `is_limited` tells of `limit` or `take`, `is_sorted` of an order.
    """

    kql: str
    tables: frozenset[str]
    is_limited: bool
    is_sorted: bool


@lru_cache(maxsize=256)
def understand(kql: str) -> GraphQuery:
    """The query, with the default table in front where it names none. Raises Refusal."""
    text = f"{DEFAULT_TABLE} | {kql}" if _LEADING_OPERATOR.match(kql) else kql
    try:
        nodes = list(kql_tree.walk(kql_tree.tree(text)))
        _check(nodes)
        tables = table_names(text)
    except duckdb_kql.KqlSyntaxError as error:
        raise _parser_failure(text, error) from error
    except duckdb_kql.KqlError as error:
        reason = explain(error)
        raise invalid_query({"code": reason.inner_code, "message": reason.message}) from error
    rules = {kql_tree.rule(node) for node in nodes}
    return GraphQuery(
        text,
        frozenset(tables),
        is_limited="TakeOperator" in rules,
        is_sorted=bool(rules & {"SortOperator", "TopOperator"}),
    )


def _check(nodes: list[Node]) -> None:
    for node in nodes:
        rule = kql_tree.rule(node)
        if rule == "Statement" and kql_tree.rule(kql_tree.children(node)[0]) != "QueryStatement":
            raise disallowed(kql_tree.first_word(node))
        if rule in _PLACES and kql_tree.rule(kql_tree.children(node)[0]) not in _OPERATORS:
            raise disallowed(kql_tree.first_word(node))
        if rule in _SOURCES:
            raise disallowed(kql_tree.first_word(node))
        if rule == "JoinOperator":
            _check_join(node)
    counts = Counter(kql_tree.rule(node) for node in nodes)
    for rule, most in _MOST.items():
        if counts[rule] > most:
            raise _too_many(rule, most)


def _check_join(join: Node) -> None:
    for parameter in kql_tree.children(join):
        if kql_tree.rule(parameter) == "RelaxedQueryOperatorParameter":
            name, _, value = (child.getText() for child in kql_tree.children(parameter))
            if name != "kind":
                raise disallowed(name)
            if value not in _JOINS:
                message = f'The join kind "{value}" is not supported or not allowed.'
                raise invalid_query({"code": "UnsupportedJoinFlavor", "message": message})


def _too_many(rule: str, most: int) -> Refusal:
    operator = {"MvexpandOperator": "mv-expand"}.get(rule, rule.removesuffix("Operator").lower())
    message = f"The query has more than {most} '{operator}' operators, which is not allowed."
    return invalid_query({"code": "DisallowedMaxNumberOfRemoteTables", "message": message})


def _parser_failure(text: str, error: duckdb_kql.KqlSyntaxError) -> Refusal:
    lines = text.splitlines() or [""]
    code = "ParserFailure"
    return invalid_query(
        *(
            {
                "code": code,
                "message": code,
                "line": diagnostic.span.line,
                "characterPositionInLine": diagnostic.span.column,
                "token": "".join(lines[diagnostic.span.line - 1 :][:1])[diagnostic.span.column :].split(" ")[0],
            }
            for diagnostic in error.diagnostics
        )
    )

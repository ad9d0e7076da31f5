"""Calls of stored functions with named arguments, written by position, which is all that the engine takes.

Kusto allows F(1, c = 7): what is not named comes first, and parameters that are left out take their defaults
(Kusto, user-defined functions).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from duckdb_kql import KqlSyntaxError

from apiward_lab.loganalytics import kql_tree
from apiward_lab.loganalytics.functions import Function
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.kql_tree import Node


def by_position(kql: str, functions: Mapping[str, Function]) -> str:
    """`kql` with every named argument of a call to one of `functions` in its place.

    Raises QueryError when a call names a parameter that does not exist, or twice, or leaves out one without default.
    """
    return _by_position(kql, tuple(functions.values())) if _may_name_one(kql, functions.values()) else kql


@lru_cache(maxsize=512)
def _by_position(kql: str, known: tuple[Function, ...]) -> str:
    functions = {function.alias: function for function in known}
    try:
        root = kql_tree.tree(kql)
    except KqlSyntaxError:
        return kql  # whoever runs it says where the fault is
    for call in kql_tree.walk(root):
        function = functions.get(_callee(call))
        if function and any(_name(argument) for argument in _arguments(call)):
            start, end = kql_tree.span(call)
            rewritten = f"{function.alias}({', '.join(_ordered(call, function, kql))})"
            return by_position(kql[:start] + rewritten + kql[end:], functions)
    return kql


def _may_name_one(kql: str, functions: Iterable[Function]) -> bool:
    """A glance that spares most queries the parsing: is any function with parameters called with arguments?"""
    aliases = "|".join(re.escape(function.alias) for function in functions if function.parameters)
    return bool(aliases) and re.search(rf"\b(?:{aliases})\s*\(\s*[^\s)]", kql) is not None


def _callee(node: Node) -> str:
    return kql_tree.first_word(node) if kql_tree.rule(node) == "NamedFunctionCallExpression" else ""


def _arguments(call: Node) -> list[Node]:
    found = [child for child in kql_tree.children(call) if kql_tree.rule(child) == "ArgumentExpression"]
    return [kql_tree.children(argument)[0] for argument in found]


def _name(argument: Node) -> str | None:
    first = (kql_tree.children(argument) or [argument])[0]
    return kql_tree.first_word(first) if kql_tree.rule(first) == "NamedExpressionNameClause" else None


def _ordered(call: Node, function: Function, kql: str) -> Iterator[str]:
    defaults = _parameters(function)
    given = {name: default for name, default in defaults.items() if default is not None}
    filled: set[str] = set()
    for position, argument in enumerate(_arguments(call)):
        named = _name(argument)
        name = named or next(iter(list(defaults)[position:]), "")
        if name not in defaults or name in filled:
            raise QueryError(
                "SemanticError", "SEM0219", f"{function.alias}(): argument '{named or position + 1}' fits no parameter."
            )
        filled.add(name)
        start, end = kql_tree.span(kql_tree.children(argument)[-1] if named else argument)
        given[name] = kql[start:end]
    if missing := [name for name in defaults if name not in given]:
        raise QueryError("SemanticError", "SEM0219", f"{function.alias}(): argument '{missing[0]}' is missing.")
    return (given[name] for name in defaults)


def _parameters(function: Function) -> dict[str, str | None]:
    """The names of a function's parameters in their order, each with its default as text."""
    declaration = f"let f = ({function.parameters}) {{ print 1 }}; f()"
    found: dict[str, str | None] = {}
    for node in kql_tree.walk(kql_tree.tree(declaration)):
        if kql_tree.rule(node) == "ScalarParameter":
            last = kql_tree.children(node)[-1]
            start, end = kql_tree.span(kql_tree.children(last)[-1]) if _is_default(last) else (0, 0)
            found[kql_tree.first_word(node)] = declaration[start:end] or None
    return found


def _is_default(node: Node) -> bool:
    return kql_tree.rule(node) == "ScalarParameterDefault"

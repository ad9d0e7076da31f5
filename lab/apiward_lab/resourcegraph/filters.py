"""Which resource types a query can read at all, so that the rows of the others need not be looked up for it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from duckdb_kql import ir
from duckdb_kql.lower import lower

from apiward_lab.loganalytics.kql_names import nodes

Types = frozenset[str]
_EQUALS = {"==", "=~"}


@lru_cache(maxsize=256)
def types_read(kql: str) -> Mapping[str, Types | None]:
    """For each table (in lower case) the types that pass its first filters, in lower case; None: any type.

    A table that is read in several places needs what all of them need.
    """
    read: dict[str, Types | None] = {}
    for name, types in _readings(lower(kql, None, None)):
        known = read.get(name, frozenset())
        read[name] = None if known is None or types is None else known | types
    return read


def _readings(query: object) -> Iterator[tuple[str, Types | None]]:
    found = list(nodes(query))
    begun: set[int] = set()
    for node in found:
        if isinstance(node, ir.Query) and isinstance(node.source, ir.TableRef):
            begun.add(id(node.source))
            yield node.source.name.lower(), _first_filters(node.operators)
    for node in found:
        if isinstance(node, ir.TableRef) and id(node) not in begun:
            yield node.name.lower(), None


def _first_filters(operators: Sequence[Any]) -> Types | None:
    for operator in operators:
        if not isinstance(operator, ir.Where):
            break
        for condition in _conditions(operator.predicate):
            if (types := _types_of(condition)) is not None:
                return types
    return None


def _conditions(predicate: Any) -> Iterator[Any]:
    """What must all be true."""
    if isinstance(predicate, ir.BinaryOp) and predicate.op == "and":
        yield from _conditions(predicate.left)
        yield from _conditions(predicate.right)
    else:
        yield predicate


def _types_of(condition: Any) -> Types | None:
    if isinstance(condition, ir.BinaryOp) and condition.op in _EQUALS and _is_type(condition.left):
        return _literals([condition.right])
    if isinstance(condition, ir.InList) and _is_type(condition.value) and not condition.negated:
        return None if condition.subquery is not None else _literals(condition.items)
    return None


def _is_type(expression: Any) -> bool:
    return isinstance(expression, ir.ColumnRef) and expression.name == "type"


def _literals(expressions: Sequence[Any]) -> Types | None:
    if not all(isinstance(entry, ir.Literal) and entry.kind == "string" for entry in expressions):
        return None
    return frozenset(str(entry.value).lower() for entry in expressions)

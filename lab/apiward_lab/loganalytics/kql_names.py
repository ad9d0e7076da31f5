"""Names in another case: KQL tells them apart, DuckDB does not, so the lab has to look before it runs a query."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from duckdb_kql import ir
from duckdb_kql.lower import lower

from apiward_lab.loganalytics.kql_errors import QueryError


@dataclasses.dataclass(frozen=True)
class Names:
    """The names of tables and columns that a query uses, and those that it makes itself."""

    tables: frozenset[str]
    columns: frozenset[str]
    made: frozenset[str]

    @classmethod
    def of(cls, kql: str, functions: Any) -> Self:
        """The names in a query and in the parsed `functions` that it calls. Raises KqlError."""
        found = [*nodes(lower(kql, None, functions))]
        return cls(
            tables=frozenset(node.name for node in found if isinstance(node, ir.TableRef)),
            columns=frozenset(node.name for node in found if isinstance(node, ir.ColumnRef)),
            made=frozenset(node for node in found if isinstance(node, str)),
        )


def check_case(names: Names, schema: Mapping[str, Sequence[str]]) -> None:
    """Raise QueryError when a table or column is named in a case that it does not have.

    A name that the query itself makes, in whatever case, is left alone.
    """
    for name in _in_wrong_case(names.tables - names.made, schema):
        raise QueryError("SemanticError", "SEM0100", f"Failed to resolve table expression named '{name}'")
    known = {column for table in names.tables & schema.keys() for column in schema[table]}
    for name in _in_wrong_case(names.columns - names.made, known):
        raise QueryError("SemanticError", "SEM0100", f"Failed to resolve column or scalar expression named '{name}'")


def table_names(kql: str) -> set[str]:
    """The tables that a query reads, as it spells them. Raises KqlError."""
    return {node.name for node in nodes(lower(kql, None, None)) if isinstance(node, ir.TableRef)}


def _in_wrong_case(used: Iterable[str], known: Iterable[str]) -> list[str]:
    exact = set(known)
    folded = {name.casefold() for name in exact}
    return sorted(name for name in used if name not in exact and name.casefold() in folded)


def nodes(root: object) -> Iterator[object]:
    """Every node of a query, and every text in it that is no reference."""
    waiting: list[object] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, list | tuple):
            waiting += node
        elif dataclasses.is_dataclass(node) and id(node) not in seen:
            seen.add(id(node))
            yield node
            if not isinstance(node, ir.ColumnRef | ir.TableRef):
                waiting += [getattr(node, field.name) for field in dataclasses.fields(node)]

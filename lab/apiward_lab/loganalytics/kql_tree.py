"""The syntax tree of a query: walking it, and the text behind a node.

The tree is what duckdb-kql's parser makes of Microsoft's grammar; a node is known by the name of its rule.
"""

from collections.abc import Iterator
from typing import Any

from duckdb_kql.parser import parse

Node = Any


def tree(kql: str) -> Node:
    """The root of a query's tree. Raises KqlSyntaxError."""
    return parse(kql).tree


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, from the outside in and from left to right."""
    waiting = [node]
    while waiting:
        yield (here := waiting.pop())
        waiting += reversed(children(here))


def children(node: Node) -> list[Node]:
    """The nodes and tokens right below."""
    return list(node.getChildren()) if node.getChildCount() else []


def rule(node: Node) -> str:
    """The rule that made the node, such as "WhereOperator"; "TerminalNodeImpl" for a token."""
    return type(node).__name__.removesuffix("Context")


def first_word(node: Node) -> str:
    """The text of the token with which the node begins."""
    return str(node.start.text)


def span(node: Node) -> tuple[int, int]:
    """Where the node's text begins and ends in the query."""
    return node.start.start, node.stop.stop + 1

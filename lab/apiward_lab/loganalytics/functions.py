"""Functions saved in a workspace, as the KQL engine takes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from duckdb_kql.stored_functions import parse_functions

_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Function:
    """A saved search with an alias."""

    alias: str
    parameters: str
    body: str

    @property
    def definition(self) -> str:
        """The function in Kusto's own notation."""
        return f"function {self.alias}({self.parameters}) {{\n{self.body}\n}}"


@lru_cache(maxsize=512)
def parsed(definitions: tuple[str, ...]) -> Any:
    """Functions in Kusto's notation as the engine takes them. Raises ValueError or TypeError.

    Parsing takes long, and queries come with the same functions again and again.
    """
    return parse_functions(list(definitions))


def reachable(query: str, functions: Mapping[str, Function]) -> dict[str, Function]:
    """The functions that a query may call, directly or through another."""
    found: dict[str, Function] = {}
    texts = [query]
    while texts:
        for word in dict.fromkeys(_WORD.findall(texts.pop())):
            function = functions.get(word)
            if function and word not in found:
                found[word] = function
                texts.append(function.body)
    return found

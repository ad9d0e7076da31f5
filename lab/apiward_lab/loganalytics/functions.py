"""Functions saved in a workspace, as the KQL engine takes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

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


def reachable(query: str, functions: Mapping[str, Function]) -> dict[str, Function]:
    """The functions that a query may call, directly or through another."""
    found: dict[str, Function] = {}
    texts = [query]
    while texts:
        for word in set(_WORD.findall(texts.pop())):
            function = functions.get(word)
            if function and word not in found:
                found[word] = function
                texts.append(function.body)
    return found

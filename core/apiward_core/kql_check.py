"""Checks KQL with Microsoft's own parser against our schemas, in-process and without a workspace.

The parser is npm's `@kusto/language-service-next`, the library behind the query editors of Azure Data Explorer and
Log Analytics; mini-racer runs it inside Python. Both are tools of development and of `apiward rules validate`, not of
the running connector, so they are loaded only when a checker is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from apiward_core.errors import ConfigurationError

PACKAGE = Path("node_modules", "@kusto", "language-service-next")
_SCRIPTS = ("bridge.min.js", "Kusto.Language.Bridge.min.js")


@dataclass(frozen=True)
class FunctionSchema:
    """A stored function: its KQL body and its parameters as a workspace keeps them, `name:type = default, ...`."""

    body: str
    parameters: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """One remark of the parser: `code` as in KS142, `severity` Error, Warning or Suggestion.

    `start` counts from 0 within the checked text, `line` and `column` from 1, all in UTF-16 code units.
    """

    code: str
    severity: str
    message: str
    start: int
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column} {self.severity} {self.code}: {self.message}"


class KqlChecker:
    """Semantic analysis of queries over fixed tables and stored functions.

    `language_service` is the folder of the npm package (`PACKAGE` below a checkout after `npm ci`); `schema` maps a
    table's name to its columns as (name, Kusto type). Raises ConfigurationError when the package or mini-racer is
    missing, or a column has a type that Kusto does not know. Making one takes about half a second: share it.
    """

    def __init__(
        self,
        language_service: Path,
        schema: Mapping[str, Sequence[tuple[str, str]]],
        functions: Mapping[str, FunctionSchema],
    ) -> None:
        self._functions = dict(functions)
        self._engine = _start_engine(language_service)
        tables = [{"name": name, "columns": list(columns)} for name, columns in schema.items()]
        stored = [
            {"name": name, "parameters": function.parameters, "body": function.body}
            for name, function in functions.items()
        ]
        self._load(tables, stored)

    def check(self, query: str) -> list[Diagnostic]:
        """What the parser says about `query`, in the order of the text; empty when it is right."""
        return [Diagnostic(**found) for found in self._engine.call("apiwardKql.check", query)]

    def check_function(self, name: str) -> list[Diagnostic]:
        """What the parser says about the body of the stored function `name`. Raises KeyError when there is none."""
        function = self._functions[name]
        answer = self._engine.call("apiwardKql.checkFunction", function.parameters, function.body)
        return [Diagnostic(**found) for found in answer]

    def columns(self, query: str) -> list[tuple[str, str]]:
        """The columns that `query` returns, as (name, Kusto type); empty when the parser cannot tell."""
        return [(name, kind) for name, kind in self._engine.call("apiwardKql.columns", query)]

    def _load(self, tables: list[dict[str, Any]], functions: list[dict[str, Any]]) -> None:
        unknown = self._engine.call("apiwardKql.load", tables, functions)
        if unknown:
            raise ConfigurationError(
                "; ".join(f"Column {column} of {table} has the unknown type {kind}" for table, column, kind in unknown)
                + ".",
                remedy="Use string, int, long, real, boolean, dynamic, datetime, guid, timespan or decimal.",
            )


def _start_engine(language_service: Path) -> Any:
    try:
        from py_mini_racer import MiniRacer  # noqa: PLC0415 - optional: only checking KQL needs a JavaScript engine
    except ImportError as error:
        raise ConfigurationError(
            "KQL cannot be checked: the Python package mini-racer is not installed.",
            remedy="Install apiward[test], or mini-racer itself.",
        ) from error
    missing = [name for name in _SCRIPTS if not (language_service / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"KQL cannot be checked: {language_service} has no {' and no '.join(missing)}.",
            remedy="Run `make setup` in the checkout, which needs no Node; or `npm ci` where there is one.",
        )
    engine = MiniRacer()
    engine.eval(resources.files(__package__).joinpath("kql_check.js").read_text("utf-8"))
    for name in _SCRIPTS:
        engine.eval((language_service / name).read_text("utf-8-sig"))
    return engine

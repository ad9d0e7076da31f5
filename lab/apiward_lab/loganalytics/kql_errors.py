"""What a query that fails is told, in the words of the query service (Azure Monitor Log Analytics API, errors)."""

import re
from typing import Any

import duckdb
import duckdb_kql

from apiward_lab.loganalytics.problems import DetailedProblem

_MISSING_COLUMN = re.compile(
    r'(?:Referenced column|column named|Column|Alias with name) "{1,2}([^"]+)"{1,2} '
    r"(?:not found|referenced that exists in the SELECT|exists, but aliases)"
)
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_UNKNOWN_FUNCTION = re.compile(r"'function:([^']+)'.*no stored function by that name", re.DOTALL)
_KUSTO_CODE = re.compile(r"\((.*?) \(Kusto: (SEM\d+)\)")
_POSITION = re.compile(r"at (\d+):(\d+)")


class QueryError(Exception):
    """A query that the service refuses: `code` is SyntaxError or SemanticError."""

    def __init__(self, code: str, inner_code: str, message: str, **where: int) -> None:
        super().__init__(message)
        self.code = code
        self.inner_code = inner_code
        self.message = message
        self.where = where

    def problem(self) -> DetailedProblem:
        """The HTTP answer."""
        summary = {
            "SyntaxError": "A recognition error occurred in the query.",
            "SemanticError": "A semantic error occurred.",
        }[self.code]
        inner: dict[str, Any] = {"code": self.inner_code, "message": self.message, **self.where}
        return DetailedProblem(
            400,
            "BadArgumentError",
            "The request had some invalid properties",
            innererror={"code": self.code, "message": summary, "innererror": inner},
        )


def explain(error: duckdb_kql.KqlError | duckdb.Error | RecursionError) -> QueryError:
    """The service's error for what the local engine raised."""
    text = str(error)
    if isinstance(error, duckdb_kql.KqlSyntaxError):
        position = _POSITION.search(text)
        where = {"line": int(position[1]), "pos": int(position[2])} if position else {}
        return QueryError("SyntaxError", "SYN0002", f"Query could not be parsed: {text}", **where)
    if function := _UNKNOWN_FUNCTION.search(text):
        return QueryError("SemanticError", "SEM0260", f"Unknown function: '{function[1]}'.")
    if column := _MISSING_COLUMN.search(text):
        return QueryError(
            "SemanticError", "SEM0100", f"Failed to resolve column or scalar expression named '{column[1]}'"
        )
    if table := _MISSING_TABLE.search(text):
        return QueryError("SemanticError", "SEM0100", f"Failed to resolve table expression named '{table[1]}'")
    if refused := _KUSTO_CODE.search(text):
        return QueryError("SemanticError", refused[2], refused[1])
    if isinstance(error, duckdb_kql.KqlUnsupportedError):
        return QueryError("SemanticError", "LAB0001", f"The lab's KQL engine cannot run this query: {text}")
    return QueryError("SemanticError", "SEM0000", text)

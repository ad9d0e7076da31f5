"""The part of OData that incident lists take: $filter with comparisons, contains, and, or, not; $orderby."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apiward_lab.loganalytics.columns import parse_datetime
from apiward_lab.web import Problem

Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[(),]|[^\s(),']+)")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: left is not None and left > right,
    "ge": lambda left, right: left is not None and left >= right,
    "lt": lambda left, right: left is not None and left < right,
    "le": lambda left, right: left is not None and left <= right,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part.lower() in text.lower(),
    "startswith": lambda text, part: text.lower().startswith(part.lower()),
    "endswith": lambda text, part: text.lower().endswith(part.lower()),
}


def parse_filter(text: str) -> Test:
    """A test of a resource's JSON. Raises Problem 400 when the filter is not understood."""
    parser = _Parser(text)
    test = parser.disjunction()
    if parser.peek():
        raise parser.fault()
    return test


def sort_by(text: str, resources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The resources in the order of `$orderby`; absent values come first."""
    ordered = list(resources)
    for part in reversed([part.split() for part in text.split(",") if part.strip()]):
        path, direction = part[0], part[1].lower() if len(part) > 1 else "asc"
        ordered.sort(key=lambda resource, path=path: _sort_key(_value(resource, path)), reverse=direction == "desc")  # type: ignore[misc]
    return ordered


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def _value(resource: Mapping[str, Any], path: str) -> Any:
    value: Any = resource
    for step in path.split("/"):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise self.fault()
        self._at += 1
        return token

    def fault(self) -> Problem:
        return Problem(400, "BadRequest", f"Invalid $filter '{self._text}' near '{self.peek() or 'its end'}'.")

    def disjunction(self) -> Test:
        tests = [self.conjunction()]
        while self.peek() == "or":
            self.take()
            tests.append(self.conjunction())
        return lambda resource: any(test(resource) for test in tests)

    def conjunction(self) -> Test:
        tests = [self.term()]
        while self.peek() == "and":
            self.take()
            tests.append(self.term())
        return lambda resource: all(test(resource) for test in tests)

    def term(self) -> Test:
        if self.peek() == "not":
            self.take()
            negated = self.term()
            return lambda resource: not negated(resource)
        if self.peek() == "(":
            self.take()
            test = self.disjunction()
            self.take(")")
            return test
        return self.function() if self.peek() in _FUNCTIONS else self.comparison()

    def function(self) -> Test:
        function = _FUNCTIONS[self.take()]
        self.take("(")
        path = self.take()
        self.take(",")
        part = str(self.literal())
        self.take(")")
        return lambda resource: function(str(_value(resource, path) or ""), part)

    def comparison(self) -> Test:
        path = self.take()
        if self.peek() not in _COMPARISONS:
            raise self.fault()
        compare, literal = _COMPARISONS[self.take()], self.literal()
        moment = parse_datetime(literal) if isinstance(literal, str) else None

        def test(resource: Mapping[str, Any]) -> bool:
            value = _value(resource, path)
            if moment is not None and isinstance(value, str):
                return compare(parse_datetime(value), moment)
            return compare(value, literal)

        return test

    def literal(self) -> Any:
        token = self.take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[token]
        return int(token) if re.fullmatch(r"-?\d+", token) else token

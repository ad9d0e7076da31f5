"""One value of a row as a cell: the formatters of workbooks (gridSettings and tileSettings) that reports show."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from apiward_core.logs import Row
from apiward_workbooks.tones import tone

_PLACEHOLDER = re.compile(r"\{(\d)\}|\[\"([^\"]+)\"\]")
_DATE_PATTERNS = {"shortDatePattern": "%Y-%m-%d", "longDatePattern": "%Y-%m-%d", "shortTimePattern": "%H:%M UTC"}
_MOMENT = "%Y-%m-%d %H:%M UTC"
_UNITS = {1: "%", 2: " B", 3: " KB", 4: " MB", 5: " GB", 22: " us", 23: " ms", 24: " s", 25: " min", 26: " h", 27: " d"}


@dataclass(frozen=True)
class Cell:
    """What is shown of a value. `tone` colours it, `href` makes it a link, `number` sets it to the right.

    A `moment` is kept on one line.
    """

    text: str
    tone: str = ""
    href: str = ""
    number: bool = False
    moment: bool = False
    mark: bool = False
    """Whether the tone is that of an icon before the text, not of the text's ground."""


@dataclass(frozen=True)
class Formatter:
    """How the values of a column are shown; `document` is the formatting rule of the workbook."""

    document: Mapping[str, Any]

    @property
    def kind(self) -> int:
        """The formatter's number."""
        return int(self.document.get("formatter") or 0)

    @property
    def column(self) -> str:
        """The column, or for a grid a pattern of columns."""
        return str(self.document.get("columnMatch") or "")

    @property
    def hides(self) -> bool:
        """Whether the column is not shown."""
        return self.kind == _HIDDEN

    @property
    def supported(self) -> bool:
        """Whether reports show the column as the portal does, colours and widths aside."""
        return self.hides or self.kind in _FORMATTERS

    def matches(self, column: str) -> bool:
        """Whether the rule is for `column`: by name, or by pattern from its start to its end."""
        if column == self.column:
            return True
        try:
            return re.fullmatch(self.column, column) is not None
        except re.error:
            return False

    def cell(self, row: Row, column: str) -> Cell:
        """The cell of `column` in `row`."""
        return _FORMATTERS.get(self.kind, _automatic)(self, row.get(column), row)

    def options(self, name: str) -> Any:
        """One of the rule's options, None when it is not set."""
        return (self.document.get("formatOptions") or {}).get(name)


def plain_cell(value: Any) -> Cell:
    """A value without a formatter."""
    return _automatic(Formatter({}), value, {})


def formatter_of(column: str, rules: Sequence[Formatter]) -> Formatter:
    """The first rule for `column`, or one that shows values as they are."""
    return next((rule for rule in rules if rule.matches(column)), Formatter({}))


def shown(value: Any, rule: Formatter | None = None) -> str:
    """A value as text: dates in UTC, numbers grouped, with the rule's unit if it has one."""
    if value is None or value == "":
        return str(((rule.document if rule else {}).get("numberFormat") or {}).get("emptyValCustomText") or "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return _moment(value, rule)
    if isinstance(value, int | float):
        return _number(value, rule)
    if isinstance(value, timedelta):
        return str(value)
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _moment(value: datetime, rule: Formatter | None) -> str:
    name = str(((rule.document if rule else {}).get("dateFormat") or {}).get("formatName"))
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return utc.strftime(_DATE_PATTERNS.get(name, _MOMENT))


def _number(value: float, rule: Formatter | None) -> str:
    form = (rule.document if rule else {}).get("numberFormat") or {}
    digits = (form.get("options") or {}).get("maximumFractionDigits")
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.{2 if digits is None else int(digits)}f}"
    return number + _UNITS.get(form.get("unit") or 0, "")


def _automatic(rule: Formatter, value: Any, _: Row) -> Cell:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(shown(value, rule), number=number, moment=isinstance(value, datetime))


def _text(rule: Formatter, value: Any, _: Row) -> Cell:
    return Cell(shown(value, rule), moment=isinstance(value, datetime))


def _link(rule: Formatter, value: Any, _: Row) -> Cell:
    address = str(value or "")
    if rule.options("linkTarget") != "Url" or not _may_be_followed(address):
        return Cell(address)
    return Cell(str(rule.options("linkLabel") or address), href=address)


def _may_be_followed(address: str) -> bool:
    """Whether a browser that follows the link stays in the web: data may hold `javascript:` and the like."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.netloc) and address.isprintable()


def _last_name(rule: Formatter, value: Any, _: Row) -> Cell:
    """Resources by their last name: what the portal shows needs a right to read them that a report may not have."""
    return Cell(shown(value, rule).rstrip("/").rpartition("/")[2])


def _threshold(rule: Formatter, value: Any, row: Row) -> Cell:
    """The first row of the thresholds that holds gives colour or icon, and the text."""
    text = shown(value, rule)
    for threshold in rule.options("thresholdsGrid") or ():
        if _holds(str(threshold.get("operator")), value, threshold.get("thresholdValue")):
            said = _filled(str(threshold.get("text") or "{0}{1}"), text, row)
            return Cell(said, tone(threshold.get("representation")), mark=rule.options("thresholdsOptions") == "icons")
    return Cell(text)


def _filled(template: str, text: str, row: Row) -> str:
    def fill(found: re.Match[str]) -> str:
        if found[2] is not None:
            return shown(row.get(found[2]))
        return text if found[1] == "0" else ""  # {1} is the unit, which the number has already

    return _PLACEHOLDER.sub(fill, template)


def _holds(operator: str, value: Any, threshold: Any) -> bool:
    if operator == "Default":
        return True
    if operator == "is Empty":
        return value in (None, "")
    compare = _COMPARISONS.get(operator)
    if compare is None:
        return False
    number, limit = _as_number(value), _as_number(threshold)
    if number is not None and limit is not None and operator in _OF_NUMBERS:
        return compare(number, limit)
    return compare(shown(value), str(threshold if threshold is not None else ""))


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _matches(text: str, pattern: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


_OF_NUMBERS = frozenset({"==", "!=", ">", ">=", "<", "<="})
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda value, limit: bool(value == limit),
    "!=": lambda value, limit: bool(value != limit),
    ">": lambda value, limit: bool(value > limit),
    ">=": lambda value, limit: bool(value >= limit),
    "<": lambda value, limit: bool(value < limit),
    "<=": lambda value, limit: bool(value <= limit),
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "regex": _matches,
}

_HIDDEN = 5
_FORMATTERS: Mapping[int, Callable[[Formatter, Any, Row], Cell]] = {
    0: _automatic,
    1: _text,
    2: _automatic,
    6: _text,
    7: _link,
    12: _automatic,
    13: _last_name,
    14: _last_name,
    15: _last_name,
    16: _last_name,
    17: _text,
    18: _threshold,
}

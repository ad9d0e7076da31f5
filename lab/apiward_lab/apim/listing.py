"""Paging and filtering of lists."""

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import urlencode

from apiward_lab.web import Call, Json, Problem

DEFAULT_PAGE = 100

_COMPARISON = re.compile(r"(?P<field>\w+)\s+(?P<operator>\w\w)\s+('(?P<text>[^']*)'|(?P<flag>true|false))")
_FUNCTION = re.compile(r"(?P<function>contains|startswith|endswith)\(\s*(?P<field>\w+)\s*,\s*'(?P<text>[^']*)'\s*\)")
_SUBSTRING = re.compile(r"substringof\(\s*'(?P<text>[^']*)'\s*,\s*(?P<field>\w+)\s*\)")
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "ge", "gt", "le", "lt")
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, text: text in value,
    "startswith": lambda value, text: value.startswith(text),
    "endswith": lambda value, text: value.endswith(text),
}


def page(call: Call, rows: Sequence[Json]) -> Json:
    """The page that $top and $skip ask for, with the number of all rows and a link to the next page.

    The link of the last page is empty, as in the examples of the document.
    """
    top, skip = _number(call, "$top", DEFAULT_PAGE, least=1), _number(call, "$skip", 0, least=0)
    end = skip + top
    body: Json = {"value": list(rows[skip:end]), "count": len(rows), "nextLink": ""}
    if end < len(rows):
        query = {**call.query, "$top": str(top), "$skip": str(end)}
        body["nextLink"] = f"{call.base_url}{call.path}?{urlencode(query, safe='$')}"
    return body


def matches(condition: str, row: Mapping[str, Json], fields: Collection[str]) -> bool:
    """Whether an entity's properties meet an OData filter of terms joined by "and".

    `fields` are those that may be compared. Raises Problem 400 on any other term.
    """
    return all(_meets(term.strip(), row, fields) for term in re.split(r"\s+and\s+", condition))


def _meets(term: str, row: Mapping[str, Json], fields: Collection[str]) -> bool:
    if (hit := _COMPARISON.fullmatch(term)) and hit["field"] in fields and hit["operator"] in _OPERATORS:
        found = row.get(hit["field"], "")
        if hit["flag"] is not None:
            return bool(found == (hit["flag"] == "true")) is (hit["operator"] == "eq")
        return _OPERATORS[hit["operator"]](str(found), hit["text"])
    if (hit := _FUNCTION.fullmatch(term)) and hit["field"] in fields:
        return _FUNCTIONS[hit["function"]](str(row.get(hit["field"], "")), hit["text"])
    if (hit := _SUBSTRING.fullmatch(term)) and hit["field"] in fields:
        return hit["text"] in str(row.get(hit["field"], ""))
    raise Problem(
        400,
        "ValidationError",
        f"The filter term '{term}' is not understood; compare one of {', '.join(fields) or 'no field'}.",
    )


def _number(call: Call, name: str, default: int, *, least: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdigit() or int(text) < least:
        raise Problem(400, "ValidationError", f"{name} is '{text}'; it must be a number of at least {least}.")
    return int(text)

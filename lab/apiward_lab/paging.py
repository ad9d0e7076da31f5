"""Pages of ARM lists: a link with an opaque skip token until the last."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from apiward_lab.web import Call, Json, Problem

Row = TypeVar("Row")


def page(call: Call, rows: Sequence[Row], body: Callable[[Row], Json], *, size: int) -> Json:
    """The page that the call asks for, its rows in the shape that `body` gives them. Raises Problem 400."""
    start = _offset(call.query.get("$skipToken"))
    end = start + size
    found: Json = {"value": [body(row) for row in rows[start:end]]}
    if end < len(rows):
        found["nextLink"] = _next_link(call, end)
    return found


def _next_link(call: Call, offset: int) -> str:
    """The call itself, filter included, with the token of the next page."""
    token = base64.urlsafe_b64encode(str(offset).encode()).decode()
    query = urlencode({**call.query, "$skipToken": token}, safe="$")
    return f"{call.base_url}{call.path}?{query}"


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "InvalidSkipToken", "The $skipToken is not one that this list has given out.") from error

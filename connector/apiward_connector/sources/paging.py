"""Pages of an SDK list operation as the service wrote them.

The SDK's pager sends the requests. Its models are passed by: those of azure-mgmt-security 7.0.0 drop the resource id
when `source` or `id` is spelled in another case, drop members newer than themselves, and refuse a whole page for one
odd date.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
from azure.core.exceptions import DeserializationError
from azure.core.paging import ItemPaged
from azure.core.pipeline import PipelineResponse

from apiward_connector.rest import member
from apiward_core.errors import RejectedDataError, TransientError, azure_errors

Page = list[Any]
_OK = 200


def raw_pages(list_items: Callable[..., ItemPaged[Any]], *, doing: str) -> Iterator[Page]:
    """The items of each page as plain JSON values.

    `list_items` is the SDK's list operation without its own arguments; `doing` completes "while ..." in errors. Raises
    the errors of `apiward_core.errors`; RejectedDataError when paging runs in a circle.
    """
    link: str | None = None
    followed: set[str] = set()
    while True:
        body = _read(list_items, link, doing)
        yield body["items"]
        link = body["link"]
        if not link:
            return
        if link in followed:
            raise RejectedDataError(
                f"The service gave the same nextLink twice while {doing}.",
                remedy="Run again; report it to Microsoft if it lasts.",
            )
        followed.add(link)


def _read(list_items: Callable[..., ItemPaged[Any]], link: str | None, doing: str) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []

    def keep(response: PipelineResponse[Any, Any]) -> None:
        if response.http_response.status_code == _OK:
            bodies.append(_parse(response.http_response.body(), doing))

    with azure_errors(doing), suppress(DeserializationError):
        next(list_items(raw_response_hook=keep).by_page(link))
    return bodies[-1]


def _parse(data: bytes, doing: str) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TransientError(f"The answer while {doing} is no JSON ({error}).", remedy="Run again.") from error
    items, link = member(document, "value"), member(document, "nextLink")
    if not isinstance(items, list) or not isinstance(link, str | None):
        raise RejectedDataError(
            f"The answer while {doing} is no page: it lacks the list `value`, or its `nextLink` is no text.",
            remedy="Check that arm_endpoint is Azure Resource Manager.",
        )
    return {"items": items, "link": link}

"""Pages of an SDK list operation as the service wrote them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
from azure.core.paging import ItemPaged
from azure.core.pipeline import PipelineRequest

from apiward_connector.rest import member
from apiward_connector.sources.raw import Decode, raw_answer
from apiward_core.errors import RejectedDataError

Page = Sequence[Any]
_PORTS = {"http": 80, "https": 443}


def raw_pages(
    list_items: Callable[..., ItemPaged[Any]], *, doing: str, decode: Decode = orjson.loads
) -> Iterator[Page]:
    """The items of each page, plain JSON values unless `decode` makes something else of the items of a document.

    `list_items` is the SDK's list operation without its own arguments; `doing` completes "while ..." in errors. Raises
    the errors of `apiward_core.errors`; RejectedDataError when paging runs in a circle, or leads to another host.
    """
    reader = _Reader(list_items, doing, decode)
    while reader.has_more:
        yield reader.read()  # nothing keeps it here while the next page is read


class _Reader:
    """Reads one page after the other. A link is followed only to where the first page came from: it gets our token."""

    def __init__(self, list_items: Callable[..., ItemPaged[Any]], doing: str, decode: Decode) -> None:
        self._list_items = list_items
        self._doing = doing
        self._decode = decode
        self._first_url = ""
        self._link: str | None = None
        self._followed: set[str] = set()
        self.has_more = True

    def read(self) -> Page:
        """The items of the next page."""
        link = self._link
        if link:
            self._check(link)

        def send(**hooks: Any) -> object:
            return next(self._list_items(raw_request_hook=self._remember, **hooks).by_page(link))

        items, self._link = _page(raw_answer(send, doing=self._doing, decode=self._decode).document, self._doing)
        self.has_more = bool(self._link)
        return items

    def _remember(self, request: PipelineRequest[Any]) -> None:
        self._first_url = self._first_url or request.http_request.url  # before any redirect

    def _check(self, link: str) -> None:
        if link in self._followed:
            raise RejectedDataError(
                f"The service gave the same nextLink twice while {self._doing}.",
                remedy="Run again; report it to Microsoft if it lasts.",
            )
        self._followed.add(link)
        try:
            leads = _origin(urlsplit(urljoin(self._first_url, link)))
        except ValueError:  # no URL at all, or a port that is no number
            leads = None
        if leads != _origin(urlsplit(self._first_url)):
            raise RejectedDataError(
                f"The service gave a nextLink to another host while {self._doing}.",
                remedy="Check arm_endpoint; does a proxy answer in the place of Azure?",
            )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _page(document: Any, doing: str) -> tuple[Page, str | None]:
    items, link = member(document, "value"), member(document, "nextLink")
    if not isinstance(items, Sequence) or isinstance(items, str) or not isinstance(link, str | None):
        raise RejectedDataError(
            f"The answer while {doing} is no page: it lacks the list `value`, or its `nextLink` is no text.",
            remedy="Check that arm_endpoint is Azure Resource Manager.",
        )
    return items, link

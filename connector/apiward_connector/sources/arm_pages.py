"""Pages of lists that no SDK here covers, read by plain ARM calls."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from apiward_connector.rest import member
from apiward_connector.sources.paging import Page
from apiward_core.errors import RejectedDataError


class Arm(Protocol):
    """Reads resources and lists of them."""

    def get(self, path: str, *, api_version: str, **query: str) -> Any:
        """The document at `path`. Raises the errors of `apiward_core.errors`, MissingError when there is none."""
        ...


def arm_pages(arm: Arm, path: str, *, api_version: str, **query: str) -> Iterator[Page]:
    """The items of each page of the list at `path`; `query` holds further parameters, not yet percent-encoded.

    Of a nextLink only path and query are used, so that a link can send neither the request nor its token to another
    host. Raises the errors of `apiward_core.errors`; RejectedDataError when an answer is no page, when a link has no
    absolute path, and when paging runs in a circle.
    """
    read: Callable[[], Any] = partial(
        arm.get, path, api_version=api_version, **{name: quote(text, safe="") for name, text in query.items()}
    )
    followed: set[str] = set()
    while True:
        document = read()
        items, link = member(document, "value"), member(document, "nextLink")
        if not isinstance(items, list) or not isinstance(link, str | None):
            raise _refused("is no page: it lacks the list `value`, or its `nextLink` is no text", path)
        yield items
        if not link:
            return
        if link in followed:
            raise _refused("has a `nextLink` that it has given before", path)
        followed.add(link)
        read = _reader(arm, link, path, api_version)


def _reader(arm: Arm, link: str, listed: str, api_version: str) -> Callable[[], Any]:
    """What reads the page at `link`."""
    try:
        parts = urlsplit(link)
    except ValueError as error:
        raise _refused("has a `nextLink` that is no URL", listed) from error
    if not parts.path.startswith("/"):  # joined to the endpoint, it would make another host of it
        raise _refused("has a `nextLink` without an absolute path", listed)
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    encoded = {unquote(name): text for name, _, text in pairs}
    return partial(arm.get, parts.path, api_version=encoded.pop("api-version", api_version), **encoded)


def _refused(what: str, path: str) -> RejectedDataError:
    return RejectedDataError(
        f"An answer while listing {path} {what}.", remedy="Check that arm_endpoint is Azure Resource Manager."
    )

"""Pages of a result and the tokens that lead from one to the next."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from apiward_lab.resourcegraph.problems import invalid_request
from apiward_lab.resourcegraph.request import MOST_ROWS, QueryRequest


@dataclass(frozen=True)
class Page:
    """Which rows of a result to show."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The first row that is not shown."""
        return self.start + self.size


class SkipTokens:
    """Makes and reads tokens, each good for one query and its scopes only. `key` keeps others from making any."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, request: QueryRequest, page: Page) -> str:
        """The token of a page."""
        content = json.dumps([page.start, page.size]).encode()
        return base64.urlsafe_b64encode(self._seal(request, content) + content).decode()

    def page(self, request: QueryRequest) -> Page:
        """The page that a request asks for. $top and $skip override what a token says. Raises Refusal."""
        asked = self._opened(request) if request.skip_token else Page(0, MOST_ROWS)
        return Page(
            asked.start if request.skip is None else request.skip, asked.size if request.top is None else request.top
        )

    def _opened(self, request: QueryRequest) -> Page:
        try:
            raw = base64.b64decode(request.skip_token or "", altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, content = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(request, content)):
            raise invalid_request(
                "InvalidSkipToken",
                "The '$skipToken' is not one that was given out for this query and these subscriptions or management "
                "groups.",
            )
        return Page(*json.loads(content))

    def _seal(self, request: QueryRequest, content: bytes) -> bytes:
        bound: Sequence[object] = [request.query, request.scopes, content.decode(errors="replace")]
        return hmac.digest(self._key, json.dumps(bound).encode(), hashlib.sha256)


_SEAL_BYTES = hashlib.sha256().digest_size

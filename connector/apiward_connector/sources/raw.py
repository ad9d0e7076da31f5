"""The answer to an SDK operation as the service wrote it.

The SDK makes the request and its pipeline sends it; the body is taken out of the pipeline before it is decoded twice,
as JSON and into models. The models of azure-mgmt-security 7.0.0 cost ten times what the rest of a page costs, drop the
resource id when `source` or `id` is spelled in another case, drop members newer than themselves, and refuse a whole
page for one odd date.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from azure.core.pipeline import PipelineResponse

from apiward_core.errors import TransientError, azure_errors

_OK = 200

Decode = Callable[[bytes], Any]
"""Makes a document of the bytes of its JSON. Raises orjson.JSONDecodeError for what is none."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A JSON document, and the headers that it came with."""

    document: Any
    headers: Mapping[str, str]


class _Answered(Exception):  # noqa: N818 - no error: it takes the answer past the models
    def __init__(self, response: Any) -> None:
        super().__init__()
        self.response = response


def raw_answer(send: Callable[..., object], *, doing: str, decode: Decode = orjson.loads) -> Raw:
    """What the service answers to `send`, an SDK operation that takes its `raw_response_hook`.

    `doing` completes "while ..." in errors; `decode` makes the document. Raises the errors of `apiward_core.errors`.
    """
    with azure_errors(doing):
        try:
            send(raw_response_hook=_hand_out)
        except _Answered as answered:
            return Raw(parsed(answered.response.body(), doing=doing, decode=decode), answered.response.headers)
    raise TransientError(f"There was no answer while {doing}.", remedy="Run again.")


def _hand_out(response: PipelineResponse[Any, Any]) -> None:
    if response.http_response.status_code == _OK:  # of everything else the SDK makes an error
        raise _Answered(response.http_response)


def parsed(data: bytes, *, doing: str, decode: Decode = orjson.loads) -> Any:
    """What `decode` makes of JSON that the service gave. Raises TransientError for what is none."""
    try:
        return decode(data)
    except orjson.JSONDecodeError as error:
        raise TransientError(f"The answer while {doing} is no JSON ({error}).", remedy="Run again.") from error

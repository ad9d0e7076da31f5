"""Pages of assessments, decoded straight into `Assessment` where they are spelled as documented.

A million of them come at a time, and to decode them into dictionaries and find each member in whatever case it is in
takes more than twice as long. What is spelled differently anywhere is decoded as any other JSON, and what is no JSON is
refused there: the documented spelling decides how fast a page is read and nothing else.

The items of Defender's list stay as they are until they are asked for: most of them are those of the last run.

What apiward only passes on, such as additional data, is left to orjson in both cases, because libraries differ in what
numbers and escapes they take. orjson refuses half of a character (a lone surrogate), wherever it stands; such a page is
decoded by the standard library, but for its numbers, so that an API with an odd name hides itself and not all others.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, cast

import orjson
from msgspec import DecodeError, Raw, Struct, field
from msgspec.json import Decoder

from apiward_connector.assessment import ABSENT, GraphAssessment, ListedAssessment, Properties
from apiward_connector.finding import content_digests
from apiward_connector.id_index import U64
from apiward_connector.sources.raw import parsed


class _List(Struct, forbid_unknown_fields=True, rename="camel"):
    value: list[Raw]
    next_link: str | None = None


class _Table(Struct, forbid_unknown_fields=True, rename="camel"):
    data: list[GraphAssessment]
    total_records: int | None = None
    count: int | None = None
    result_truncated: str | None = None
    skip_token: str | None = field(default=None, name="$skipToken")
    facets: list[None] = []

    def document(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "totalRecords": self.total_records,
            "resultTruncated": self.result_truncated,
            "$skipToken": self.skip_token,
        }


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_list = Decoder(_List)
_listed = Decoder(ListedAssessment)
_table = Decoder(_Table)


class AssessmentList(Sequence[Any]):
    """The items of a page of Defender's list, each `Assessment` or whatever it is, decoded when they are asked for.

    To ask for one raises TransientError when one that is decoded with it is no JSON; `doing` completes "while ..." in
    that error.
    """

    def __init__(self, items: Sequence[Raw], *, doing: str) -> None:
        self._items = items
        self._doing = doing

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self.pick(range(len(self))[index]) if isinstance(index, slice) else self.pick([index])[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.pick(range(len(self))))

    def pick(self, indices: Sequence[int]) -> list[Any]:
        """Those at some indices, in that order."""
        items = [self._items[index] for index in indices]
        try:
            listed = list(map(_listed.decode, items))
            _parse([item.properties for item in listed])
        except (DecodeError, ValueError, RecursionError):
            return cast("list[Any]", parsed(_array(items), doing=self._doing, decode=_decoded_slowly))
        return listed

    def fingerprints(self) -> U64:
        """What tells each from every other, before it is decoded."""
        return content_digests(self._items)


def assessment_list(body: bytes, *, doing: str) -> Any:
    """The answer of Defender's list in `body`, its items an `AssessmentList` where there is one.

    Raises orjson.JSONDecodeError for what is no JSON; what is in the items is not looked at.
    """
    try:
        page = _list.decode(body)
    except (DecodeError, ValueError, RecursionError):
        return _decoded_slowly(body)
    return {"value": AssessmentList(page.value, doing=doing), "nextLink": page.next_link}


def assessment_table(body: bytes) -> Any:
    """The answer of Resource Graph in `body`, its rows `Assessment` or whatever they are.

    Raises orjson.JSONDecodeError for what is no JSON.
    """
    try:
        page = _table.decode(body)
        _parse([row.properties for row in page.data])
    except (DecodeError, ValueError, RecursionError):
        return _decoded_slowly(body)
    return page.document()


def _decoded_slowly(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as refused:
        if not _HALF.search(body):
            raise
        try:
            return json.loads(body.decode(), parse_int=orjson.loads, parse_float=orjson.loads, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise refused from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _parse(found: Sequence[Properties]) -> None:
    """Put values in the place of JSON, all of a page at once: it is the call that costs."""
    for properties, value in zip(found, _values([each.additional_data for each in found]), strict=True):
        properties.additional_data = value
    if risky := [each for each in found if each.risk is not ABSENT]:
        for properties, value in zip(risky, _values([each.risk for each in risky]), strict=True):
            properties.risk = value
    if described := [each for each in found if each.metadata is not ABSENT]:
        for properties, value in zip(described, _values([each.metadata for each in described]), strict=True):
            properties.metadata = value


def _values(documents: Sequence[Raw]) -> Any:
    return orjson.loads(_array(documents))


def _array(documents: Sequence[Raw]) -> bytes:
    return b"[%b]" % b",".join(documents)

"""Pages of assessments, decoded straight into `Assessment` where they are spelled as documented.

A million of them come at a time, and to decode them into dictionaries and find each member in whatever case it is in
takes more than twice as long. A page that is spelled differently anywhere is decoded as any other JSON, and what is no
JSON is refused there: the documented spelling decides how fast a page is read and nothing else.

What apiward only passes on, such as additional data, is left to orjson in both cases, because libraries differ in what
numbers and escapes they take. orjson refuses half of a character (a lone surrogate), wherever it stands; such a page is
decoded by the standard library, but for its numbers, so that an API with an odd name hides itself and not all others.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson
from msgspec import DecodeError, Raw, Struct, field
from msgspec.json import Decoder

from apiward_connector.assessment import ABSENT, GraphAssessment, ListedAssessment, Properties


class _List(Struct, forbid_unknown_fields=True, rename="camel"):
    value: list[ListedAssessment]
    next_link: str | None = None

    def document(self) -> dict[str, Any]:
        return {"value": self.value, "nextLink": self.next_link}


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
_table = Decoder(_Table)


def assessment_list(body: bytes) -> Any:
    """The answer of Defender's list in `body`, its items `Assessment` or whatever they are.

    Raises orjson.JSONDecodeError for what is no JSON.
    """
    return _decoded(body, _list)


def assessment_table(body: bytes) -> Any:
    """The answer of Resource Graph in `body`, its rows `Assessment` or whatever they are. Raises as the other one."""
    return _decoded(body, _table)


def _decoded(body: bytes, decoder: "Decoder[_List] | Decoder[_Table]") -> Any:
    try:
        page = decoder.decode(body)
        items = page.value if isinstance(page, _List) else page.data
        _parse([item.properties for item in items])
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
    return orjson.loads(b"[%b]" % b",".join(documents))

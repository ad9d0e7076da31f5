"""However a page is decoded, the same findings are in it."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from apiward_connector.assessment import GraphAssessment, ListedAssessment
from apiward_connector.moments import to_text
from apiward_connector.rest import as_moment, as_moments, member, text
from apiward_connector.sources.assessment_pages import AssessmentList, assessment_list, assessment_table
from apiward_core.errors import TransientError
from tests.unit.connector.samples import KEY, OTHER_KEY, SERVICE, SUBSCRIPTION, assessment, normaliser, with_properties

MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
TIMES = (
    *("2026-11-20T08:00:00.1234567Z", "2026-11-20T08:00:00Z", "2026-02-30T08:00:00.1234567Z"),
    *("0000-11-20T08:00:00.1234567Z", "2026-11-20T08:00:00.123+017Z", "2026-11-20T08:00:00.12345678", "soon", ""),
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["level", "a", "Id"]), inner, max_size=2)
    ),
    max_leaves=3,
)
ODD_NUMBERS = st.sampled_from([2**70, -(2**64), 1e300, 0.1])
IDS = st.sampled_from(
    [
        *(f"{SERVICE}/apis/Echo;rev=2/operations/get", SERVICE, MACHINE, f" {SERVICE}/apis/a ", "", "nonsense"),
        *(f"/providers/Microsoft.Security/assessments/{KEY}", f"{SERVICE}/apis/\N{GREEK CAPITAL LETTER SIGMA}"),
        *(f"{SERVICE}/apis/a/providers/Microsoft.Security/assessments/{KEY}", f"{SERVICE}/apis/\ud800"),
    ]
)


def rarely(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual; now and then something else, or the usual within something else."""
    return st.integers(0, 19).flatmap(lambda number: ODD if number == 0 else usual)


TEXTS = st.sampled_from(["", "a", " Exempt ", "Healthy", "unhealthy", "\N{GREEK SMALL LETTER OMEGA}"])
MOMENTS = st.sampled_from(TIMES)
SPELLINGS = st.sampled_from(["id", "id", "Id", "ID", "azureResourceId", "AzureResourceId"])
DETAILS = st.fixed_dictionaries({"source": rarely(TEXTS)}) | st.dictionaries(SPELLINGS, rarely(IDS), max_size=3)
STATUSES = st.fixed_dictionaries(
    {"code": rarely(TEXTS)},
    optional={
        **dict.fromkeys(("cause", "description"), rarely(TEXTS) | st.none()),
        **dict.fromkeys(("firstEvaluationDate", "statusChangeDate"), rarely(MOMENTS)),
    },
)
DATA = st.none() | ODD | st.dictionaries(st.sampled_from(["b", "a", "apiCollectionName"]), ODD | ODD_NUMBERS | TEXTS)
PROPERTIES = {
    "displayName": rarely(st.sampled_from(["API endpoints should be safe", "x"])),
    "resourceDetails": rarely(DETAILS),
    "status": rarely(STATUSES),
    "additionalData": DATA,
    "risk": st.fixed_dictionaries({"level": rarely(TEXTS)}) | st.none(),
    "metadata": st.fixed_dictionaries({"severity": TEXTS, "categories": st.lists(TEXTS, max_size=1)}) | st.none(),
}
NAMES = rarely(st.sampled_from([KEY, OTHER_KEY, KEY.upper(), "", f" {KEY}"]))
ITEM = {"id": rarely(IDS), "name": NAMES}
LISTED = st.fixed_dictionaries(
    {**ITEM, "properties": st.fixed_dictionaries({}, optional=PROPERTIES)},
    optional={"location": rarely(TEXTS), "type": rarely(TEXTS)},
)
ROWS = st.fixed_dictionaries(ITEM, optional={"location": rarely(TEXTS), "subscriptionId": TEXTS, **PROPERTIES})
LINKS = st.none() | rarely(st.just("https://next"))
Decode = Callable[[bytes], Any]


def decoded(decode: Decode, body: bytes) -> Any:
    """The document, None for what is no JSON."""
    try:
        return decode(body)
    except (orjson.JSONDecodeError, TransientError):
        return None


def listing(body: bytes) -> Any:
    """The document of a list, all of its items decoded."""
    document = assessment_list(body, doing="listing")
    items = member(document, "value")
    return {**document, "value": list(items)} if isinstance(items, AssessmentList) else document


def refused(constant: str) -> NoReturn:
    """Infinity and its like, which Python writes and reads, are no JSON."""
    raise ValueError(constant)


def plainly(body: bytes) -> Any:
    """The document; half of a character, which orjson does not take, is one of the standard library's texts."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            document = json.loads(
                body.decode(), parse_int=orjson.loads, parse_float=orjson.loads, parse_constant=refused
            )
        except ValueError:
            raise error from None
        if "\\ud" in json.dumps(document):
            return document
        raise


def described(page: Sequence[Any]) -> list[Any]:
    findings, unreadable = normaliser().findings(page)
    return [*findings, *unreadable]


def spoilt(body: bytes, at: int, byte: int) -> bytes:
    """The body with a byte of it replaced, or as it is."""
    return body[:at] + bytes([byte]) + body[at + 1 :] if 0 <= at < len(body) else body


SPOILT_AT, SPOILT_BY = st.integers(-2000, 2000), st.integers(0, 255)


@given(st.lists(LISTED, max_size=3), LINKS, SPOILT_AT, SPOILT_BY)
@example([with_properties(assessment(), additionalData={"a": 2**70})], None, -1, 0)
@example([with_properties(assessment(), additionalData={"a": "\ud800"})], None, -1, 0)
@example([with_properties(assessment(), additionalData={"a": "x"})], None, 500, 0xFF)
@example([with_properties(assessment(), resourceDetails={"id": "", "Id": MACHINE})], None, -1, 0)
@example([with_properties(assessment(), status={"Code": "Healthy"})], None, -1, 0)
@example([assessment(), with_properties(assessment(), ADDITIONALDATA={"a": 1})], None, -1, 0)
def test_a_list_has_the_same_findings_however_it_is_decoded(items: Any, link: Any, at: int, byte: int) -> None:
    body = spoilt(json.dumps({"value": items, "nextLink": link}).encode(), at, byte)
    fast, plain = decoded(listing, body), decoded(plainly, body)
    assert (fast is None) == (plain is None)
    if isinstance(member(plain, "value"), list):
        assert member(fast, "nextLink") == member(plain, "nextLink")
        assert len(member(fast, "value")) == len(member(plain, "value"))
        assert described(member(fast, "value")) == described(member(plain, "value"))


@given(st.lists(LISTED, min_size=1, max_size=4), st.data())
def test_items_can_be_decoded_one_by_one(items: Any, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(items) - 1)))
    body = json.dumps({"value": items}).encode()
    page = member(decoded(partial(assessment_list, doing="listing"), body), "value")
    assume(isinstance(page, AssessmentList))
    plain = orjson.loads(body)["value"]
    assert described(page.pick(chosen)) == described([plain[index] for index in chosen])


def test_what_differs_in_a_byte_has_another_fingerprint() -> None:
    items = [assessment(code=code) for code in ("Healthy", "Healthz", "Healthy")]
    first, second, again = assessment_list(orjson.dumps({"value": items}), doing="listing")["value"].fingerprints()
    assert first == again != second


@given(st.lists(ROWS, max_size=3), LINKS, SPOILT_AT, SPOILT_BY)
def test_a_table_has_the_same_findings_however_it_is_decoded(rows: Any, token: Any, at: int, byte: int) -> None:
    about = {"totalRecords": len(rows), "count": len(rows), "resultTruncated": "false", "facets": []}
    body = spoilt(json.dumps({**about, "data": rows, "$skipToken": token}).encode(), at, byte)
    fast, plain = decoded(assessment_table, body), decoded(plainly, body)
    assert (fast is None) == (plain is None)
    if isinstance(member(plain, "data"), list):
        assert [member(fast, name) for name in about if name not in ("count", "facets")] == [
            member(plain, name) for name in about if name not in ("count", "facets")
        ]
        assert text(fast, "$skipToken") == text(plain, "$skipToken")
        assert described(list(map(listed, member(fast, "data")))) == described(list(map(listed, member(plain, "data"))))


def listed(row: Any) -> Any:
    """A row as an item of Defender's list."""
    if isinstance(row, GraphAssessment) or not isinstance(row, dict):
        return row
    return {**row, "properties": {name: row[name] for name in PROPERTIES if name in row}}


@pytest.mark.parametrize("number", ["18446744073709551616", "-0", "1.10", "1e300"])
def test_half_of_a_character_changes_no_number_on_its_page(number: str) -> None:
    data = b'{"value": [{"properties": {"additionalData": {"a": %b}}}, {"name": "%b"}]}'
    alone, beside = (listing(data % (number.encode(), name)) for name in (b"x", b"\\ud800"))
    assert repr(beside["value"][0]["properties"]["additionalData"]) == repr({"a": orjson.loads(number)})
    assert described(beside["value"][:1]) == described(alone["value"][:1])


@pytest.mark.parametrize("number", ["1e999", "Infinity", "-Infinity", "NaN"])
def test_a_number_that_is_none_is_refused_beside_half_of_a_character(number: str) -> None:
    page = b'{"value": [{"properties": {"additionalData": %b}}, {"name": "\\ud800"}]}'
    with pytest.raises(orjson.JSONDecodeError):
        listing(page % number.encode())


def test_a_number_that_is_none_is_refused_when_it_is_looked_at() -> None:
    page = assessment_list(
        b'{"value": [{"properties": {"additionalData": 1e999}}, {"properties": {}}]}', doing="listing"
    )
    assert page["value"].pick([1])[0].name == ""
    with pytest.raises(TransientError, match="while listing is no JSON"):
        page["value"].pick([0])


@pytest.mark.parametrize("half", [b"", b"\\ud800"], ids=["alone", "beside half of a character"])
def test_what_is_nested_without_end_is_refused(half: bytes) -> None:
    page = b'{"value": [{"properties": {"additionalData": %b%b}}, {"name": "%b"}]}'
    with pytest.raises(orjson.JSONDecodeError):
        listing(page % (b"[" * 100_000, b"]" * 100_000, half))


def test_half_of_a_character_is_known_in_any_case() -> None:
    [item] = listing(b'{"value": [{"name": "\\uD800"}]}')["value"]
    assert item["name"] == "\ud800"


DIGITS = st.lists(st.integers(0, 9), min_size=21, max_size=21)
WRITTEN = DIGITS.map(lambda digits: "{}{}{}{}-{}{}-{}{}T{}{}:{}{}:{}{}.{}{}{}{}{}{}{}Z".format(*digits))
LIKELY_DATES = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='microseconds')}7Z")


@given(st.lists(st.none() | WRITTEN | LIKELY_DATES | MOMENTS | st.text(max_size=28), max_size=4))
@example(["2026-11-20T24:00:00.0000000Z"])
@example(["2026-11-20T08:00:60.0000000Z"])
@example(["0000-11-20T08:00:00.0000000Z", "2026-11-20T08:00:00.0000000Z"])
def test_times_are_read_alike_together_and_one_by_one(written: list[str | None]) -> None:
    assert list(map(to_text, as_moments(written).tolist())) == [as_moment(each) for each in written]


def test_what_is_spelled_as_documented_is_decoded_the_fast_way() -> None:
    whole = with_properties(
        assessment(statusChangeDate=TIMES[0], cause="Exempt"),
        additionalData={"a": 1},
        links={"azurePortalUri": "https://portal.example"},
        metadata={"displayName": "x", "severity": "Low"},
        partnersData={"partnerName": "x", "secret": "x"},
        risk={"level": "High"},
    )
    [item] = listing(orjson.dumps({"value": [whole]}))["value"]
    assert isinstance(item, ListedAssessment)
    properties: Any = item.properties
    assert (properties.additional_data, properties.risk) == ({"a": 1}, {"level": "High"})


@pytest.mark.parametrize("identity", [{"id": SERVICE}, {"Source": "Azure", "Id": SERVICE, "ResourceType": "x"}])
def test_a_row_is_decoded_the_fast_way(identity: Any) -> None:
    row = {"id": f"{SERVICE}/x", "name": KEY, "resourceDetails": identity, "status": {"code": "Healthy", "cause": None}}
    [item] = assessment_table(orjson.dumps({"data": [row], "totalRecords": 1}))["data"]
    assert isinstance(item, GraphAssessment)
    details = item.properties.resource_details
    assert (details.resource_id, details.azure_id) == (SERVICE, None)

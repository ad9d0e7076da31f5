import weakref
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.metadata import AssessmentMetadata, MetadataSource
from apiward_core.errors import AccessError, ApiwardError, RejectedDataError, ThrottledError, TransientError
from tests.unit.connector.samples import KEY, SUBSCRIPTION, assessment, finding, with_properties
from tests.unit.connector.transport import Credential, Replies

FIRST = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/assessments"
SECOND = f"{FIRST}?api-version=2021-06-01&$skiptoken=two"


def client_for(transport: Replies) -> Callable[[str], SecurityCenter]:
    return lambda subscription: SecurityCenter(Credential(), subscription, transport=transport, retry_total=0)


def pages(*replies: tuple[int, Any]) -> list[Any]:
    return list(map(list, AssessmentsSource(client_for(Replies(*replies))).pages(SUBSCRIPTION)))


def test_pages_are_followed_to_the_end() -> None:
    transport = Replies((200, {"value": [1, 2], "nextLink": SECOND}), (200, {"value": [3]}))
    assert list(map(list, AssessmentsSource(client_for(transport)).pages(SUBSCRIPTION))) == [[1, 2], [3]]
    first, second = (request.url for request in transport.requests)
    assert first == f"{FIRST}?api-version=2021-06-01"
    assert second.startswith(f"{FIRST}?")
    assert "skiptoken=two" in second


def test_no_page_is_kept_while_the_next_one_is_read() -> None:
    transport = Replies((200, {"value": [1], "nextLink": SECOND}), (200, {"value": [2]}))
    listed = AssessmentsSource(client_for(transport)).pages(SUBSCRIPTION)
    first = weakref.ref(next(listed))
    assert first() is None


def test_items_come_as_the_service_wrote_them() -> None:
    odd = with_properties(assessment(statusChangeDate="no date"), notDocumented=1)
    assert pages((200, {"value": [odd]})) == [[odd]]


def test_an_empty_page_may_have_a_successor() -> None:
    assert pages((200, {"value": [], "nextLink": SECOND}), (200, {"value": [1]})) == [[], [1]]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}}, AccessError),
        (429, {"error": {"code": "Throttled", "message": "slow down"}}, ThrottledError),
        (500, {"error": {"code": "Internal", "message": "oops"}}, TransientError),
        (200, b'{"value": [', TransientError),
        (200, {"values": []}, RejectedDataError),
        (200, [], RejectedDataError),
        (200, {"value": [], "nextLink": 5}, RejectedDataError),
    ],
)
def test_a_page_that_cannot_be_read_is_an_error(status: int, body: Any, error: type[ApiwardError]) -> None:
    with pytest.raises(error, match=f"listing the assessments of subscriptions/{SUBSCRIPTION}"):
        pages((status, body))


def test_paging_in_a_circle_ends() -> None:
    circle = (200, {"value": [], "nextLink": SECOND})
    with pytest.raises(RejectedDataError, match="same nextLink twice"):
        pages(circle, circle)


@pytest.mark.parametrize(
    "link",
    [
        SECOND.replace("management.azure.com", "management.azure.com.example.org"),
        SECOND.replace("https://", "http://"),
        SECOND.replace("management.azure.com", "management.azure.com:8443"),
        SECOND.replace("management.azure.com", "management.azure.com@example.org"),
        SECOND.replace("management.azure.com", "management.azure.com:port"),
        "//example.org/page",
    ],
)
def test_a_link_to_another_host_is_not_followed(link: str) -> None:
    transport = Replies((200, {"value": [], "nextLink": link}))
    with pytest.raises(RejectedDataError, match="nextLink to another host"):
        list(AssessmentsSource(client_for(transport)).pages(SUBSCRIPTION))
    assert len(transport.requests) == 1


@pytest.mark.parametrize("host", ["MANAGEMENT.azure.com", "management.azure.com:443"])
def test_the_same_host_may_be_spelled_otherwise(host: str) -> None:
    link = SECOND.replace("management.azure.com", host)
    assert pages((200, {"value": [1], "nextLink": link}), (200, {"value": [2]})) == [[1], [2]]


def test_a_page_that_fails_on_the_way_is_no_end() -> None:
    first = (200, {"value": [1], "nextLink": SECOND})
    for broken in (ServiceResponseError("connection reset"), ServiceRequestError("no route")):
        read = AssessmentsSource(client_for(Replies(first, broken))).pages(SUBSCRIPTION)
        assert list(next(read)) == [1]
        with pytest.raises(TransientError, match="could not be reached"):
            next(read)


def test_metadata_is_read_by_key_in_lower_case() -> None:
    document = {
        "name": KEY.upper(),
        "properties": {
            "displayName": "Use only encrypted protocols",
            "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/p",
            "severity": "High",
            "categories": ["Networking"],
            "publishDates": {"public": "not as the pattern says"},
        },
    }
    metadata = MetadataSource(client_for(Replies((200, {"value": [document]})))).load(SUBSCRIPTION)
    policy = "/providers/Microsoft.Authorization/policyDefinitions/p"
    assert metadata == {KEY: AssessmentMetadata("Use only encrypted protocols", policy, "High", ("Networking",))}


def test_a_listed_assessment_is_normalised() -> None:
    [[item]] = pages((200, {"value": [assessment()]}))
    assert finding(item).place.api == "echo"

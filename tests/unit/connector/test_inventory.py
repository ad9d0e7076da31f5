"""API collections as rows of DefenderApiInventory_CL."""

from typing import Any

import pytest
from azure.mgmt.security import SecurityCenter

from apiward_connector.finding import Unreadable
from apiward_connector.reference.inventory import Collection, Inventory
from apiward_connector.sources.inventory import InventorySource, collection_of
from apiward_core.errors import AccessError
from apiward_core.tables import all_tables
from tests.unit.connector.samples import SERVICE, SUBSCRIPTION
from tests.unit.connector.transport import Credential, Replies

MORNING = "2026-11-20T08:00:00.000000Z"
EVENING = "2026-11-20T20:00:00.000000Z"
NEXT_DAY = "2026-11-21T08:00:00.000000Z"
SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
LIST = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/apiCollections"


def collection(service: str = SERVICE, name: str = "Echo", **properties: Any) -> Any:
    return {
        "id": f"{service}/providers/Microsoft.Security/apiCollections/{name}",
        "name": name,
        "properties": {
            "baseUrl": "https://contoso.azure-api.net/echo",
            "numberOfApiEndpoints": 6,
            "numberOfExternalApiEndpoints": 5,
            "numberOfUnauthenticatedApiEndpoints": 4,
            "numberOfInactiveApiEndpoints": 3,
            "numberOfApiEndpointsWithSensitiveDataExposed": 2,
            **properties,
        },
    }


def row(raw: Any, observed: str = MORNING, run_id: str = "run") -> dict[str, Any]:
    found = collection_of(raw)
    assert isinstance(found, Collection), found
    [made] = Inventory([found]).rows(run_id=run_id, observed=observed)
    return made


def source(transport: Replies) -> InventorySource:
    return InventorySource(
        lambda subscription: SecurityCenter(Credential(), subscription, transport=transport, retry_total=0)
    )


def test_pages_are_followed_to_the_end() -> None:
    transport = Replies((200, {"value": [1], "nextLink": f"{LIST}?$skipToken=two"}), (200, {"value": [2]}))
    assert list(source(transport).pages(SUBSCRIPTION)) == [[1], [2]]
    assert transport.requests[0].url == f"{LIST}?api-version=2023-11-15"
    assert "skipToken=two" in transport.requests[1].url


def test_a_refusal_names_what_was_read() -> None:
    refused = Replies((403, {"error": {"code": "AuthorizationFailed", "message": "no role"}}))
    with pytest.raises(AccessError, match=f"API collections of subscriptions/{SUBSCRIPTION}"):
        list(source(refused).pages(SUBSCRIPTION))


def test_what_is_no_collection_does_not_hide_the_others() -> None:
    transport = Replies((200, {"value": [{"id": "nonsense"}, collection()]}))
    refused, found = source(transport).read(SUBSCRIPTION)
    assert isinstance(refused, Unreadable)
    assert found == Collection(SERVICE.lower(), "echo", "https://contoso.azure-api.net/echo", 6, 5, 4, 3, 2)


def test_a_row_has_the_columns_of_its_table() -> None:
    assert set(row(collection())) == {column.name for column in all_tables()["DefenderApiInventory_CL"].columns}


def test_a_row_names_the_api_as_findings_name_it() -> None:
    made = row(collection(SERVICE.upper(), "Echo;rev=2"))
    assert made["ResourceId"] == f"{SERVICE.lower()}/apis/echo"
    assert (made["ServiceId"], made["ApiName"], made["SubscriptionId"]) == (SERVICE.lower(), "echo", SUBSCRIPTION)


def test_each_count_has_its_column() -> None:
    made = row(collection())
    columns = ("EndpointCount", "ExternalCount", "UnauthenticatedCount", "UnusedCount", "SensitiveCount")
    assert [made[column] for column in columns] == [6, 5, 4, 3, 2]


@pytest.mark.parametrize("value", [None, "many", True, 1.5], ids=["null", "text", "boolean", "fraction"])
def test_a_count_that_is_none_is_unknown_and_not_zero(value: Any) -> None:
    assert row(collection(numberOfApiEndpoints=value))["EndpointCount"] is None
    assert row(collection(numberOfApiEndpoints=0))["EndpointCount"] == 0


def test_the_same_content_on_the_same_day_is_the_same_row() -> None:
    first = row(collection())
    assert row(collection(), EVENING, "another run")["RecordId"] == first["RecordId"]
    assert row(collection(SERVICE.upper(), "ECHO"))["RecordId"] == first["RecordId"]


@pytest.mark.parametrize(
    ("raw", "observed"),
    [
        (collection(), NEXT_DAY),
        (collection(name="other"), MORNING),
        (collection(numberOfApiEndpoints=7), MORNING),
        (collection(baseUrl="https://contoso.example/echo"), MORNING),
    ],
    ids=["day", "API", "count", "address"],
)
def test_another_day_or_content_is_another_row(raw: Any, observed: str) -> None:
    assert row(raw, observed)["RecordId"] != row(collection())["RecordId"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("not an object", "no ARM id"),
        ({"name": "echo"}, "no ARM id"),
        ({"id": "nonsense"}, "no ARM id"),
        ({"id": f"{SERVICE}/apis/echo"}, "no API collection"),
        (collection(SITE), "no API collection"),
    ],
    ids=["no object", "no id", "no ARM id", "no collection", "of a site"],
)
def test_what_is_no_collection_of_a_service_is_reported(raw: Any, why: str) -> None:
    result = collection_of(raw)
    assert isinstance(result, Unreadable)
    assert result.what
    assert why in result.why

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from apiward_lab.estate import Calls, Estate, build
from apiward_lab.estate.catalogue import SERVICES
from apiward_lab.estate.model import ApimService
from apiward_lab.estate.rows import ServiceRow

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def unencrypted(estate: Estate) -> Counter[str]:
    return Counter(service.name for service, api in estate.apis() if {"http", "ws"} & set(api.protocols))


def count_operations(estate: Estate) -> int:
    return sum(len(api.operations) for _, api in estate.apis())


def test_the_same_seed_gives_the_same_estate_and_another_seed_other_ids() -> None:
    assert build("medium", at=AT) == build("medium", at=AT)
    assert build(seed="fabrikam").tenant_id != build().tenant_id


def test_the_small_estate_has_the_promised_size() -> None:
    estate = build()
    assert (len(estate.subscriptions), len(estate.services)) == (3, 6)
    assert len(list(estate.apis())) == 60
    assert count_operations(estate) == 401


def test_the_small_estate_has_what_the_demonstration_needs() -> None:
    estate = build()
    services = {service.name: service for service in estate.services}
    bad = unencrypted(estate)
    assert len(bad) >= 3
    assert len({services[name].group.subscription_id for name in bad}) >= 2
    assert bad["apim-contoso-orders"] == 2
    assert any(";rev=" in api.name for _, api in estate.apis())
    assert any(api.api_type == "websocket" for _, api in estate.apis())
    assert any("<script>" in api.properties["displayName"] for _, api in estate.apis())
    assert any(
        entry.properties.get("tls", {}).get("validateCertificateChain") is False
        for service in estate.services
        for entry in service.backends.values()
    )


def test_larger_estates_have_their_sizes() -> None:
    estate = build("medium")
    assert len(list(estate.apis())) == 60 + 16 * 60
    assert count_operations(estate) == 401 + 16 * 60 * 5


def test_every_id_is_unique() -> None:
    estate = build("medium")
    ids = [service.api_id(api).lower() for service, api in estate.apis()]
    templates = [
        (service.api_id(api), operation.properties["method"], operation.properties["urlTemplate"])
        for service, api in estate.apis()
        for operation in api.operations.values()
    ]
    assert len(set(ids)) == len(ids)
    assert len(set(templates)) == len(templates)


@pytest.mark.parametrize("row", SERVICES, ids=lambda row: row.name)
def test_what_the_tables_name_exists(row: ServiceRow) -> None:
    service = next(service for service in build().services if service.name == row.name)
    for api in row.apis:
        assert set(api.silent) <= set(service.apis[api.name.lower()].operations)
    in_products = {name for product in row.products for name in product.apis}
    assert in_products == {api.name for api in row.apis if ";" not in api.name}
    assert {name for entry in row.all_apis for name in entry.uses} <= in_products


def test_only_what_is_declared_silent_has_no_traffic_of_today() -> None:
    estate = build(at=AT)
    silent = {
        f"{service.name}/{api.name}/{operation.name}"
        for service, api in estate.apis()
        if api.is_current
        for operation in api.operations.values()
        if operation.last_call(AT) != AT
    }
    declared = {
        f"{row.name}/{api.name}/{operation}" for row in SERVICES for api in row.apis for operation in api.silent
    }
    assert silent == declared
    assert declared


def test_the_keys_of_a_subscription_are_of_that_subscription_alone() -> None:
    entries = [entry for service in build().services for entry in service.subscriptions.values()]
    keys = [entry.properties[name] for entry in entries for name in ("primaryKey", "secondaryKey")]
    assert len(set(keys)) == 2 * len(entries)


@pytest.mark.parametrize(
    ("stopped_days", "from_days", "to_days", "count"),
    [(None, 30, 0, 300), (10, 30, 0, 200), (40, 30, 0, 0), (None, 1, 2, 0)],
)
def test_calls_are_counted_within_the_period(
    stopped_days: int | None, from_days: int, to_days: int, count: int
) -> None:
    stopped = AT - timedelta(days=stopped_days) if stopped_days else None
    calls = Calls("mobile-app", per_day=10, stopped=stopped)
    assert calls.between(AT - timedelta(days=from_days), AT - timedelta(days=to_days)) == count


def test_services_are_found_without_regard_to_case() -> None:
    estate = build()
    known: ApimService = estate.services[0]
    found = estate.service(known.group.subscription_id.upper(), known.group.name.upper(), known.name.upper())
    assert found is known
    assert estate.service(known.group.subscription_id, "elsewhere", known.name) is None


def test_an_unknown_size_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="small, medium, large"):
        build("tiny")

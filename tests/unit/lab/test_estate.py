from collections import Counter

import pytest

from apiward_lab.estate import Estate, build
from apiward_lab.estate.model import ApimService


def unencrypted(estate: Estate) -> Counter[str]:
    return Counter(service.name for service, api in estate.apis() if {"http", "ws"} & set(api.protocols))


def test_the_same_seed_gives_the_same_estate_and_another_seed_other_ids() -> None:
    assert build("medium") == build("medium")
    assert build(seed="fabrikam").tenant_id != build().tenant_id


def test_the_small_estate_has_what_the_demonstration_needs() -> None:
    estate = build()
    services = {service.name: service for service in estate.services}
    bad = unencrypted(estate)
    assert len(estate.subscriptions) == 3
    assert len(list(estate.apis())) == 25
    assert len(bad) >= 3
    assert len({services[name].group.subscription_id for name in bad}) >= 2
    assert bad["apim-contoso-orders"] == 2
    assert any(";rev=" in api.name for _, api in estate.apis())
    assert any(api.api_type == "websocket" for _, api in estate.apis())
    assert any("<script>" in api.properties["displayName"] for _, api in estate.apis())


def test_larger_estates_have_their_sizes() -> None:
    assert len(list(build("medium").apis())) == 25 + 16 * 60


def test_every_id_is_unique() -> None:
    estate = build("medium")
    ids = [service.api_id(api).lower() for service, api in estate.apis()]
    assert len(set(ids)) == len(ids)


def test_services_are_found_without_regard_to_case() -> None:
    estate = build()
    known: ApimService = estate.services[0]
    found = estate.service(known.group.subscription_id.upper(), known.group.name.upper(), known.name.upper())
    assert found is known
    assert estate.service(known.group.subscription_id, "elsewhere", known.name) is None


def test_an_unknown_size_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="small, medium, large"):
        build("tiny")

from datetime import timedelta

import pytest

from apiward_lab.clock import VirtualClock
from apiward_lab.defender import Defender
from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import Api, ApimService, build
from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem

ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"


class Tenant:
    """Defender over the small estate."""

    def __init__(self, page_size: int = 100) -> None:
        self.clock, self.estate = VirtualClock(), build()
        self.defender = Defender(self.estate, self.clock, page_size=page_size)
        self._router = Router(self.defender.routes)

    def get(self, path: str, **query: str) -> dict[str, object]:
        match = self._router.find("GET", path, "2021-06-01")
        assert match is not None
        call = Call("GET", path, match.params, query, {}, b"", "https://lab")
        return dict(match.route.handler(call).body)

    def orders(self) -> tuple[ApimService, Api]:
        return next((s, a) for s, a in self.estate.apis() if a.name == "orders-v1")

    def assessment(self) -> Assessment | None:
        service, api = self.orders()
        return self.defender.ledger.find(service.api_id(api), ENCRYPTED)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("orders-v1", "Unhealthy"),
        ("orders-v2", "Healthy"),
        ("stock-feed", "Unhealthy"),
        ("partner-chat", "Healthy"),
        ("catalogue;rev=2", "Unhealthy"),
    ],
)
def test_http_and_ws_are_not_encrypted(name: str, code: str) -> None:
    tenant = Tenant()
    service, api = next((s, a) for s, a in tenant.estate.apis() if a.name == name)
    row = tenant.defender.ledger.find(service.api_id(api), ENCRYPTED)
    assert row is not None
    assert row.code == code


def test_a_flip_back_before_the_next_look_leaves_no_trace() -> None:
    tenant = Tenant()
    before = tenant.assessment()
    api = tenant.orders()[1]
    api.properties["protocols"] = ["https"]
    tenant.clock.advance(timedelta(minutes=30))
    api.properties["protocols"] = ["http", "https"]
    tenant.clock.advance(timedelta(minutes=40))
    assert tenant.assessment() == before


def test_only_the_status_change_moves_the_date_of_change() -> None:
    tenant = Tenant()
    before = tenant.assessment()
    tenant.orders()[1].properties["protocols"] = ["https"]
    tenant.clock.advance(timedelta(hours=1, minutes=1))
    fixed = tenant.assessment()
    tenant.clock.advance(timedelta(hours=5))
    assert before is not None
    assert fixed is not None
    assert tenant.assessment() == fixed
    assert (fixed.code, fixed.first_evaluated) == ("Healthy", before.first_evaluated)
    assert fixed.status_changed > tenant.clock.now() - timedelta(hours=5, minutes=2)


def test_a_day_in_one_step_still_looks_at_each_hour() -> None:
    tenant = Tenant()
    tenant.orders()[1].properties["protocols"] = ["https"]
    started = tenant.clock.now()
    tenant.clock.advance(timedelta(days=1))
    row = tenant.assessment()
    assert row is not None
    assert row.status_changed - started < timedelta(hours=1, minutes=1)


def test_what_is_new_is_assessed_at_the_next_look_and_what_is_gone_vanishes() -> None:
    tenant = Tenant()
    service, api = tenant.orders()
    del service.apis["orders-v1"]
    service.apis["orders-v3"] = Api("orders-v3", {**api.properties, "displayName": "Orders"})
    assert tenant.defender.ledger.find(service.api_id(api), ENCRYPTED) is not None
    tenant.clock.advance(timedelta(hours=1, minutes=1))
    new = tenant.defender.ledger.find(f"{service.resource_id}/apis/orders-v3", ENCRYPTED)
    assert tenant.defender.ledger.find(service.api_id(api), ENCRYPTED) is None
    assert new is not None
    assert new.first_evaluated == new.status_changed


def test_pages_hold_what_they_should_and_the_last_has_no_link() -> None:
    tenant = Tenant(page_size=20)
    scope = tenant.estate.subscriptions[0].resource_id
    path = f"{scope}/providers/Microsoft.Security/assessments"
    pages = [tenant.get(path)]
    while "nextLink" in pages[-1]:
        token = str(pages[-1]["nextLink"]).rpartition("$skipToken=")[2]
        pages.append(tenant.get(path, **{"$skipToken": token.replace("%3D", "=")}))
    rows = tenant.defender.ledger.rows
    expected = [row.assessment_id for row in rows if row.resource_id.startswith(scope)]
    values = [page["value"] for page in pages]
    assert [row["id"] for value in values if isinstance(value, list) for row in value] == expected
    assert len(pages) == -(-len(expected) // 20)
    assert len(pages) > 2


def test_a_link_that_was_not_given_out_is_refused() -> None:
    tenant = Tenant()
    path = f"{tenant.estate.subscriptions[0].resource_id}/providers/Microsoft.Security/assessments"
    with pytest.raises(Problem, match="skipToken"):
        tenant.get(path, **{"$skipToken": "!!"})


def test_a_scope_does_not_reach_into_its_namesakes() -> None:
    tenant = Tenant()
    group = f"{tenant.estate.subscriptions[0].resource_id}/resourceGroups/rg-retail"
    assert tenant.get(f"{group}/providers/Microsoft.Security/assessments") == {"value": []}


def test_expansions_are_given_one_at_a_time() -> None:
    tenant = Tenant()
    service, api = tenant.orders()
    path = f"{service.api_id(api)}/providers/Microsoft.Security/assessments/{ENCRYPTED}"

    def keys(**query: str) -> set[str]:
        properties = tenant.get(path, **query)["properties"]
        assert isinstance(properties, dict)
        return set(properties)

    plain = {"resourceDetails", "displayName", "status"}
    assert keys() == plain
    assert keys(**{"$expand": "links"}) == plain | {"links"}
    assert keys(**{"$expand": "metadata"}) == plain | {"metadata"}
    with pytest.raises(Problem, match="expand"):
        keys(**{"$expand": "everything"})

"""Each remediation against the lab's resources: plan, apply, verify, revert, and what stands in its way."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from apiward.lab_process import LabHandle
from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import ConflictError, MissingError, RejectedDataError
from apiward_lab.estate import Api
from apiward_lab.lab import Lab
from apiward_playbooks.remediation import Change, Remediation
from apiward_playbooks.remediations import apim_direct_management, apim_subscription_all_apis
from apiward_playbooks.remediations.apim_encrypted_protocols import REMEDIATION

NOW = datetime.now(UTC)
CORRELATION = "3f0c1e2a-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.start() as started:
        yield started


@pytest.fixture
def clients(lab: Lab) -> Iterator[AzureClients]:
    with AzureClients(LabHandle(lab.descriptor()).settings("playbooks")) as opened:
        yield opened


def _api(lab: Lab, fits: Callable[[Api], bool]) -> ArmId:
    return next(ArmId.parse(service.api_id(api)) for service, api in lab.estate.apis() if fits(api))


def _unencrypted(api: Api) -> bool:
    return "http" in api.protocols


@pytest.mark.parametrize(("scheme", "encrypted"), [("http", ["https"]), ("ws", ["wss"])], ids=["REST", "WebSocket"])
def test_there_and_back(lab: Lab, clients: AzureClients, scheme: str, encrypted: list[str]) -> None:
    resource = _api(lab, lambda api: scheme in api.protocols)
    (change,) = REMEDIATION.plan(clients, resource, NOW)
    assert scheme in change.before["protocols"]
    assert change.after == {"protocols": encrypted}
    assert not REMEDIATION.verify(clients, resource).healthy

    REMEDIATION.apply(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)
    assert REMEDIATION.verify(clients, resource).healthy
    assert REMEDIATION.plan(clients, resource, NOW) == []
    assert lab.journal.activities[-1].correlation_id == CORRELATION

    REMEDIATION.revert(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)
    assert REMEDIATION.observe(clients, change).values == change.before


def test_only_the_protocols_are_touched(lab: Lab, clients: AzureClients) -> None:
    resource = _api(lab, _unencrypted)
    service, name = resource.names

    def whole() -> dict[str, object]:
        client = clients.api_management(resource.subscription_id)
        return dict(client.api.get(resource.resource_group, service, name).serialize()["properties"])

    before = whole()
    (change,) = REMEDIATION.plan(clients, resource, NOW)
    REMEDIATION.apply(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)
    assert {key: value for key, value in whole().items() if key != "protocols"} == {
        key: value for key, value in before.items() if key != "protocols"
    }
    REMEDIATION.revert(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)


def test_a_change_by_somebody_else_in_between_is_not_overwritten(lab: Lab, clients: AzureClients) -> None:
    resource = _api(lab, _unencrypted)
    (change,) = REMEDIATION.plan(clients, resource, NOW)
    seen = REMEDIATION.observe(clients, change)
    api = next(api for service, api in lab.estate.apis() if service.api_id(api) == resource.text)
    api.version += 1
    with pytest.raises(ConflictError, match="412"):
        REMEDIATION.apply(clients, change, seen.etag, CORRELATION)
    assert REMEDIATION.observe(clients, change).values == change.before


def test_an_encrypted_api_needs_nothing(lab: Lab, clients: AzureClients) -> None:
    resource = _api(lab, lambda api: api.protocols == ("https",))
    assert REMEDIATION.plan(clients, resource, NOW) == []
    assert REMEDIATION.verify(clients, resource).healthy


def test_an_api_that_is_gone_is_named(lab: Lab, clients: AzureClients) -> None:
    gone = ArmId.parse(_api(lab, _unencrypted).text + "-gone")
    with pytest.raises(MissingError, match="-gone"):
        REMEDIATION.plan(clients, gone, NOW)


def test_another_kind_of_resource_is_refused(lab: Lab, clients: AzureClients) -> None:
    service = _api(lab, _unencrypted).top_level()
    with pytest.raises(RejectedDataError, match="is no API of API Management"):
        REMEDIATION.plan(clients, service, NOW)


DIRECT = apim_direct_management.REMEDIATION
SUBSCRIPTION = apim_subscription_all_apis.REMEDIATION


def _service(lab: Lab, name: str) -> ArmId:
    return next(ArmId.parse(service.resource_id) for service in lab.estate.services if service.name == name)


def _subscription(lab: Lab, service: str, name: str) -> ArmId:
    return ArmId.parse(f"{_service(lab, service)}/subscriptions/{name}")


def _there_and_back(lab: Lab, clients: AzureClients, remediation: Remediation, change: Change) -> None:
    resource = ArmId.parse(change.resource_id)
    assert not remediation.verify(clients, resource).healthy
    remediation.apply(clients, change, remediation.observe(clients, change).etag, CORRELATION)
    assert remediation.observe(clients, change).values == change.after
    assert remediation.verify(clients, resource).healthy
    assert remediation.plan(clients, resource, NOW) == []
    assert lab.journal.activities[-1].correlation_id == CORRELATION
    remediation.revert(clients, change, remediation.observe(clients, change).etag, CORRELATION)
    assert remediation.observe(clients, change).values == change.before


def test_the_direct_management_endpoint_goes_off_and_on(lab: Lab, clients: AzureClients) -> None:
    service = next(service for service in lab.estate.services if service.tenant_access["access"].properties["enabled"])
    resource = ArmId.parse(f"{service.resource_id}/tenant/access")
    (change,) = DIRECT.plan(clients, resource, NOW)
    assert (change.before, change.after) == ({"enabled": True}, {"enabled": False})
    _there_and_back(lab, clients, DIRECT, change)


def test_a_direct_management_endpoint_that_is_off_needs_nothing(lab: Lab, clients: AzureClients) -> None:
    service = next(
        service for service in lab.estate.services if not service.tenant_access["access"].properties["enabled"]
    )
    resource = ArmId.parse(f"{service.resource_id}/tenant/access")
    assert DIRECT.plan(clients, resource, NOW) == []
    assert DIRECT.verify(clients, resource).healthy


@pytest.mark.parametrize("part", ["", "/tenant/gitAccess", "/apis/search"], ids=["service", "git", "API"])
def test_what_is_no_direct_management_endpoint_is_refused(lab: Lab, clients: AzureClients, part: str) -> None:
    resource = ArmId.parse(f"{_service(lab, 'apim-contoso-retail')}{part}")
    with pytest.raises(RejectedDataError, match="is no direct management endpoint"):
        DIRECT.plan(clients, resource, NOW)


@pytest.mark.parametrize(
    ("service", "name", "after", "said"),
    [
        ("apim-contoso-retail", "search-widget", {"scope": "/apis/search"}, "all to that API"),
        ("apim-contoso-payments", "checkout-backend", {"scope": "/products/"}, "the product's policies will apply"),
        ("apim-contoso-partner", "legacy-erp", {"state": "suspended"}, "0 calls from"),
    ],
    ids=["one API", "APIs of one product", "not used"],
)
def test_a_subscription_gets_what_its_calls_need(
    lab: Lab, clients: AzureClients, service: str, name: str, after: dict[str, str], said: str
) -> None:
    (change,) = SUBSCRIPTION.plan(clients, _subscription(lab, service, name), NOW)
    assert change.before == ({"scope": "/apis"} if "scope" in after else {"state": "active"})
    assert set(change.after) == set(after)
    assert all(change.after[key].startswith(value) for key, value in after.items())
    assert said in change.summary
    _there_and_back(lab, clients, SUBSCRIPTION, change)


def test_a_subscription_whose_apis_share_no_product_is_left_alone(lab: Lab, clients: AzureClients) -> None:
    service = next(s.name for s in lab.estate.services if "reporting-hub" in s.subscriptions)
    with pytest.raises(RejectedDataError, match="merchants, tax-reports, which share no published product"):
        SUBSCRIPTION.plan(clients, _subscription(lab, service, "reporting-hub"), NOW)


def test_a_suspended_subscription_needs_nothing(lab: Lab, clients: AzureClients) -> None:
    service = next(s.name for s in lab.estate.services if "old-terminal" in s.subscriptions)
    assert SUBSCRIPTION.plan(clients, _subscription(lab, service, "old-terminal"), NOW) == []


def test_the_built_in_subscription_is_never_touched(lab: Lab, clients: AzureClients) -> None:
    with pytest.raises(RejectedDataError, match="is the built-in subscription"):
        SUBSCRIPTION.plan(clients, _subscription(lab, "apim-contoso-retail", "master"), NOW)


def test_nobody_asks_for_keys(lab: Lab, clients: AzureClients) -> None:
    subscription = _subscription(lab, "apim-contoso-retail", "search-widget")
    (change,) = SUBSCRIPTION.plan(clients, subscription, NOW)
    _there_and_back(lab, clients, SUBSCRIPTION, change)
    DIRECT.plan(clients, ArmId.parse(f"{subscription.top_level()}/tenant/access"), NOW)
    [playbooks] = [app.object_id for app in lab.applications.values() if app.name == "playbooks"]
    used = {action.lower() for action in lab.journal.actions_used()[playbooks]}
    assert {
        "microsoft.apimanagement/service/subscriptions/write",
        "microsoft.apimanagement/service/tenant/read",
    } <= used
    assert not [action for action in used if "secret" in action or "key" in action]

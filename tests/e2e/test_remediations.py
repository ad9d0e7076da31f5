"""Each remediation against the lab's resources: plan, apply, verify, revert, and what stands in its way."""

from collections.abc import Callable, Iterator

import pytest

from apiward.lab_process import LabHandle
from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import ConflictError, MissingError, RejectedDataError
from apiward_lab.estate import Api
from apiward_lab.lab import Lab
from apiward_playbooks.remediations.apim_encrypted_protocols import REMEDIATION

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
    (change,) = REMEDIATION.plan(clients, resource)
    assert scheme in change.before["protocols"]
    assert change.after == {"protocols": encrypted}
    assert not REMEDIATION.verify(clients, resource).healthy

    REMEDIATION.apply(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)
    assert REMEDIATION.verify(clients, resource).healthy
    assert REMEDIATION.plan(clients, resource) == []
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
    (change,) = REMEDIATION.plan(clients, resource)
    REMEDIATION.apply(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)
    assert {key: value for key, value in whole().items() if key != "protocols"} == {
        key: value for key, value in before.items() if key != "protocols"
    }
    REMEDIATION.revert(clients, change, REMEDIATION.observe(clients, change).etag, CORRELATION)


def test_a_change_by_somebody_else_in_between_is_not_overwritten(lab: Lab, clients: AzureClients) -> None:
    resource = _api(lab, _unencrypted)
    (change,) = REMEDIATION.plan(clients, resource)
    seen = REMEDIATION.observe(clients, change)
    api = next(api for service, api in lab.estate.apis() if service.api_id(api) == resource.text)
    api.version += 1
    with pytest.raises(ConflictError, match="412"):
        REMEDIATION.apply(clients, change, seen.etag, CORRELATION)
    assert REMEDIATION.observe(clients, change).values == change.before


def test_an_encrypted_api_needs_nothing(lab: Lab, clients: AzureClients) -> None:
    resource = _api(lab, lambda api: api.protocols == ("https",))
    assert REMEDIATION.plan(clients, resource) == []
    assert REMEDIATION.verify(clients, resource).healthy


def test_an_api_that_is_gone_is_named(lab: Lab, clients: AzureClients) -> None:
    gone = ArmId.parse(_api(lab, _unencrypted).text + "-gone")
    with pytest.raises(MissingError, match="-gone"):
        REMEDIATION.plan(clients, gone)


def test_another_kind_of_resource_is_refused(lab: Lab, clients: AzureClients) -> None:
    service = _api(lab, _unencrypted).top_level()
    with pytest.raises(RejectedDataError, match="is no API of API Management"):
        REMEDIATION.plan(clients, service)

"""Everything that the loop says and hears: each request and each answer of the lab is held to Microsoft's documents."""

from collections.abc import Sequence

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_lab.lab import Lab
from tests.contract.openapi import Exchange, find_operation, shared_dir, validate_exchange
from tests.contract.recording import RecordingTransport

# What is not ARM or a data plane of Azure has no OpenAPI document.
UNDOCUMENTED = ("/metadata/endpoints",)


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Exchange]:
    """What the demo's clients exchanged with the lab."""
    shared_dir()
    console.out.quiet = True
    with Lab.start() as lab, requests.Session() as session:
        # Each chapter closes its clients, and they their transport: the session outlives them.
        inner = RequestsTransport(session=session, session_owner=False, connection_verify=str(lab.ca_bundle))
        transport = RecordingTransport(inner)
        Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("demo"), transport).play()
        assert list(lab.unknown_routes) == []
    console.out.quiet = False
    return [entry for entry in transport.exchanges if not any(path in entry.url for path in UNDOCUMENTED)]


def test_every_exchange_is_valid(exchanges: Sequence[Exchange]) -> None:
    faults = {fault for exchange in exchanges for fault in validate_exchange(exchange)}
    assert sorted(faults) == []


def test_the_loop_uses_what_it_claims_to_use(exchanges: Sequence[Exchange]) -> None:
    used = {_operation(exchange) for exchange in exchanges}
    assert used == {
        "AlertRules_CreateOrUpdate",
        "AlertRules_Get",
    }


def _operation(exchange: Exchange) -> str:
    found = find_operation(shared_dir() / "specs", exchange.method, exchange.url)
    assert not isinstance(found, str), found
    return found[0].operation_id

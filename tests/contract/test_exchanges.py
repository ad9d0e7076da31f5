"""Everything that the loop says and hears: each request and each answer of the lab is held to Microsoft's documents."""

from collections.abc import Iterator, Sequence

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_lab.lab import Lab
from tests.contract.openapi import Exchange, find_operation, shared_dir, validate_exchange
from tests.contract.recording import RecordingTransport

# ARM's metadata has no OpenAPI document.
UNDOCUMENTED = "/metadata/endpoints"

EXPLAINED = {
    "Query_Execute (2022-10-27): request body $.workspaces: None is not of type 'array'": (
        "azure-monitor-query 2.0.0 itself sends the null"
    ),
    "SavedSearches_Get (2023-09-01): status 404: declared are 200": "the document declares no error at all",
}

USED = {
    "AlertRules_CreateOrUpdate 2024-03-01",
    "AlertRules_Get 2024-03-01",
    "Api_Get 2024-05-01",
    "Api_Update 2024-05-01",
    "AssessmentsMetadata_ListBySubscription 2021-06-01",
    "Assessments_Get 2021-06-01",
    "Assessments_List 2021-06-01",
    "DataCollectionRules_Create 2023-03-11",
    "IncidentComments_CreateOrUpdate 2021-10-01",
    "IncidentComments_List 2021-10-01",
    "Incidents_CreateOrUpdate 2021-10-01",
    "Incidents_Get 2021-10-01",
    "Incidents_List 2021-10-01",
    "Incidents_ListAlerts 2021-10-01",
    "OperationStatuses_Get 2023-09-01",
    "Query_Execute 2022-10-27",
    "RoleAssignments_Create 2022-04-01",
    "RoleAssignments_Get 2022-04-01",
    "SavedSearches_CreateOrUpdate 2023-09-01",
    "SavedSearches_Get 2023-09-01",
    "Tables_CreateOrUpdate 2023-09-01",
    "Tables_Get 2023-09-01",
    "Upload 2023-01-01",
    "Workspaces_Get 2023-09-01",
}


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Exchange]]:
    """What the demo's clients exchanged with the lab."""
    shared_dir()
    console.out.quiet = True
    with Lab.start() as lab, requests.Session() as session:
        # Each chapter closes its clients, and they their transport: the session outlives them.
        inner = RequestsTransport(session=session, session_owner=False, connection_verify=str(lab.ca_bundle))
        transport = RecordingTransport(inner)
        Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("demo"), transport).play()
        assert list(lab.unknown_routes) == []
    yield [entry for entry in transport.exchanges if UNDOCUMENTED not in entry.url]
    console.out.quiet = False


def test_every_exchange_conforms(exchanges: Sequence[Exchange]) -> None:
    faults = {fault for exchange in exchanges for fault in validate_exchange(exchange)}
    assert faults == set(EXPLAINED)


def test_the_loop_uses_these_operations(exchanges: Sequence[Exchange]) -> None:
    assert {_operation(exchange) for exchange in exchanges} == USED


def _operation(exchange: Exchange) -> str:
    found = find_operation(shared_dir() / "specs", exchange.method, exchange.url)
    assert not isinstance(found, str), found
    return f"{found[0].operation_id} {found[0].api_version}"

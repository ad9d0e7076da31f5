"""Everything that the loop says and hears: each request and each answer of the lab is held to Microsoft's documents."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward.shipped import content_items
from apiward.wiring import open_app
from apiward_core.arm_id import ArmId
from apiward_lab.lab import Lab
from tests.contract.openapi import Exchange, find_operation, shared_dir, validate_exchange
from tests.contract.recording import RecordingTransport
from tests.e2e.rare_reads import grant_listing, read_rarely

# No OpenAPI document here has these: ARM's metadata, definitions of Azure Policy, what is below a management group.
# (The path of PolicyAssignments_GetById is one parameter, so that it would take any of them for an assignment.)
UNDOCUMENTED = ("/metadata/endpoints", "/policysetdefinitions", "/policydefinitions", "/descendants")

_AN_API = """
ApiRecommendationCurrent()
| where ResourceType == "microsoft.apimanagement/service/apis"
| top 1 by ResourceId asc
| project ResourceId
"""

EXPLAINED = {
    "Query_Execute (2022-10-27): request body $.workspaces: None is not of type 'array'": (
        "azure-monitor-query 2.0.0 itself sends the null"
    ),
    "SavedSearches_Get (2023-09-01): status 404: declared are 200": "the document declares no error at all",
    "Workbooks_Get (2023-06-01): answer body $.properties: 'serializedData' is a required property": (
        "the document requires it and lets canFetchContent leave it out: so does the SDK's poller after a PUT"
    ),
}

USED = {
    "APICollections_ListBySubscription 2023-11-15",
    "AlertRules_CreateOrUpdate 2024-03-01",
    "AlertRules_Get 2024-03-01",
    "ApiManagementService_Get 2024-05-01",
    "ApiManagementService_List 2024-05-01",
    "ApiOperation_Get 2024-05-01",
    "ApiOperation_ListByApi 2024-05-01",
    "ApiProduct_ListByApis 2024-05-01",
    "Api_Get 2024-05-01",
    "Api_Update 2024-05-01",
    "AssessmentsMetadata_ListBySubscription 2021-06-01",
    "Assessments_Get 2021-06-01",
    "Assessments_List 2021-06-01",
    "Backend_Get 2024-05-01",
    "DataCollectionRules_Create 2023-03-11",
    "GovernanceAssignments_List 2022-01-01-preview",
    "IncidentComments_CreateOrUpdate 2021-10-01",
    "IncidentComments_List 2021-10-01",
    "Incidents_CreateOrUpdate 2021-10-01",
    "Incidents_Get 2021-10-01",
    "Incidents_List 2021-10-01",
    "Incidents_ListAlerts 2021-10-01",
    "OperationStatuses_Get 2023-09-01",
    "PolicyAssignments_List 2023-04-01",
    "PolicyExemptions_List 2022-07-01-preview",
    "Pricings_List 2024-01-01",
    "ProductApi_ListByProduct 2024-05-01",
    "Query_Execute 2022-10-27",
    "Reports_ListByOperation 2024-05-01",
    "Reports_ListBySubscription 2024-05-01",
    "ResourceGroups_Get 2024-07-01",
    "Resources 2021-03-01",
    "RoleAssignments_Create 2022-04-01",
    "RoleAssignments_Get 2022-04-01",
    "SavedSearches_CreateOrUpdate 2023-09-01",
    "SavedSearches_Get 2023-09-01",
    "Subscription_Get 2024-05-01",
    "Subscription_Update 2024-05-01",
    "Tables_CreateOrUpdate 2023-09-01",
    "Tables_Get 2023-09-01",
    "TenantAccess_Get 2024-05-01",
    "TenantAccess_Update 2024-05-01",
    "Upload 2023-01-01",
    "Workbooks_CreateOrUpdate 2023-06-01",
    "Workbooks_Get 2023-06-01",
    "Workspaces_Get 2023-09-01",
}


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Exchange]]:
    """What the clients of the demo exchanged with the lab, and of what it leaves out."""
    shared_dir()
    console.out.quiet = True
    with Lab.start() as lab, requests.Session() as session:
        # Each chapter closes its clients, and they their transport: the session outlives them.
        inner = RequestsTransport(session=session, session_owner=False, connection_verify=str(lab.ca_bundle))
        transport = RecordingTransport(inner)
        folder = tmp_path_factory.mktemp("demo")
        demo = Demo(LabHandle(lab.descriptor()), folder, reports=folder / "reports", transport=transport)
        demo.play()
        with demo.app("admin") as admin:
            admin.content().apply(content_items())
        read_by_resource_graph_what_has_gone(demo)
        grant_listing(lab, "connector")
        with demo.app("connector") as connector:
            read_rarely(connector, lab)
        assert list(lab.unknown_routes) == []
    yield [entry for entry in transport.exchanges if not any(part in entry.url.lower() for part in UNDOCUMENTED)]
    console.out.quiet = False


def read_by_resource_graph_what_has_gone(demo: Demo) -> None:
    """The other source, and a finding that is absent from two passes because its API was deleted."""
    with replace(demo, transport=None).app("admin") as admin:  # somebody else's doing, not recorded
        [found] = admin.logs().query(_AN_API, timespan=timedelta(days=3))
        api = ArmId.parse(found["ResourceId"])
        service, name = api.names
        client = admin.clients.api_management(api.subscription_id)
        client.api.begin_delete(api.resource_group, service, name, if_match="*").result()
    demo.wait(timedelta(hours=25), "until Defender has seen that the API is gone")
    for _ in range(2):
        state = demo.folder / "connector"
        settings = demo.lab.settings("connector", state_dir=state, source="resource_graph", **demo.more_settings)
        with open_app(settings, transport=demo.transport) as connector:
            connector.connector().run(settings.subscriptions)


def test_every_exchange_conforms(exchanges: Sequence[Exchange]) -> None:
    faults = {fault for exchange in exchanges for fault in validate_exchange(exchange)}
    assert faults == set(EXPLAINED)


def test_the_loop_uses_these_operations(exchanges: Sequence[Exchange]) -> None:
    assert {_operation(exchange) for exchange in exchanges} == USED


def _operation(exchange: Exchange) -> str:
    found = find_operation(shared_dir() / "specs", exchange.method, exchange.url)
    assert not isinstance(found, str), found
    return f"{found[0].operation_id} {found[0].api_version}"

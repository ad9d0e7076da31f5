"""The validator accepts what Microsoft's examples show and refuses, with the right words, what they do not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.openapi import Exchange, operations, shared_dir, validate_exchange
from tests.contract.spec_examples import examples

DOCUMENTS = {
    "security/resource-manager/Microsoft.Security/stable/2021-06-01/assessments.json": 6,
    "security/resource-manager/Microsoft.Security/stable/2021-06-01/assessmentMetadata.json": 6,
    "securityinsights/resource-manager/Microsoft.SecurityInsights/stable/2021-10-01/AlertRules.json": 20,
    "securityinsights/resource-manager/Microsoft.SecurityInsights/stable/2021-10-01/Incidents.json": 20,
    "apimanagement/resource-manager/Microsoft.ApiManagement/stable/2024-05-01/apimapis.json": 100,
    "apimanagement/resource-manager/Microsoft.ApiManagement/stable/2024-05-01/apimdeployment.json": 20,
    "monitor/resource-manager/Microsoft.Insights/stable/2023-03-11/dataCollectionRules_API.json": 10,
    "operationalinsights/resource-manager/Microsoft.OperationalInsights/stable/2023-09-01/Tables.json": 10,
    "operationalinsights/resource-manager/Microsoft.OperationalInsights/stable/2023-09-01/SavedSearches.json": 4,
    "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01"
    "/authorization-RoleAssignmentsCalls.json": 10,
    "resources/resource-manager/Microsoft.Resources/stable/2022-12-01/subscriptions.json": 4,
    "monitor/data-plane/ingestion/stable/2023-01-01/DataCollectionRules.json": 1,
    "operationalinsights/data-plane/Microsoft.OperationalInsights/stable/2022-10-27/OperationalInsights.json": 4,
}

NULL = "shows null where the document allows none"
BROKEN_EXAMPLES = {
    "ApiManagementCreateWebSocketApi": NULL,
    "ApiManagementCreateGraphQLApi": NULL,
    "ApiManagementCreateODataApi": NULL,
    "ApiManagementCreateGrpcApi": NULL,
    "ApiManagementGetApiTagDescription": NULL,
    "ApiManagementListSKUs-Dedicated": NULL,
    "ApiManagementListSKUs-Consumption": NULL,
    "ApiManagementCreateServiceSkuv2Service": NULL,
    "ApiManagementCreateServiceWithNatGatewayEnabled": NULL,
    "List data collection rules by resource group": NULL,
    "List data collection rules by subscription": NULL,
    "SavedSearchesList": "shows a bare array where the document has an object with `value`",
    "TablesListByWorkspace": NULL,
    "TablesGet": NULL,
    "Get all alert rules.": NULL,
    "Get a Scheduled alert rule.": NULL,
    "Get a MicrosoftSecurityIncidentCreation rule.": NULL,
    "Creates or updates a Scheduled alert rule.": NULL,
    "Creates or updates a MicrosoftSecurityIncidentCreation rule.": NULL,
    "Get alert rule template by Id.": NULL,
}

WORKSPACE = (
    "https://management.example/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/myRg/providers"
    "/Microsoft.OperationalInsights/workspaces/myWorkspace/providers/Microsoft.SecurityInsights"
)
RULE = f"{WORKSPACE}/alertRules/73e01a99-5cd7-4139-a149-9f2736ff2ab5?api-version=2021-10-01"
INCIDENT = f"{WORKSPACE}/incidents/73e01a99-5cd7-4139-a149-9f2736ff2ab5?api-version=2021-10-01"
API = (
    "https://management.example/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/rg/providers"
    "/Microsoft.ApiManagement/service/apim/apis/orders?api-version=2024-05-01"
)
SCHEDULED: dict[str, Any] = {
    "kind": "Scheduled",
    "etag": '"1"',
    "properties": {
        "displayName": "Findings",
        "enabled": True,
        "query": "T",
        "queryFrequency": "PT1H",
        "queryPeriod": "P2D",
        "severity": "High",
        "suppressionDuration": "PT1H",
        "suppressionEnabled": False,
        "triggerOperator": "GreaterThan",
        "triggerThreshold": 0,
        "lastModifiedUtc": "2026-11-23T10:00:00Z",
    },
}
INCIDENT_BODY: dict[str, Any] = {
    "id": "x",
    "properties": {"title": "t", "severity": "High", "status": "New", "createdTimeUtc": "2026-11-23T10:00:00.1Z"},
}


def answered(url: str, body: object, **changes: Any) -> Exchange:
    return replace(Exchange("GET", url, 200, response_body=json.dumps(body).encode()), **changes)


def changed(body: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return body | {"properties": body["properties"] | properties}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return body | {"properties": {key: value for key, value in body["properties"].items() if key != name}}


def example_faults(document: str) -> Iterator[tuple[str, list[str]]]:
    specs = shared_dir() / "specs"
    for operation in operations(specs):
        if operation.document == specs / "specification" / Path(document):
            for title, exchange in examples(operation):
                yield title, validate_exchange(exchange)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_example_conforms_or_is_known_to_break_its_document(document: str) -> None:
    seen = list(example_faults(document))
    assert len(seen) >= DOCUMENTS[document]
    unexpected = {title: faults for title, faults in seen if faults and title not in BROKEN_EXAMPLES}
    assert unexpected == {}
    unseen = {title for title, _ in seen if title in BROKEN_EXAMPLES} - {title for title, faults in seen if faults}
    assert unseen == set()


def test_a_right_answer_of_each_kind_conforms() -> None:
    assert validate_exchange(answered(RULE, SCHEDULED)) == []
    assert validate_exchange(answered(INCIDENT, INCIDENT_BODY)) == []
    assert validate_exchange(answered(API, {"name": "orders"}, response_headers={"ETag": '"1"'})) == []


@pytest.mark.parametrize(
    ("url", "body", "words"),
    [
        (
            RULE,
            changed(SCHEDULED, severity="high"),
            "AlertRules_Get (2021-10-01): answer body $.properties.severity: 'high'",
        ),
        (RULE, changed(SCHEDULED, enabled="yes"), "$.properties.enabled: 'yes' is not of type 'boolean'"),
        (RULE, changed(SCHEDULED, lastModifiedUtc="23/11/2026"), "'23/11/2026' is no date-time"),
        (RULE, without(SCHEDULED, "queryPeriod"), "$.properties: 'queryPeriod' is a required property"),
        (RULE, changed(SCHEDULED, querry="T"), "'querry' was unexpected"),
        (RULE, SCHEDULED | {"kind": "scheduled"}, "$.kind: 'scheduled' is not one of"),
        (RULE, SCHEDULED | {"kind": "Fusion"}, "$.properties: 'alertRuleTemplateName' is a required property"),
        (INCIDENT, changed(INCIDENT_BODY, description=None), "$.properties.description: None is not of type 'string'"),
        (INCIDENT, changed(INCIDENT_BODY, status="new"), "$.properties.status: 'new' is not one of"),
        (INCIDENT, [INCIDENT_BODY], "is not of type 'object'"),
    ],
)
def test_a_broken_answer_is_refused_by_path_and_expectation(url: str, body: object, words: str) -> None:
    faults = validate_exchange(answered(url, body))
    assert any(words in fault for fault in faults), faults


def test_an_undeclared_property_may_be_allowed() -> None:
    assert validate_exchange(answered(RULE, changed(SCHEDULED, novelty=1)), allow_undeclared=True) == []


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (answered(RULE, SCHEDULED, status=203), "status 203: declared are 200, default"),
        (answered(RULE, SCHEDULED, response_body=None), "200 body: is missing"),
        (answered(RULE, SCHEDULED, response_body=b"{"), "answer body: is no JSON"),
        (answered(RULE, {"error": {"code": 404}}, status=404), "$.error.code: 404 is not of type 'string'"),
        (answered(RULE.replace("2021-10-01", "1999-01-01"), SCHEDULED), "no document for api-version 1999-01-01"),
        (answered("https://management.example/", {}), "versions of this path: none"),
        (answered(API, {"name": "orders"}), "200 header ETag: is missing"),
        (Exchange("DELETE", API, 200), "request header If-Match: is required"),
        (
            Exchange("DELETE", API, 202, request_headers={"If-Match": "*"}),
            "202 header azure-asyncoperation or location: is missing",
        ),
        (Exchange("PUT", RULE, 200, response_body=json.dumps(SCHEDULED).encode()), "request body: is required"),
        (answered(RULE, SCHEDULED, request_body=b"{}"), "request body: the operation takes none"),
        (answered(API.replace("orders", "or*ders"), {}, response_headers={"ETag": "1"}), "request path apiId"),
    ],
)
def test_a_broken_exchange_is_refused(exchange: Exchange, words: str) -> None:
    faults = validate_exchange(exchange)
    assert any(words in fault for fault in faults), faults


def test_a_broken_request_body_is_refused() -> None:
    exchange = answered(RULE, SCHEDULED, method="PUT", request_body=json.dumps(without(SCHEDULED, "severity")).encode())
    assert validate_exchange(exchange) == [
        "AlertRules_CreateOrUpdate (2021-10-01): request body $.properties: 'severity' is a required property"
    ]


def test_a_request_need_not_carry_what_only_the_service_knows() -> None:
    sent = json.dumps(without(SCHEDULED, "lastModifiedUtc")).encode()
    assert validate_exchange(answered(RULE, SCHEDULED, method="PUT", request_body=sent)) == []


def test_cells_of_a_query_answer_have_any_type() -> None:
    url = "https://api.example/v1/workspaces/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/query"
    table = {"name": "PrimaryResult", "columns": [{"name": "n", "type": "long"}], "rows": [[1], [None], ["x"]]}
    sent = json.dumps({"query": "T", "timespan": "P1D"}).encode()
    exchange = answered(url, {"tables": [table]}, method="POST", request_body=sent)
    assert validate_exchange(exchange) == []
    unnamed = answered(url, {"tables": [{"columns": [], "rows": []}]}, method="POST", request_body=sent)
    assert validate_exchange(unnamed) == [
        "Query_Execute (2022-10-27): answer body $.tables[0]: 'name' is a required property"
    ]

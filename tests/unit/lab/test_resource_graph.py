"""Resource Graph: rows and their casing, who sees what, pages and tokens, limits, errors, and the real SDK."""

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from apiward_lab.lab import Lab
from apiward_lab.resourcegraph import GraphLimits, UserQuota
from tests.contract.openapi import Exchange, shared_dir, validate_exchange
from tests.lab_credential import credential_of
from tests.unit.lab.graph_tenant import ASSESSMENTS, DEFINITION, ENCRYPTED, URL, Tenant, pages
from tests.unit.lab_logs.direct import CALLER, START


def test_an_assessment_has_the_casing_and_metadata_that_rest_does_not_give() -> None:
    tenant = Tenant()
    tenant.assess(1)
    (row,) = tenant.query(ASSESSMENTS)["data"]
    api = (
        f"/subscriptions/{tenant.subscriptions[0]}/resourcegroups/rg-graph/providers/microsoft.apimanagement"
        "/service/apim-graph/apis/api-00000"
    )
    properties = row.pop("properties")
    assert row == {
        "id": f"{api}/providers/microsoft.security/assessments/{ENCRYPTED}",
        "name": ENCRYPTED,
        "type": "microsoft.security/assessments",
        "tenantId": tenant.estate.tenant_id,
        "resourceGroup": "rg-graph",
        "subscriptionId": tenant.subscriptions[0],
        **dict.fromkeys(("kind", "location", "managedBy"), ""),
        **dict.fromkeys(("sku", "plan", "tags", "identity", "zones", "extendedLocation")),
    }
    assert properties["resourceDetails"] == {
        "Source": "Azure",
        "Id": api,
        "ResourceType": "microsoft.apimanagement/service/apis",
    }
    assert properties["status"]["code"] == "Unhealthy"
    assert properties["metadata"]["severity"] == "High"
    assert properties["metadata"]["policyDefinitionId"].endswith(DEFINITION.policy_id)
    assert properties["links"]["azurePortal"].startswith("portal.azure.com/#blade/")


def test_the_tables_hold_what_the_estate_holds() -> None:
    tenant = Tenant()
    first = tenant.subscriptions[0]
    services = [service for service in tenant.estate.services if service.group.subscription_id == first]
    names = tenant.query(
        "Resources | where type == 'microsoft.apimanagement/service' | project name | sort by name asc"
    )
    assert names["data"] == [{"name": name} for name in sorted(service.name for service in services)]
    groups = "resourcecontainers | where type endswith '/resourcegroups' | project id | sort by id asc"
    assert [row["id"] for row in tenant.query(groups)["data"]] == sorted(
        group.resource_id for group in tenant.estate.groups if group.subscription_id == first
    )
    plan = "securityresources | where type == 'microsoft.security/pricings' and name == 'Api' | project id"
    assert tenant.query(plan)["data"] == [{"id": f"/subscriptions/{first}/providers/microsoft.security/pricings/api"}]
    apis = "securityresources | where type == 'microsoft.security/apicollections' | count"
    assert tenant.query(apis)["data"][0]["Count"] > 0
    assert tenant.query("advisorresources | count")["data"] == [{"Count": 0}]


def test_a_query_without_a_table_reads_resources() -> None:
    tenant = Tenant()
    named = tenant.query("resources | where type =~ 'Microsoft.ApiManagement/service' | project id")
    assert tenant.query("where type =~ 'Microsoft.ApiManagement/service' | project id") == named
    assert named["count"] > 0


def test_rows_that_the_caller_cannot_read_are_left_out_in_silence() -> None:
    tenant = Tenant()
    for subscription in (0, 1, 2):
        tenant.assess(2, subscription)
    ask = f"{ASSESSMENTS} | distinct subscriptionId"
    assert [row["subscriptionId"] for row in tenant.query(ask)["data"]] == tenant.subscriptions[:1]
    both = tenant.query(ask, subscriptions=tenant.subscriptions[:2])
    assert [row["subscriptionId"] for row in both["data"]] == tenant.subscriptions[:1]
    tenant.grant("Security Reader", f"/subscriptions/{tenant.subscriptions[1]}")
    assert {row["subscriptionId"] for row in tenant.query(ask)["data"]} == set(tenant.subscriptions[:2])


def test_a_role_counts_where_it_is_held_and_for_what_it_allows() -> None:
    tenant = Tenant()
    tenant.assess(1, subscription=1)
    group = f"/subscriptions/{tenant.subscriptions[1]}/resourceGroups/rg-graph"
    tenant.grant("API Management Service Reader Role", group)
    assert tenant.query(f"{ASSESSMENTS} | project id")["data"] == []
    tenant.grant("Security Reader", group)
    assert tenant.query(f"{ASSESSMENTS} | project id")["count"] == 1
    assert tenant.query("securityresources | where type == 'microsoft.security/pricings' | distinct subscriptionId")[
        "data"
    ] == [{"subscriptionId": tenant.subscriptions[0]}]


def test_scopes_restrict() -> None:
    tenant = Tenant()
    tenant.grant("Reader", f"/subscriptions/{tenant.subscriptions[1]}")
    tenant.assess(1)
    tenant.assess(1, subscription=1)
    ask = f"{ASSESSMENTS} | project subscriptionId"
    first, second = ({"subscriptionId": entry} for entry in tenant.subscriptions[:2])
    assert tenant.query(ask, subscriptions=tenant.subscriptions[:1])["data"] == [first]
    assert tenant.query(ask, managementGroups=["MG-Contoso-Payments"])["data"] == [second]
    for group in ("mg-contoso-production", tenant.estate.tenant_id):
        assert tenant.query(ask, managementGroups=[group])["count"] == 2


def test_scopes_of_which_the_caller_knows_none_are_denied() -> None:
    tenant = Tenant()
    denied = ["AccessDenied", "AccessDenied"]
    assert tenant.codes("resources", subscriptions=tenant.subscriptions[1:2]) == denied
    assert tenant.codes("resources", managementGroups=["nowhere"]) == denied


def test_pages_of_a_query_with_id_hold_each_row_once() -> None:
    tenant = Tenant()
    tenant.assess(2500)
    seen = list(pages(tenant, f"{ASSESSMENTS} | project id, name"))
    assert [page["count"] for page in seen] == [1000, 1000, 500]
    assert {(page["totalRecords"], page["resultTruncated"]) for page in seen} == {(2500, "false")}
    ids = [row["id"] for page in seen for row in page["data"]]
    assert ids == sorted(assessment.assessment_id.lower() for assessment in tenant.assessments)


def test_rows_of_a_join_come_in_one_order_too() -> None:
    tenant = Tenant()
    tenant.assess(900)
    query = (
        f"{ASSESSMENTS} | join kind=inner (resourcecontainers | project subscriptionId, inside=name) on subscriptionId "
        "| summarize places=count() by id"
    )
    ids = [row["id"] for page in pages(tenant, query, **{"$top": 300}) for row in page["data"]]
    assert ids == sorted(assessment.assessment_id.lower() for assessment in tenant.assessments)


def test_without_id_the_rest_is_cut_off_in_silence() -> None:
    tenant = Tenant()
    tenant.assess(1001)
    page = tenant.query(f"{ASSESSMENTS} | project key = name")
    assert (page["totalRecords"], page["count"], page["resultTruncated"]) == (1001, 1000, "true")
    assert "$skipToken" not in page


def test_limit_ignores_skip_and_gives_no_token() -> None:
    tenant = Tenant()
    tenant.assess(1500)
    page = tenant.query(f"{ASSESSMENTS} | project id | sort by id asc | take 1200", options={"$skip": 1100, "$top": 5})
    assert page["data"][0]["id"] == tenant.assessments[0].assessment_id.lower()
    assert (page["totalRecords"], page["count"], page["resultTruncated"]) == (1200, 5, "true")
    assert "$skipToken" not in page


def test_skip_and_top_choose_a_page_and_override_what_a_token_says() -> None:
    tenant = Tenant()
    tenant.assess(30)
    query = f"{ASSESSMENTS} | project id"

    def numbers(options: Any) -> list[int]:
        return [int(row["id"].split("api-")[1][:5]) for row in tenant.query(query, options=options)["data"]]

    token = tenant.query(query, options={"$top": 10, "$skip": 5})["$skipToken"]
    assert numbers({"$skipToken": token}) == list(range(15, 25))
    assert numbers({"$skipToken": token, "$top": 3}) == [15, 16, 17]
    assert numbers({"$skipToken": token, "$skip": 28}) == [28, 29]


def test_a_token_is_good_for_its_query_and_scopes_only() -> None:
    tenant = Tenant()
    tenant.assess(3)
    query, top = f"{ASSESSMENTS} | project id", {"$top": 1}
    token = tenant.query(query, options=top)["$skipToken"]
    refused = ["BadRequest", "InvalidSkipToken"]
    assert tenant.codes(f"{query}, name", options={"$skipToken": token}) == refused
    assert tenant.codes(query, subscriptions=tenant.subscriptions[:1], options={"$skipToken": token}) == refused
    assert tenant.codes(query, options={"$skipToken": "AAAA" + token[4:]}) == refused
    assert tenant.codes(query, options={"$skipToken": "not a token"}) == refused


def test_a_row_that_leaves_between_two_pages_shifts_the_rest() -> None:
    tenant = Tenant()
    tenant.assess(4)
    query = f"{ASSESSMENTS} | project id"
    token = tenant.query(query, options={"$top": 2})["$skipToken"]
    tenant.assessments = tenant.assessments[1:]
    rest = tenant.query(query, options={"$skipToken": token})
    assert [row["id"] for row in rest["data"]] == [tenant.assessments[-1].assessment_id.lower()]
    assert rest["totalRecords"] == 3


def test_the_table_format_names_types() -> None:
    tenant = Tenant()
    tenant.assess(1)
    query = f"{ASSESSMENTS} | project name, n = 1, r = 0.5, b = true, at = now(), code = properties.status.code, tags"
    data = tenant.query(query, options={"resultFormat": "table"})["data"]
    types = {column["name"]: column["type"] for column in data["columns"]}
    assert types == {
        "name": "string",
        "n": "integer",
        "r": "number",
        "b": "boolean",
        "at": "string",
        "code": "object",
        "tags": "object",
    }
    assert data["rows"] == [[ENCRYPTED, 1, 0.5, True, "2026-11-23T12:00:00.0000000Z", "Unhealthy", None]]


@pytest.mark.parametrize(
    ("query", "token"),
    [
        ("let x = 1; resources | take x", "let"),
        ("let m = materialize(resources); m", "let"),
        ("resources | project-rename a = name", "project-rename"),
        ("resources | project-keep name", "project-keep"),
        ("resources | make-series count() on todatetime(name) step 1d", "make-series"),
        ("resources | mv-apply x = tags on (take 1)", "mv-apply"),
        ("resources | lookup resourcecontainers on subscriptionId", "lookup"),
        ("resources | evaluate bag_unpack(tags)", "evaluate"),
        ("resources | serialize n = 1", "serialize"),
        ("resources | render table", "render"),
        ("resources | join hint.strategy=broadcast resourcecontainers on subscriptionId", "hint.strategy"),
        ("print 1", "print"),
        ("range x from 1 to 2 step 1", "range"),
        ("datatable(a:int)[1]", "datatable"),
        ("find in (resources) where name == 'x'", "find"),
    ],
)
def test_what_the_language_lacks_is_refused(query: str, token: str) -> None:
    error = Tenant().send(query).body["error"]
    assert [detail["code"] for detail in error["details"]] == ["InvalidQuery", "InvalidQueryLanguage"]
    assert error["details"][1]["token"] == token


@pytest.mark.parametrize("flavor", ["leftanti", "rightouter", "leftsemi"])
def test_joins_that_resource_graph_lacks_are_refused(flavor: str) -> None:
    query = f"resources | join kind={flavor} resourcecontainers on subscriptionId"
    assert Tenant().codes(query) == ["BadRequest", "InvalidQuery", "UnsupportedJoinFlavor"]


@pytest.mark.parametrize(
    "operator", ["join resourcecontainers on id", "union resourcecontainers", "mv-expand a = tags"], ids=str.split
)
def test_three_of_these_operators_are_the_most(operator: str) -> None:
    tenant = Tenant()
    tenant.query(f"resources | {' | '.join([operator] * 3)} | project id")
    assert tenant.codes(f"resources | {' | '.join([operator] * 4)}")[1:] == [
        "InvalidQuery",
        "DisallowedMaxNumberOfRemoteTables",
    ]


def test_a_query_that_cannot_be_read_names_the_place() -> None:
    error = Tenant().send("resources\n| where name ==").body["error"]
    assert error["message"].startswith("Please provide below info when asking for support: timestamp = 2026-11-23T12")
    summary, failure = error["details"]
    assert summary["code"] == "InvalidQuery"
    assert failure["code"] == "ParserFailure"
    assert failure["line"] == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [("nosuchresources | count", "nosuchresources"), ("resources | where nosuch == 1", "nosuch")],
    ids=["table", "column"],
)
def test_names_that_do_not_exist_are_told(query: str, words: str) -> None:
    details = Tenant().send(query).body["error"]["details"]
    assert details[0]["code"] == "InvalidQuery"
    assert words in details[1]["message"]


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        ({"options": {"$top": 0}}, "$top"),
        ({"options": {"$top": 1001}}, "$top"),
        ({"options": {"$top": "5"}}, "$top"),
        ({"options": {"$skip": -1}}, "$skip"),
        ({"options": {"resultFormat": "csv"}}, "resultFormat"),
        ({"subscriptions": ["no guid"]}, "no guid"),
        ({"subscriptions": [CALLER.object_id] * 1001}, "1001"),
        ({"subscriptions": [CALLER.object_id], "managementGroups": ["g"]}, "same time"),
    ],
    ids=["top 0", "top 1001", "top text", "skip", "format", "subscription", "many subscriptions", "both scopes"],
)
def test_a_wrong_request_is_told_what_is_wrong(request_body: dict[str, Any], words: str) -> None:
    answer = Tenant().send("resources", **request_body)
    assert answer.status == 400
    assert words in answer.body["error"]["details"][0]["message"]


@pytest.mark.parametrize("query", [None, 5, " "], ids=["none", "number", "blank"])
def test_a_request_needs_a_query(query: Any) -> None:
    assert Tenant().send(query).status == 400


def test_the_sixteenth_query_in_five_seconds_has_to_wait() -> None:
    tenant = Tenant(limits=GraphLimits())
    answers = [tenant.send("resources | count") for _ in range(15)]
    assert {answer.status for answer in answers} == {200}
    assert [answer.headers["x-ms-user-quota-remaining"] for answer in answers] == [str(14 - n) for n in range(15)]
    tenant.clock.advance(timedelta(seconds=1.5))
    late = tenant.send("resources | count")
    assert (late.status, late.body["error"]["code"]) == (429, "RateLimiting")
    assert late.headers["Retry-After"] == "4"
    assert late.headers["x-ms-user-quota-resets-after"] == "00:00:04"
    tenant.clock.advance(timedelta(seconds=4))
    assert tenant.send("resources | count").headers["x-ms-user-quota-remaining"] == "14"


def test_queries_of_two_users_count_apart() -> None:
    quota = UserQuota(GraphLimits(queries=1))
    assert quota.take("a", START).remaining == 0
    assert quota.take("b", START).remaining == 0
    assert quota.take("a", START).remaining < 0


def test_microsofts_own_query_for_a_recommendation_runs() -> None:
    tenant = Tenant()
    tenant.assess(1)
    query = f"""{ASSESSMENTS}
        | extend source = trim(' ', tolower(tostring(properties.resourceDetails.Source)))
        | extend resourceId = trim(' ', tolower(tostring(case(
            source =~ 'azure', properties.resourceDetails.Id,
            source =~ 'aws', properties.resourceDetails.AzureResourceId,
            extract('^(.+)/providers/Microsoft.Security/assessments/.+$', 1, id)))))
        | extend status = trim(' ', tostring(properties.status.code)), assessmentKey = tostring(name)
        | where assessmentKey == '{ENCRYPTED}' and status !~ 'healthy'
        | project resourceId"""
    assert tenant.query(query)["data"] == [{"resourceId": tenant.assessments[0].resource_id.lower()}]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (ASSESSMENTS, {"$top": 1}),
        (f"{ASSESSMENTS} | project properties", {"$top": 1}),
        (ASSESSMENTS, {"resultFormat": "table"}),
        ("resources | where (", {}),
        ("resources", {"$top": 0}),
    ],
    ids=["page", "cut off", "table", "syntax", "option"],
)
def test_answers_conform_to_the_document(query: str, options: Any) -> None:
    shared_dir()
    tenant = Tenant()
    tenant.assess(2)
    answer = tenant.send(query, options=options)
    exchange = Exchange(
        "POST",
        f"https://management.azure.com{URL}",
        answer.status,
        request_body=json.dumps({"query": query}).encode(),
        response_body=json.dumps(answer.body).encode(),
    )
    assert validate_exchange(exchange) == []


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.start() as running:
        yield running


def client(lab: Lab, name: str) -> ResourceGraphClient:
    credential = credential_of(lab, name)
    return ResourceGraphClient(
        credential,
        base_url=lab.base_url,
        credential_scopes=["https://management.azure.com/.default"],
        connection_verify=str(lab.ca_bundle),
        retry_total=0,
    )


def test_the_sdk_reads_every_assessment_that_defender_has(lab: Lab) -> None:
    found: list[str] = []
    options = QueryRequestOptions(top=400)
    with client(lab, "connector") as graph:
        while True:
            answer = graph.resources(QueryRequest(query=f"{ASSESSMENTS} | project id", options=options))
            rows: Any = answer.data
            found += [row["id"] for row in rows]
            if answer.skip_token is None:
                break
            options.skip_token = answer.skip_token
    assert answer.result_truncated == "false"
    assert sorted(found) == sorted(row.assessment_id.lower() for row in lab.defender.ledger.rows)
    assert len(found) > 400


def test_the_sdk_shows_nulls_refusals_and_silence(lab: Lab) -> None:
    with client(lab, "admin") as graph:
        rows: Any = graph.resources(QueryRequest(query="resources | take 1")).data
        assert rows[0]["identity"] is None
        with pytest.raises(HttpResponseError) as refused:
            graph.resources(QueryRequest(query="resources | frobnicate"))
    assert refused.value.error is not None
    assert next(detail.code for detail in refused.value.error.details) == "InvalidQuery"
    with client(lab, "stranger") as graph:
        assert graph.resources(QueryRequest(query="resources")).total_records == 0


def test_queries_run_side_by_side(lab: Lab) -> None:
    counts: list[Sequence[Any]] = []

    def ask(name: str) -> None:
        with client(lab, name) as graph:
            counts.append([graph.resources(QueryRequest(query=f"{ASSESSMENTS} | count")).data for _ in range(3)])

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("connector", "operator", "admin")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 3
    assert all(rows == counts[0] for rows in counts)

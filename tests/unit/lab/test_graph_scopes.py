"""Resource Graph over many subscriptions: counting them, management groups, and the most that are looked into."""

from typing import Any

import pytest

from apiward_lab.resourcegraph import GraphLimits
from tests.unit.lab.graph_tenant import Tenant

CENSUS = """securityresources | where type =~ 'microsoft.security/assessments'
| summarize rows = count() by subscriptionId | order by subscriptionId asc"""
LIMIT_HIT = "x-ms-tenant-subscription-limit-hit"


def everywhere(limits: GraphLimits) -> Tenant:
    """A tenant with one, two and three assessments in its subscriptions, all of which the caller reads."""
    tenant = Tenant(limits=limits)
    for number, subscription in enumerate(tenant.subscriptions):
        tenant.grant("Reader", f"/subscriptions/{subscription}")
        tenant.assess(number + 1, number)
    return tenant


def counted(body: Any) -> dict[str, int]:
    return {row["subscriptionId"]: row["rows"] for row in body["data"]}


def test_a_census_counts_by_subscription_and_has_no_pages() -> None:
    tenant = everywhere(GraphLimits())
    body = tenant.query(CENSUS)
    assert counted(body) == dict(zip(tenant.subscriptions, (1, 2, 3), strict=True))
    assert [row["subscriptionId"] for row in body["data"]] == sorted(tenant.subscriptions)
    cut = tenant.query(CENSUS, options={"$top": 2})
    assert (cut["count"], cut["totalRecords"], cut["resultTruncated"]) == (2, 3, "true")
    assert "$skipToken" not in cut


def test_a_role_at_a_management_group_counts_below_it() -> None:
    tenant = Tenant()
    tenant.revoke(f"/subscriptions/{tenant.subscriptions[0]}")
    for number in range(3):
        tenant.assess(1, number)
    assert tenant.query(CENSUS)["data"] == []
    tenant.grant("Reader", "/providers/Microsoft.Management/managementGroups/mg-contoso-production")
    assert counted(tenant.query(CENSUS)) == dict.fromkeys(tenant.subscriptions[:2], 1)


@pytest.mark.parametrize(("name", "seen"), [("apim-contoso-payments", 1), ("apim-contoso-payment", 0)])
def test_a_role_at_a_resource_shows_that_resource_whatever_the_case(name: str, seen: int) -> None:
    tenant = Tenant()
    group = f"/subscriptions/{tenant.subscriptions[1]}/resourceGroups/RG-Payments-API"
    tenant.grant("Reader", f"{group}/providers/microsoft.apimanagement/service/{name.upper()}")
    rows = tenant.query("resources | where type == 'microsoft.apimanagement/service'")["data"]
    assert [row["name"] for row in rows if row["subscriptionId"] == tenant.subscriptions[1]] == [name] * seen


def test_of_a_tenant_or_management_group_no_more_than_the_limit_is_looked_into() -> None:
    tenant = everywhere(GraphLimits(subscriptions=2))
    for scope in ({}, {"managementGroups": [tenant.estate.tenant_id]}):
        answer = tenant.send(CENSUS, **scope)
        assert answer.headers[LIMIT_HIT] == "true"
        assert len(answer.body["data"]) == 2


def test_the_limit_does_not_count_subscriptions_that_are_named_or_not_known() -> None:
    tenant = everywhere(GraphLimits(subscriptions=2))
    named = tenant.send(CENSUS, subscriptions=tenant.subscriptions)
    assert LIMIT_HIT not in named.headers
    assert len(named.body["data"]) == 3
    tenant.revoke(f"/subscriptions/{tenant.subscriptions[2]}")
    assert LIMIT_HIT not in tenant.send(CENSUS).headers

"""Pages of Resource Graph while the tenant changes: each is as a fresh look would show it."""

from datetime import timedelta

import pytest

from tests.unit.lab.graph_tenant import ASSESSMENTS, Tenant, pages

ALL = f"{ASSESSMENTS} | project id"


def first_token(tenant: Tenant, query: str = ALL) -> str:
    """The token that leads from a first page of two rows to the next."""
    return str(tenant.query(query, options={"$top": 2})["$skipToken"])


def rest(tenant: Tenant, token: str, query: str = ALL) -> tuple[int, int]:
    """How many rows the next page has, and how many there are in all."""
    body = tenant.query(query, options={"$skipToken": token})
    return body["count"], body["totalRecords"]


def test_rows_that_come_between_two_pages_are_counted() -> None:
    tenant = Tenant()
    tenant.assess(3)
    token = first_token(tenant)
    tenant.assess(1)
    assert rest(tenant, token) == (2, 4)


def test_a_role_that_is_lost_between_two_pages_takes_its_rows_along() -> None:
    tenant = Tenant()
    tenant.grant("Reader", f"/subscriptions/{tenant.subscriptions[1]}")
    tenant.assess(3)
    tenant.assess(1, subscription=1)
    token = first_token(tenant)
    tenant.revoke(f"/subscriptions/{tenant.subscriptions[1]}")
    assert rest(tenant, token) == (1, 3)


def test_what_lies_in_no_ledger_lags_behind_for_a_minute_at_most() -> None:
    tenant = Tenant()
    services = "resources | where type =~ 'microsoft.apimanagement/service' | project id"
    before = len(tenant.query(services)["data"])
    token = first_token(tenant, services)
    tenant.estate.services.pop(0)
    tenant.clock.advance(timedelta(minutes=1))
    assert rest(tenant, token, services) == (before - 3, before - 1)


@pytest.mark.parametrize("others", [0, 20], ids=["kept", "forgotten"])
def test_pages_fit_together_however_many_are_asked_for_at_once(others: int) -> None:
    tenant = Tenant()
    tenant.assess(5)
    walk = pages(tenant, ALL, **{"$top": 2})
    seen = [row["id"] for row in next(walk)["data"]]
    for number in range(others):
        first_token(tenant, f"{ALL}, n = {number}")
    seen += [row["id"] for page in walk for row in page["data"]]
    assert seen == sorted(assessment.assessment_id.lower() for assessment in tenant.assessments)

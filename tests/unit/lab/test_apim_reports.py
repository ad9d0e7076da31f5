from datetime import timedelta
from typing import Any

import pytest

from tests.unit.lab.tenant import Tenant

MONTH = timedelta(days=30)


class Reports:
    """The usage reports of one service, over the last days."""

    def __init__(self, service: str, *, days: int = 30) -> None:
        self.tenant = Tenant()
        self.model = self.tenant.service(service)
        now = self.tenant.clock.now()
        self.period = f"timestamp ge {moment(now - timedelta(days=days))} and timestamp le {moment(now)}"

    def rows(self, kind: str, condition: str = "", **query: str) -> list[Any]:
        asked = self.period + (f" and {condition}" if condition else "")
        return list(self.answer(kind, **{"$filter": asked, **query})["value"])

    def called(self, kind: str, condition: str = "") -> list[Any]:
        """The rows that show any calls."""
        return [row for row in self.rows(kind, condition) if row["callCountTotal"]]

    def answer(self, kind: str, **query: str) -> Any:
        path = f"{self.model.resource_id}/reports/{kind}"
        return self.tenant.send("GET", path, "2024-05-01", **query).body


def moment(when: Any) -> str:
    return f"datetime'{when:%Y-%m-%dT%H:%M:%S}'"


@pytest.mark.parametrize(
    ("service", "subscription", "apis"),
    [
        ("retail", "search-widget", ["search"]),
        ("payments", "checkout-backend", ["card-tokens", "payments-v3", "refunds"]),
        ("merchant", "reporting-hub", ["merchants", "tax-reports"]),
        ("partner", "legacy-erp", []),
        ("merchant", "old-terminal", []),
        ("retail", "master", []),
    ],
)
def test_a_subscription_shows_the_apis_that_it_really_used(service: str, subscription: str, apis: list[str]) -> None:
    rows = Reports(service).called("byApi", f"subscriptionId eq '{subscription}'")
    assert sorted(row["apiId"] for row in rows) == [f"/apis/{api}" for api in apis]


def test_a_longer_look_back_finds_what_has_stopped() -> None:
    rows = Reports("partner", days=180).called("byApi", "subscriptionId eq 'legacy-erp'")
    assert [row["apiId"] for row in rows] == ["/apis/price-lists"]


def test_an_operation_without_calls_has_a_row_of_zeros() -> None:
    rows = Reports("retail").rows("byOperation", "apiId eq '/apis/customers-v1'")
    silent = [row for row in rows if not row["callCountTotal"]]
    assert {_last(row["operationId"]) for row in silent} == {"delete-address", "update-customer"}
    assert {_last(row["operationId"]) for row in rows} == set(Reports("retail").model.apis["customers-v1"].operations)
    for row in silent:
        assert {value for value in row.values() if not isinstance(value, str)} == {0}


def test_a_narrowed_report_still_shows_the_apis_that_were_not_called() -> None:
    reports = Reports("retail")
    narrowed = reports.rows("byApi", "subscriptionId eq 'search-widget'")
    assert [row["apiId"] for row in narrowed] == [row["apiId"] for row in reports.rows("byApi")]


def test_a_subscription_without_calls_has_a_row_and_revisions_have_none() -> None:
    assert "/subscriptions/master" in {row["subscriptionId"] for row in Reports("retail").rows("bySubscription")}
    assert not [row for row in Reports("retail").rows("byApi") if ";rev=" in row["apiId"]]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def test_every_report_adds_up_to_the_same_calls() -> None:
    reports = Reports("orders")
    totals = {
        kind: sum(row["callCountTotal"] for row in reports.rows(kind))
        for kind in ("byApi", "byOperation", "bySubscription")
    }
    assert len(set(totals.values())) == 1
    assert totals["byApi"] > 0
    for row in reports.rows("byApi"):
        parts = ("callCountSuccess", "callCountBlocked", "callCountFailed", "callCountOther")
        assert row["callCountTotal"] == sum(row[part] for part in parts)


def test_calls_without_a_key_are_of_no_subscription() -> None:
    reports = Reports("sandbox")
    by_api = {row["apiId"]: row["callCountTotal"] for row in reports.rows("byApi")}
    (only,) = reports.called("bySubscription")
    assert only["productId"] == "/products/starter"
    assert only["callCountTotal"] < sum(by_api.values())


def test_names_narrow_the_report() -> None:
    reports = Reports("retail")
    (one,) = reports.rows("byOperation", "apiId eq 'stores' and operationId eq 'get-store'")
    in_product = reports.called("byApi", "productId eq '/products/content'")
    assert one["operationId"] == "/apis/stores/operations/get-store"
    assert reports.rows("byApi", "apiId eq 'customers'") == []
    assert [row["apiId"] for row in in_product] == ["/apis/catalogue", "/apis/media"]


def test_the_future_has_no_calls() -> None:
    reports = Reports("retail")
    now = reports.tenant.clock.now()
    future = f"timestamp ge {moment(now + MONTH)} and timestamp le {moment(now + 2 * MONTH)}"
    rows = reports.answer("byApi", **{"$filter": future})["value"]
    assert {row["callCountTotal"] for row in rows} == {0}


def test_rows_are_ordered_and_paged() -> None:
    reports = Reports("retail")
    totals = [row["callCountTotal"] for row in reports.rows("byApi", **{"$orderby": "callCountTotal desc"})]
    assert totals == sorted(totals, reverse=True)
    page = reports.answer("byApi", **{"$filter": reports.period, "$top": "4"})
    assert (len(page["value"]), page["count"]) == (4, len(totals))
    assert "$skip=4" in page["nextLink"]
    assert reports.answer("byApi", **{"$filter": reports.period, "$skip": "4"})["nextLink"] == ""
    assert reports.answer("byApi", **{"$filter": reports.period, "$orderby": "owner"})["error"]["code"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "not understood"),
        ("timestamp ge datetime'2026-11-01T00:00:00'", "must bound the period"),
        ("timestamp eq datetime'2026-11-01T00:00:00'", "not understood"),
        ("timestamp ge datetime'yesterday' and timestamp le datetime'2026-11-01T00:00:00'", "not a time"),
        ("PERIOD and apiId ge 'a'", "not understood"),
        ("PERIOD and owner eq 'a'", "not understood"),
        ("PERIOD or apiId eq 'a'", "not understood"),
    ],
)
def test_a_filter_that_the_documents_do_not_have_is_refused(condition: str, words: str) -> None:
    reports = Reports("retail")
    error = reports.answer("byApi", **{"$filter": condition.replace("PERIOD", reports.period)})["error"]
    assert error["code"] == "ValidationError"
    assert words in error["message"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [("byApi", "operationId"), ("bySubscription", "apiId"), ("bySubscription", "operationId")],
)
def test_a_report_is_filtered_only_by_the_fields_that_are_its_own(kind: str, field: str) -> None:
    reports = Reports("retail")
    error = reports.answer(kind, **{"$filter": f"{reports.period} and {field} eq 'stores'"})["error"]
    assert f"cannot be filtered by {field}" in error["message"]

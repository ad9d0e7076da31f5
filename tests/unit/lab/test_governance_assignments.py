"""Governance assignments in the lab."""

from datetime import timedelta

from tests.unit.lab.openapi import example, needs_specification, violations
from tests.unit.lab.tenant import Tenant

VERSION = "2022-01-01-preview"
ENCRYPTED = "741b141d-8111-4d86-a4e0-f74b06270a74"
DOCUMENT = f"security/resource-manager/Microsoft.Security/preview/{VERSION}"
DUE = {"remediationDueDate": "2027-01-01T00:00:00Z", "owner": "somebody@contoso.example"}


def path_of(scope: str) -> str:
    return f"{scope}/providers/Microsoft.Security/assessments/{ENCRYPTED}/governanceAssignments"


def payments(tenant: Tenant) -> str:
    return tenant.estate.subscriptions[1].resource_id


def test_a_list_holds_those_of_one_key_below_its_scope() -> None:
    tenant = Tenant()
    [listed] = tenant.send("GET", path_of(payments(tenant)), VERSION).body["value"]
    assert listed["properties"]["owner"] == "payments@contoso.example"
    assert listed["properties"]["isGracePeriod"] is True
    assert tenant.send("GET", path_of(tenant.estate.subscriptions[2].resource_id), VERSION).body == {"value": []}
    assert tenant.send("GET", listed["id"], VERSION).body == listed


def test_the_documents_of_a_subscription_are_of_all_keys() -> None:
    tenant = Tenant()
    documents = tenant.defender.governance_documents(tenant.estate.subscriptions[1].subscription_id)
    assert len(documents) == 2
    for document in documents:
        assert tenant.send("GET", document["id"], VERSION).body == document


def test_one_is_made_changed_and_deleted() -> None:
    tenant = Tenant()
    path = f"{path_of(tenant.service('payments').resource_id + '/apis/refunds')}/one"
    statuses = [tenant.send("PUT", path, VERSION, DUE).status for _ in range(2)]
    assert statuses == [201, 200]
    changed = tenant.send("PUT", path, VERSION, {**DUE, "isGracePeriod": False, "unknown": 1}).body
    assert changed["properties"] == {**DUE, "isGracePeriod": False}
    assert [tenant.send("DELETE", path, VERSION).status for _ in range(2)] == [200, 204]
    assert tenant.send("GET", path, VERSION).status == 404


def test_it_needs_a_due_date_and_an_assessment() -> None:
    tenant = Tenant()
    service = tenant.service("payments").resource_id
    assert tenant.send("PUT", f"{path_of(service + '/apis/refunds')}/one", VERSION, {"owner": "x"}).status == 400
    assert tenant.send("PUT", f"{path_of(service + '/apis/none')}/one", VERSION, DUE).status == 404


def test_it_goes_with_its_assessment() -> None:
    tenant = Tenant()
    del tenant.service("payments").apis["settlement"]
    tenant.clock.advance(timedelta(hours=1, minutes=1))
    assert tenant.send("GET", path_of(payments(tenant)), VERSION).body == {"value": []}


@needs_specification
def test_lists_conform_to_the_document() -> None:
    tenant = Tenant()
    body = tenant.send("GET", path_of(payments(tenant)), VERSION).body
    shown = example(f"{DOCUMENT}/examples/GovernanceAssignments/ListGovernanceAssignments_example.json")
    assert violations(f"{DOCUMENT}/governanceAssignments.json", "GovernanceAssignmentsList", body) == []
    assert set(body["value"][0]) == set(shown["value"][0])

"""Management groups over HTTP: what descends from them, who may list it, and the roles that are inherited."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from apiward_lab.lab import Lab
from apiward_lab.rbac import Permission, RoleDefinition, built_in
from tests.lab_credential import credential_of

GROUPS = "/providers/Microsoft.Management/managementGroups"
PRODUCTION = f"{GROUPS}/mg-contoso-production"
LISTER = RoleDefinition(
    role_id="5a1c0de0-0000-4000-8000-000000000001",
    name="Descendants Lister",
    description="Lists what descends from management groups.",
    permissions=(Permission(("Microsoft.Management/managementGroups/descendants/read",)),),
    is_custom=True,
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.start() as running:
        yield running


def get(lab: Lab, identity: str, address: str) -> requests.Response:
    """One GET as an identity of the lab."""
    with credential_of(lab, identity) as credential:
        token = credential.get_token("https://management.azure.com/.default").token
    return requests.get(
        f"{lab.base_url}{address}" if address.startswith("/") else address,
        headers={"Authorization": f"Bearer {token}"},
        verify=str(lab.ca_bundle),
        timeout=30,
    )


def descendants(lab: Lab, group: str, *, identity: str = "admin", more: str = "") -> list[list[Any]]:
    """The pages of what descends from a group."""
    address: str | None = f"{GROUPS}/{group}/descendants?api-version=2020-05-01{more}"
    pages = []
    while address:
        answer = get(lab, identity, address)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["value"])
        address = answer.json().get("nextLink")
    return pages


def status(lab: Lab, identity: str, resource_id: str) -> int:
    """The HTTP status of reading a subscription."""
    return get(lab, identity, f"{resource_id}?api-version=2022-12-01").status_code


def grant(lab: Lab, identity: str, role: RoleDefinition, scope: str) -> None:
    """Give one of the lab's identities a role, at once."""
    lab.access.assign(
        role.name,
        scope=scope,
        role_id=role.role_id,
        principal_id=lab.applications[identity].object_id,
        by="",
        at_once=True,
    )


def test_the_root_group_holds_every_group_and_subscription(lab: Lab) -> None:
    pages = descendants(lab, lab.estate.tenant_id)
    assert len(pages) > 1
    found = {entry["name"]: entry for page in pages for entry in page}
    groups = {group.name for group in lab.estate.management_groups if group.name != lab.estate.tenant_id}
    assert found.keys() == groups | {entry.subscription_id for entry in lab.estate.subscriptions}
    payments = lab.estate.subscriptions[1]
    assert found[payments.subscription_id] == {
        "id": payments.resource_id,
        "type": "/subscriptions",
        "name": payments.subscription_id,
        "properties": {"displayName": payments.name, "parent": {"id": f"{GROUPS}/mg-contoso-payments"}},
    }
    assert found["mg-contoso-payments"] == {
        "id": f"{GROUPS}/mg-contoso-payments",
        "type": "Microsoft.Management/managementGroups",
        "name": "mg-contoso-payments",
        "properties": {"displayName": "Contoso Payments", "parent": {"id": PRODUCTION}},
    }


def test_a_group_holds_what_lies_below_its_groups_and_nothing_else(lab: Lab) -> None:
    retail, payments, _ = (entry.subscription_id for entry in lab.estate.subscriptions)
    (page,) = descendants(lab, "MG-Contoso-Production")
    assert {entry["name"] for entry in page} == {"mg-contoso-payments", retail, payments}


def test_top_makes_pages_smaller(lab: Lab) -> None:
    pages = descendants(lab, lab.estate.tenant_id, more="&$top=1")
    assert [len(page) for page in pages] == [1] * 6
    wrong = get(lab, "admin", f"{GROUPS}/{lab.estate.tenant_id}/descendants?api-version=2020-05-01&$top=0")
    assert wrong.status_code == 400


@pytest.mark.parametrize("role", ["Management Group Reader", "Security Reader"])
def test_a_role_without_the_action_does_not_do(lab: Lab, role: str) -> None:
    grant(lab, "stranger", built_in(role), PRODUCTION)
    answer = get(lab, "stranger", f"{PRODUCTION}/descendants?api-version=2020-05-01")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")


def test_who_may_list_a_group_sees_subscriptions_that_he_cannot_read(lab: Lab) -> None:
    lab.access.define(LISTER)
    grant(lab, "stranger", LISTER, PRODUCTION)
    retail, payments, _ = lab.estate.subscriptions
    (page,) = descendants(lab, "mg-contoso-production", identity="stranger")
    assert {entry["name"] for entry in page} >= {retail.subscription_id, payments.subscription_id}
    assert status(lab, "stranger", payments.resource_id) == 403


def test_a_role_at_a_group_counts_in_what_lies_below_and_only_there(lab: Lab) -> None:
    grant(lab, "stranger", built_in("Reader"), PRODUCTION)
    assert [status(lab, "stranger", entry.resource_id) for entry in lab.estate.subscriptions] == [200, 200, 403]
    assigned = f"{lab.estate.subscriptions[1].resource_id}/providers/Microsoft.Authorization/roleAssignments"
    listed = get(lab, "stranger", f"{assigned}?api-version=2022-04-01&$filter=atScope()").json()["value"]
    assert PRODUCTION in {entry["properties"]["scope"] for entry in listed}


def test_a_group_that_does_not_exist_is_not_told_from_one_that_may_not_be_listed(lab: Lab) -> None:
    assert get(lab, "admin", f"{GROUPS}/nowhere/descendants?api-version=2020-05-01").status_code == 403
    grant(lab, "stranger", built_in("Reader"), "/")
    assert get(lab, "stranger", f"{GROUPS}/nowhere/descendants?api-version=2020-05-01").status_code == 404

"""What is read of Azure Policy, and lists that are read by plain ARM calls."""

from typing import Any

import pytest

from apiward_connector.policies import Assignment, Initiative, Override, Reference, Rule
from apiward_connector.sources.arm_pages import arm_pages
from apiward_connector.sources.policy import PolicySource
from apiward_core.arm import ArmClient
from apiward_core.errors import AccessError, MissingError, RejectedDataError, ThrottledError
from tests.unit.connector.samples import SCOPE, SUBSCRIPTION
from tests.unit.connector.transport import Credential, Replies

ARM = "https://management.azure.com"
LIST = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments"
SET = "/providers/Microsoft.Authorization/policySetDefinitions/1f3afdf9-d0c9-4c3d-847f-89da613e70a8"
POLICY = "/providers/Microsoft.Authorization/policyDefinitions/ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
ROOT = "/providers/Microsoft.Management/managementGroups/root"


def client(transport: Replies) -> ArmClient:
    return ArmClient(
        Credential(),
        base_url=ARM,
        credential_scopes=[f"{ARM}/.default"],
        user_agent="x",
        transport=transport,
        retry_total=0,
    )


def source(*replies: Any) -> tuple[PolicySource, Replies]:
    transport = Replies(*replies)
    return PolicySource(client(transport)), transport


def asked(transport: Replies) -> list[str]:
    return [request.url.removeprefix(ARM) for request in transport.requests]


def pages(*replies: Any) -> tuple[list[Any], list[str]]:
    transport = Replies(*replies)
    return list(arm_pages(client(transport), "/list", api_version="1", **{"$filter": "a eq 'b'"})), asked(transport)


def test_a_link_is_followed_with_its_own_query() -> None:
    link = f"{ARM}/list?api-version=2&$filter=a%20eq%20'b'&$skiptoken=x%2By%3D"
    read, requests = pages((200, {"value": [1], "nextLink": link}), (200, {"value": [2, 3]}))
    assert read == [[1], [2, 3]]
    assert requests[0] == "/list?api-version=1&$filter=a%20eq%20%27b%27"
    assert requests[1].partition("?")[0] == "/list"
    assert sorted(requests[1].partition("?")[2].split("&")) == [
        "$filter=a%20eq%20'b'",
        "$skiptoken=x%2By%3D",
        "api-version=2",
    ]


def test_a_link_to_another_host_is_read_at_ours() -> None:
    _, requests = pages((200, {"value": [], "nextLink": "https://evil.example/x?api-version=1"}), (200, {"value": []}))
    assert requests[1].startswith("/x?")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"value": [], "nextLink": ".evil.example/list?api-version=1"}, "absolute path"),
        ({"value": [], "nextLink": "@evil.example/list?api-version=1"}, "absolute path"),
        ({"value": [], "nextLink": "https://[evil/"}, "no URL"),
        ({"value": [], "nextLink": 5}, "no page"),
        ({"value": None}, "no page"),
        ({}, "no page"),
    ],
    ids=["joined to our host", "our host as a user", "no URL", "a number", "null", "empty"],
)
def test_what_is_no_page_is_refused(document: Any, why: str) -> None:
    with pytest.raises(RejectedDataError, match=why):
        pages((200, document))


def test_a_circle_is_refused() -> None:
    page = (200, {"value": [], "nextLink": f"{ARM}/list?api-version=1&$skiptoken=x"})
    with pytest.raises(RejectedDataError, match="given before"):
        pages(page, page)


def test_an_assignment_is_read_whole() -> None:
    properties = {
        "policyDefinitionId": SET,
        "notScopes": [f"{SCOPE}/resourceGroups/Legacy/", 5],
        "parameters": {"Effect": {"value": "Disabled"}, "odd": None},
        "overrides": [
            {
                "kind": "policyEffect",
                "value": "Disabled",
                "selectors": [
                    {"kind": "policyDefinitionReferenceId", "in": ["Encrypted"], "notIn": ["Other"]},
                    {"kind": "resourceLocation", "in": ["westeurope"]},
                ],
            },
            {"kind": "definitionVersion", "value": "1.*.*"},
        ],
        "resourceSelectors": [{"name": "europe"}],
    }
    policies, transport = source((200, {"value": [{"id": f"{LIST}/One", "properties": properties}]}))
    assert policies.assignments(SUBSCRIPTION) == (
        Assignment(
            id=f"{LIST}/One",
            scope=SCOPE,
            definition_id=SET.lower(),
            excluded=(f"{SCOPE}/resourcegroups/legacy",),
            parameters={"effect": "Disabled"},
            overrides=(
                Override("Disabled", (frozenset({"encrypted"}),), frozenset({"other"}), conditional=True),
                Override(""),
            ),
            selects=True,
        ),
    )
    assert asked(transport) == [f"{LIST}?api-version=2023-04-01"]


def test_assignments_of_management_groups_keep_their_scope() -> None:
    inherited = {
        "id": f"{ROOT}/providers/Microsoft.Authorization/policyAssignments/one",
        "properties": {"policyDefinitionId": POLICY},
    }
    [assignment] = source((200, {"value": [inherited]}))[0].assignments(SUBSCRIPTION)
    assert assignment.scope == ROOT.lower()


@pytest.mark.parametrize("raw", [None, {}, {"id": f"{SCOPE}/x"}], ids=["null", "no id", "no definition"])
def test_an_assignment_that_does_not_say_what_it_assigns_is_not_left_out(raw: Any) -> None:
    with pytest.raises(RejectedDataError, match="without id or policyDefinitionId"):
        source((200, {"value": [raw]}))[0].assignments(SUBSCRIPTION)


def test_an_initiative_is_read_whole() -> None:
    properties = {
        "parameters": {"EncryptedEffect": {"type": "String", "defaultValue": "Audit"}, "bare": {"type": "String"}},
        "policyDefinitions": [
            {
                "policyDefinitionId": POLICY,
                "policyDefinitionReferenceId": "Encrypted",
                "parameters": {"effect": {"value": "[parameters('EncryptedEffect')]"}},
            },
            {"policyDefinitionId": POLICY, "policyDefinitionReferenceId": "bare"},
        ],
    }
    policies, transport = source((200, {"id": SET, "properties": properties}))
    assert policies.initiative(SET, "") == Initiative(
        references=(
            Reference("encrypted", POLICY.lower(), {"effect": "[parameters('EncryptedEffect')]"}),
            Reference("bare", POLICY.lower()),
        ),
        defaults={"encryptedeffect": "Audit"},
    )
    assert asked(transport) == [f"{SET.lower()}?api-version=2023-04-01"]


def test_a_policy_is_its_effect_and_its_defaults() -> None:
    rule = {"if": {}, "then": {"effect": "[parameters('effect')]"}}
    properties = {"policyRule": rule, "parameters": {"effect": {"defaultValue": "AuditIfNotExists"}}}
    policies, _ = source((200, {"properties": properties}))
    assert policies.rule(POLICY, "") == Rule("[parameters('effect')]", {"effect": "AuditIfNotExists"})


def test_custom_definitions_of_management_groups_come_from_one_list_of_the_subscription() -> None:
    kept = f"{ROOT}/providers/Microsoft.Authorization/policySetDefinitions/Own"
    policies, transport = source((200, {"value": [{"id": kept, "properties": {"policyDefinitions": []}}]}))
    assert policies.initiative(kept, SUBSCRIPTION) == Initiative(())
    with pytest.raises(MissingError, match="gone"):
        policies.initiative(kept.replace("Own", "gone"), SUBSCRIPTION)
    path = f"{SCOPE}/providers/Microsoft.Authorization/policysetdefinitions"
    assert asked(transport) == [f"{path}?api-version=2023-04-01&$filter=policyType%20eq%20%27Custom%27"]


def test_what_lists_no_policies_is_no_initiative() -> None:
    policies, _ = source((200, {"unexpected": []}))
    with pytest.raises(RejectedDataError, match="policyDefinitions"):
        policies.initiative("/providers/Microsoft.Authorization/policySetDefinitions/benchmark", SUBSCRIPTION)


def test_a_definition_kept_in_the_subscription_is_read_there() -> None:
    kept = f"{SCOPE}/providers/Microsoft.Authorization/policyDefinitions/own"
    policies, transport = source((200, {"properties": {}}))
    assert policies.rule(kept, SUBSCRIPTION) == Rule(None)
    assert asked(transport) == [f"{kept.lower()}?api-version=2023-04-01"]


@pytest.mark.parametrize(
    "definition", ["/providers/Microsoft.Authorization/policyDefinitions/x?y", "/providers/x/../y", f"{SCOPE}/../x", ""]
)
def test_an_id_that_could_lead_elsewhere_is_not_asked_for(definition: str) -> None:
    policies, transport = source()
    with pytest.raises(RejectedDataError):
        policies.rule(definition, SUBSCRIPTION)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AuthorizationFailed", AccessError),
        (404, "PolicyDefinitionNotFound", MissingError),
        (429, "TooManyRequests", ThrottledError),
    ],
)
def test_refusals_are_told(status: int, code: str, error: type[Exception]) -> None:
    replies = [(status, {"error": {"code": code, "message": "no"}})] * 20  # the client retries what may pass
    with pytest.raises(error):
        source(*replies)[0].assignments(SUBSCRIPTION)
    with pytest.raises(error):
        source(*replies)[0].rule(POLICY, "")

"""Every remediation that is there reads every example of its resource type, through the real SDK.

The module is found in the package, its resource type and its permitted reads in the catalogue; what its policy
definition asks for is said here once more, in the words of the REST document.
"""

import pkgutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

import apiward_playbooks.remediations
from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.clients import AzureClients
from apiward_core.errors import ApiwardError, RejectedDataError
from apiward_core.settings import explicit_settings
from apiward_playbooks.remediation import Change, Evidence, Observed, load_remediation
from tests.contract.documented_service import ETAG, DocumentedService, action, answer_of, resources
from tests.contract.openapi import shared_dir
from tests.unit.connector.transport import Credential

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
SLUGS = sorted(
    module.name.replace("_", "-") for module in pkgutil.iter_modules(apiward_playbooks.remediations.__path__)
)
SUBSCRIPTION_CALLED = "5600b59475ff190048070002"
API_CALLED = "57a03a13e4bbd5119c8b19e9"

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """Whether the policy definition takes a resource for compliant, and what apiward ought to see in it."""

    is_met: Callable[[Properties], bool]
    shows: Callable[[Properties], Properties]


POLICIES = {
    "apim-encrypted-protocols": Policy(
        is_met=lambda api: not {"http", "ws"} & set(api["protocols"]),
        shows=lambda api: {"protocols": sorted(set(api["protocols"]))},
    ),
    "apim-direct-management": Policy(
        is_met=lambda access: not access["enabled"],
        shows=lambda access: {"enabled": access["enabled"]},
    ),
    "apim-subscription-all-apis": Policy(
        is_met=lambda key: not (key["scope"].endswith("/apis") and key["state"] == "active"),
        shows=lambda key: {"scope": key["scope"].partition("/service/apimService1")[2], "state": key["state"]},
    ),
}

# Examples that a remediation refuses, and the words.
REFUSED = {
    ("apim-direct-management", "ApiManagementGetTenantGitAccess.json"): "no direct management endpoint",
}


@dataclass(frozen=True)
class Judgement:
    """What a remediation makes of one resource: the changes each with what it observes, and the evidence."""

    changes: list[tuple[Change, Observed]]
    evidence: Evidence


def judge(slug: str, body: Any, **instead: Any) -> Judgement:
    """Let the remediation read a resource and whatever else it wants of it, and hold it to its permitted reads.

    `instead` has the answers of operations that shall not be those of their examples.
    """
    recommendation = load_catalogue().by_slug(slug)
    remediation = load_remediation(recommendation)
    service = DocumentedService(shared_dir() / "specs", body, instead=instead)
    settings = explicit_settings(credential="developer")
    with closing(AzureClients(settings, credential=Credential(), transport=service)) as clients:
        resource = ArmId.parse(body["id"])
        changes = remediation.plan(clients, resource, NOW)
        judgement = Judgement(
            [(change, remediation.observe(clients, change)) for change in changes],
            remediation.verify(clients, resource),
        )
    permitted = {name.lower() for name in recommendation.permissions.read}
    assert {action(operation).lower() for operation in service.operations} <= permitted
    return judgement


def examples(slug: str) -> list[tuple[str, Any]]:
    """Each example of the type that the recommendation is about."""
    wanted = load_catalogue().by_slug(slug).resource_type.lower()
    found = resources(shared_dir() / "specs", lambda text: _type(text) == wanted)
    assert len(found) >= 5
    return found


def _type(text: str) -> str:
    try:
        return ArmId.parse(text).type.lower()
    except RejectedDataError:  # some examples carry placeholders in the place of ids
        return ""


def test_the_policy_of_each_remediation_is_known_here() -> None:
    assert set(SLUGS) == set(POLICIES), "say in POLICIES what the policy definition of the new remediation asks for"


@pytest.mark.parametrize("slug", SLUGS)
def test_each_example_is_judged_as_the_policy_judges_it(slug: str) -> None:
    policy = POLICIES[slug]
    for file, body in examples(slug):
        if (slug, file) in REFUSED:
            continue
        judgement, met = judge(slug, body), policy.is_met(body["properties"])
        shown = policy.shows(body["properties"])
        assert judgement.evidence.observed == shown, file
        assert judgement.evidence.healthy == met, file
        assert len(judgement.changes) == (0 if met else 1), file
        for change, observed in judgement.changes:
            assert change.resource_id == body["id"], file
            assert change.before.items() <= shown.items(), file
            assert change.after != change.before, file
            assert observed == Observed(change.before, ETAG), file


@pytest.mark.parametrize(("slug", "file"), sorted(REFUSED))
def test_what_a_remediation_refuses_it_refuses_with_a_reason(slug: str, file: str) -> None:
    refused = [body for name, body in examples(slug) if name == file]
    assert refused
    for body in refused:
        with pytest.raises(ApiwardError, match=REFUSED[slug, file]):
            judge(slug, body)


def scoped_to_all_apis(name: str) -> Any:
    """The example of a subscription under another name, active and scoped to all APIs: no example shows such a one."""
    body = answer_of(shared_dir() / "specs", "ApiManagementGetSubscription.json")
    service = body["id"].rpartition("/subscriptions/")[0]
    properties = body["properties"] | {"scope": f"{service}/apis", "state": "active"}
    return body | {"id": f"{service}/subscriptions/{name}", "name": name, "properties": properties}


def only_change(judgement: Judgement) -> tuple[Properties, Properties]:
    """Before and after of the one change of a resource that is not as it should be."""
    assert not judgement.evidence.healthy
    [[change, observed]] = judgement.changes
    assert observed == Observed(change.before, ETAG)
    return change.before, change.after


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (SUBSCRIPTION_CALLED, ({"scope": "/apis"}, {"scope": f"/apis/{API_CALLED}"})),
        ("5931a769d8d14f0ad8ce13b8", ({"state": "active"}, {"state": "suspended"})),
    ],
    ids=["in the report", "not in the report"],
)
def test_a_subscription_to_all_apis_is_planned_from_the_examples_of_reports(
    name: str, change: tuple[Properties, Properties]
) -> None:
    assert only_change(judge("apim-subscription-all-apis", scoped_to_all_apis(name))) == change


def test_a_subscription_that_calls_several_apis_is_planned_from_the_examples_of_products() -> None:
    report = answer_of(shared_dir() / "specs", "ApiManagementGetReportsByOperation.json")
    assert len(report["value"]) > 1
    called = report | {"value": [record | {"callCountTotal": 7} for record in report["value"]]}
    found = judge("apim-subscription-all-apis", scoped_to_all_apis(SUBSCRIPTION_CALLED), Reports_ListByOperation=called)
    [product] = answer_of(shared_dir() / "specs", "ApiManagementListApiProducts.json")["value"]
    assert only_change(found) == ({"scope": "/apis"}, {"scope": f"/products/{product['name']}"})

"""Why a finding that is absent has gone: only what is proven is said."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from azure.core.pipeline.transport import HttpRequest

from apiward_connector.existence import Existence
from apiward_connector.explain import PRODUCER_GONE, RESOURCE_GONE, UNEXPLAINED, Explainer
from apiward_connector.finding import UNHEALTHY, Finding, Kind, Located, Statement
from apiward_connector.moments import NONE
from apiward_connector.place import locate
from apiward_connector.policies import Assignment, Initiative, Reference, Rule
from apiward_connector.sources.paging import Page
from apiward_connector.sources.plans import Plan, Plans
from apiward_core.arm import ArmClient
from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import AccessError, ApiwardError, ThrottledError, TransientError
from tests.unit.connector.samples import SERVICE, SUBSCRIPTION
from tests.unit.connector.transport import Answer, Credential, Replies

ARM = "https://management.azure.com"
GROUP = SERVICE.partition("/providers/")[0]
API = f"{SERVICE}/apis/echo"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/shop"
ENDPOINT = "apim-endpoint-authenticated"
IN_SITE = "func-endpoint-authenticated"

POLICIES = "/providers/microsoft.authorization/policydefinitions/"
BENCHMARK = "/providers/microsoft.authorization/policysetdefinitions/benchmark"
ENCRYPTED = "ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
OTHER_SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
OWN = "11111111-2222-3333-4444-555555555555"

REFUSAL = AccessError("No role.", remedy="Grant it.")

APIS_ON = Plan("Api", enabled=True)
CSPM_ON = Plan("CloudPosture", enabled=True)
POSTURE_ON = replace(CSPM_ON, extensions=frozenset({"apiposture"}))

GONE = (404, {"error": {"code": "ResourceNotFound", "message": "not found"}})
GROUP_GONE = (404, {"error": {"code": "ResourceGroupNotFound", "message": "not found"}})
REFUSED = (403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})
THROTTLED = (429, {"error": {"code": "TooManyRequests", "message": "slow down"}})
FAILED = (500, {"error": {"code": "Internal", "message": "oops"}})


class Web(Replies):
    """Azure in which every resource exists but those of `answers`, whose keys are ids in any case."""

    def __init__(self, answers: Mapping[str, tuple[int, Any]]) -> None:
        super().__init__()
        self._answers = {resource.lower(): answer for resource, answer in answers.items()}

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        path = request.url.removeprefix(ARM).partition("?")[0]
        self._replies.append(self._answers.get(path.lower(), (200, {})))
        return super().send(request, **kwargs)

    @property
    def asked(self) -> list[str]:
        return [request.url.removeprefix(ARM).partition("?")[0].lower() for request in self.requests]


@dataclass
class Defender:
    """The plans, the onboarded APIs and the assigned policies of every subscription; each read is counted."""

    on: tuple[Plan, ...] = (APIS_ON, POSTURE_ON)
    onboarded: tuple[Any, ...] = ("echo",)
    policies: tuple[str, ...] = (ENCRYPTED, OWN)
    error: ApiwardError | None = None
    reads: list[str] = field(default_factory=list)

    def load(self, subscription_id: str) -> Plans:
        self._read(f"plans of {subscription_id}")
        return Plans({plan.name.lower(): plan for plan in self.on})

    def pages(self, subscription_id: str) -> Iterator[Page]:
        self._read(f"collections of {subscription_id}")
        yield [{"id": f"{SERVICE}/providers/Microsoft.Security/apiCollections/{name}"} for name in self.onboarded]

    def assignments(self, subscription_id: str) -> tuple[Assignment, ...]:
        self._read(f"assignments of {subscription_id}")
        return (Assignment("builtin", f"/subscriptions/{subscription_id}", BENCHMARK),)

    def initiative(self, definition_id: str, subscription_id: str) -> Initiative:
        self._read(f"{definition_id}{subscription_id}")
        return Initiative(tuple(Reference(policy, POLICIES + policy) for policy in self.policies))

    def rule(self, definition_id: str, subscription_id: str) -> Rule:
        self._read(f"{definition_id}{subscription_id}")
        return Rule("Audit")

    def _read(self, what: str) -> None:
        self.reads.append(what)
        if self.error:
            raise self.error


def explainer(web: Web, defender: Defender | None = None, *, max_reads: int = 500) -> Explainer:
    arm = ArmClient(
        Credential(), base_url=ARM, credential_scopes=[f"{ARM}/.default"], user_agent="x", transport=web, retry_total=0
    )
    there = defender or Defender()
    existence = Existence(arm, max_reads=max_reads)
    return Explainer(existence=existence, plans=there, collections=there, policies=there, catalogue=load_catalogue())


def absent(resource: str = API, recommendation: str = "apim-encrypted-protocols", policy: str = "") -> Finding:
    kind = Kind("", recommendation, "", "", "", policy)
    return Finding(b"", Statement(kind, UNHEALTHY), Located(locate(ArmId.read(resource.lower()), {})), NONE, NONE)


def operation(name: str = "get", api: str = "echo") -> Finding:
    return absent(f"{SERVICE}/apis/{api}/operations/{name}", ENDPOINT)


@pytest.mark.parametrize(
    ("answers", "reads"),
    [
        ({API: GONE}, [GROUP, SERVICE, API]),
        ({SERVICE: GONE}, [GROUP, SERVICE]),
        ({GROUP: GROUP_GONE}, [GROUP]),
    ],
    ids=["the API", "its service", "its resource group"],
)
def test_a_resource_is_gone_when_it_or_what_holds_it_is_missing(
    answers: Mapping[str, tuple[int, Any]], reads: list[str]
) -> None:
    web = Web(answers)
    explain: Callable[[Finding], str | None] = explainer(web)
    assert explain(absent()) == RESOURCE_GONE
    assert web.asked == [resource.lower() for resource in reads]


def test_a_thousand_findings_of_a_deleted_service_cost_two_reads() -> None:
    web = Web({SERVICE: GONE})
    explain = explainer(web)
    assert {explain(operation(str(number))) for number in range(1000)} == {RESOURCE_GONE}
    assert len(web.asked) == 2


UNPROVEN = {
    "403": REFUSED,
    "401": (401, {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}),
    "404 of a proxy": (404, b"<html>proxy</html>"),
    "unknown api-version": (404, {"error": {"code": "InvalidResourceType", "message": "not for this api-version"}}),
    "unknown subscription": (404, {"error": {"code": "SubscriptionNotFound", "message": "another tenant"}}),
}
PASSING = {"429": THROTTLED, "500": FAILED, "cut": (200, b'{"id": ')}


@pytest.mark.parametrize("resource", [API, SERVICE, GROUP])
@pytest.mark.parametrize("answer", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_nothing_but_a_proper_404_proves_that_a_resource_is_gone(resource: str, answer: tuple[int, Any]) -> None:
    explain = explainer(Web({resource: answer}))
    assert explain(absent()) == UNEXPLAINED
    [gap] = explain.gaps
    assert SUBSCRIPTION in gap.what
    assert "asks again" not in gap.why


@pytest.mark.parametrize("resource", [API, SERVICE, GROUP])
@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_asked_again_in_the_next_run(resource: str, answer: tuple[int, Any]) -> None:
    explain = explainer(Web({resource: answer}), Defender(policies=()))
    assert explain(absent()) is None
    [gap] = explain.gaps
    assert SUBSCRIPTION in gap.what
    assert "asks again" in gap.why


def test_a_resource_that_is_there_explains_nothing() -> None:
    explain = explainer(Web({}))
    assert explain(absent()) == UNEXPLAINED
    assert explain.gaps == ()


@pytest.mark.parametrize(
    "resource",
    [
        f"{SERVICE}/tenant/access",
        f"{SITE}/functions/order",
        f"{GROUP}/providers/Contoso.Own/things/one",
        f"{SERVICE}/providers/Microsoft.Security/apiCollections/echo",
        f"/subscriptions/{SUBSCRIPTION}",
    ],
    ids=["tenant access", "function", "unknown type", "extension", "subscription"],
)
def test_types_whose_404_proves_nothing_are_not_looked_up(resource: str) -> None:
    web = Web({resource: GONE})
    assert explainer(web)(absent(resource)) == UNEXPLAINED
    assert resource.lower() not in web.asked


def test_what_is_in_a_site_goes_with_it() -> None:
    assert explainer(Web({SITE: GONE}))(absent(f"{SITE}/functions/order", IN_SITE)) == RESOURCE_GONE


def test_a_name_that_could_lead_a_request_elsewhere_is_not_asked_for() -> None:
    web = Web({})
    explain = explainer(web)
    assert explain(absent(f"{SERVICE}/apis/a%2Fb")) == UNEXPLAINED
    assert web.asked == []
    assert "%" in explain.gaps[0].why


@pytest.mark.parametrize(
    ("one", "api_version"),
    [(GROUP, "2024-07-01"), (SERVICE, "2024-05-01"), (API, "2024-05-01"), (SITE, "2024-04-01")],
    ids=["group", "service", "API", "site"],
)
def test_each_type_is_read_at_its_api_version(one: str, api_version: str) -> None:
    web = Web({})
    explainer(web)(absent(one))
    assert web.requests[-1].url.lower() == f"{ARM}{one.lower()}?api-version={api_version}"


@pytest.mark.parametrize("answer", [THROTTLED, FAILED], ids=["429", "500"])
def test_throttling_and_failures_end_the_reads_in_a_subscription(answer: tuple[int, Any]) -> None:
    web = Web({API: answer})
    explain = explainer(web)
    explain(absent())
    before = len(web.asked)
    assert explain(absent(f"{SERVICE}/apis/other")) is None
    assert len(web.asked) == before
    elsewhere = API.replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)
    assert explain(absent(elsewhere)) == UNEXPLAINED
    assert web.asked[-1] == elsewhere.lower()


def test_a_refusal_of_one_service_leaves_the_others_to_be_read() -> None:
    other = f"{GROUP}/providers/Microsoft.ApiManagement/service/other"
    web = Web({SERVICE: REFUSED, other: GONE})
    explain = explainer(web)
    assert [explain(absent()), explain(operation()), explain(absent(f"{other}/apis/echo"))] == [
        UNEXPLAINED,
        UNEXPLAINED,
        RESOURCE_GONE,
    ]
    assert web.asked.count(SERVICE.lower()) == 1


def test_a_run_reads_no_more_than_it_may_in_a_subscription() -> None:
    apis = [f"{SERVICE}/apis/{number}" for number in range(4)]
    web = Web(dict.fromkeys(apis, GONE))
    explain = explainer(web, max_reads=4)
    assert [explain(absent(api)) for api in apis] == [RESOURCE_GONE, RESOURCE_GONE, None, None]
    assert len(web.asked) == 4
    assert "4 resources of its subscription were" in explain.gaps[0].why


@pytest.mark.parametrize(
    ("lost", "on", "cause"),
    [
        (operation(), (), PRODUCER_GONE),
        (operation(), (CSPM_ON,), PRODUCER_GONE),
        (operation(), (POSTURE_ON,), UNEXPLAINED),
        (absent(recommendation="apim-api-onboarded"), (POSTURE_ON,), PRODUCER_GONE),
        (absent(SITE, IN_SITE), (APIS_ON, CSPM_ON), PRODUCER_GONE),
        (absent(SITE, IN_SITE), (POSTURE_ON,), UNEXPLAINED),
        (absent(), (), UNEXPLAINED),
        (absent(recommendation="uncatalogued"), (), UNEXPLAINED),
    ],
    ids=[
        "endpoint, no plan",
        "endpoint, CSPM without API posture",
        "endpoint, API posture",
        "onboarding, API posture",
        "function, CSPM without API posture",
        "function, API posture",
        "policy, no plan",
        "uncatalogued, no plan",
    ],
)
def test_a_producer_is_gone_when_none_of_its_plans_is_on(lost: Finding, on: tuple[Plan, ...], cause: str) -> None:
    assert explainer(Web({}), Defender(on=on))(lost) == cause


@pytest.mark.parametrize(
    ("lost", "on", "cause"),
    [
        (operation(api="other"), (APIS_ON,), PRODUCER_GONE),
        (operation(api="ECHO"), (APIS_ON,), UNEXPLAINED),
        (operation(api="other"), (APIS_ON, POSTURE_ON), UNEXPLAINED),
        (absent(f"{SERVICE}/apis/other", "apim-api-onboarded"), (APIS_ON,), UNEXPLAINED),
    ],
    ids=["off-boarded", "onboarded", "off-boarded, API posture", "never onboarded"],
)
def test_an_endpoint_loses_its_producer_when_its_api_is_offboarded(
    lost: Finding, on: tuple[Plan, ...], cause: str
) -> None:
    assert explainer(Web({}), Defender(on=on))(lost) == cause


def test_a_resource_that_is_gone_is_gone_whatever_the_plan_does() -> None:
    assert explainer(Web({API: GONE}), Defender(on=()))(operation()) == RESOURCE_GONE


def test_a_plan_that_is_off_explains_even_where_the_resource_cannot_be_read() -> None:
    assert explainer(Web({SERVICE: REFUSED}), Defender(on=()))(operation()) == PRODUCER_GONE


@pytest.mark.parametrize(
    ("defender", "reads"),
    [
        (Defender(on=(APIS_ON,)), [f"plans of {SUBSCRIPTION}", f"collections of {SUBSCRIPTION}"]),
        (Defender(error=REFUSAL), [f"plans of {SUBSCRIPTION}"]),
    ],
    ids=["answered", "refused"],
)
def test_defender_is_asked_once_for_a_subscription(defender: Defender, reads: list[str]) -> None:
    explain = explainer(Web({}), defender)
    for number in range(3):
        explain(operation(str(number)))
    assert defender.reads == reads


@pytest.mark.parametrize(
    ("defender", "why"),
    [
        (Defender(error=REFUSAL), "No role"),
        (Defender(on=(APIS_ON,), onboarded=("other", "\x01")), "no ARM id"),
    ],
    ids=["plans refused", "a collection that cannot be read"],
)
def test_what_defender_does_not_tell_is_unexplained(defender: Defender, why: str) -> None:
    explain = explainer(Web({}), defender)
    assert explain(operation()) == UNEXPLAINED
    assert why in explain.gaps[0].why


@pytest.mark.parametrize(
    "error",
    [ThrottledError("Too much.", remedy="Wait."), TransientError("Broken.", remedy="Run again.")],
    ids=["throttled", "failed"],
)
@pytest.mark.parametrize("lost", [operation(), absent()], ids=["plan", "policy"])
def test_a_producer_that_cannot_be_asked_now_is_asked_again(error: ApiwardError, lost: Finding) -> None:
    explain = explainer(Web({}), Defender(error=error))
    assert explain(lost) is None
    assert "asks again" in explain.gaps[0].why


@pytest.mark.parametrize(
    ("lost", "policies", "cause"),
    [
        (absent(), (ENCRYPTED,), UNEXPLAINED),
        (absent(), (OWN,), PRODUCER_GONE),
        (absent(recommendation="uncatalogued", policy=POLICIES + OWN), (OWN,), UNEXPLAINED),
        (absent(recommendation="uncatalogued", policy=POLICIES + OWN), (ENCRYPTED,), PRODUCER_GONE),
        (absent(policy=POLICIES + OWN), (OWN,), UNEXPLAINED),
        (absent(f"/subscriptions/{SUBSCRIPTION}", "defender-for-apis-enabled"), (), PRODUCER_GONE),
    ],
    ids=["assigned", "not assigned", "own assigned", "own not assigned", "the metadata's before ours", "subscription"],
)
def test_a_policy_that_nothing_assigns_is_no_producer(lost: Finding, policies: tuple[str, ...], cause: str) -> None:
    assert explainer(Web({}), Defender(policies=policies))(lost) == cause


def test_what_stood_in_the_way_is_told_by_subscription() -> None:
    elsewhere = API.replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)
    explain = explainer(Web({API: REFUSED, elsewhere: THROTTLED}))
    for lost in (absent(), absent(elsewhere)):
        explain(lost)
    assert [SUBSCRIPTION in gap.what for gap in explain.gaps_of(SUBSCRIPTION)] == [True]
    assert ["HTTP 429" in gap.why for gap in explain.gaps_of(OTHER_SUBSCRIPTION)] == [True]
    assert set(explain.gaps) == {*explain.gaps_of(SUBSCRIPTION), *explain.gaps_of(OTHER_SUBSCRIPTION)}


def test_of_many_refusals_the_first_is_told() -> None:
    other = f"{SERVICE}/apis/other"
    explain = explainer(Web({API: REFUSED, other: REFUSED}))
    for lost in (absent(), absent(other)):
        explain(lost)
    [gap] = explain.gaps_of(SUBSCRIPTION)
    assert "/apis/echo" in gap.why


def test_every_plan_of_the_catalogue_is_understood() -> None:
    explain = explainer(Web({}), Defender(on=(), policies=()))
    assert {explain(absent(SERVICE, item.slug)) for item in load_catalogue()} == {PRODUCER_GONE}

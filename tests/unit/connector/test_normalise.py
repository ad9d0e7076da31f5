import tracemalloc
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from apiward_connector.finding import Finding, Gone, Unreadable
from apiward_connector.kinds import Kinds
from apiward_connector.moments import NONE, to_text
from apiward_connector.normalise import Normaliser
from apiward_connector.place import Place
from apiward_connector.reference import Exposure, Governance
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_core.catalogue import load_catalogue
from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.unit.connector import samples
from tests.unit.connector.samples import (
    KEY,
    METADATA,
    OTHER_KEY,
    PORTAL,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    TENANT,
    assessment,
    finding,
    normaliser,
    read,
    with_properties,
)

MACHINE = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
ENDPOINT = f"{SERVICE}/apis/echo/operations/get-item"
TRAFFIC, DUE, END = (f"2026-{month}-01T00:00:00.000000Z" for month in ("10", "11", "12"))


class Known:
    """What is known of one endpoint, of one assessment of it and of its service."""

    metadata = METADATA

    def __init__(self, last_traffic: str = TRAFFIC) -> None:
        self.last_traffic = last_traffic

    def exposure(self, place: Place) -> Exposure:
        if (place.service_id, place.api, place.operation) != (SERVICE.lower(), "echo", "get-item"):
            return Exposure(None, None, None, "", "", "")
        return Exposure(True, False, None, self.last_traffic, "GET", "/items/{id}")

    def concerns(self, key: str) -> bool:
        return key == KEY

    def governance(self, resource_id: str, key: str) -> Governance:
        return Governance("ada", DUE, False) if self._is_known(resource_id, key) else Governance("", "", None)

    def exempt_until(self, resource_id: str, key: str) -> str:
        return END if self._is_known(resource_id, key) else ""

    def tags(self, service_id: str) -> Mapping[str, str]:
        return {"team": "b", "env": "a"} if service_id == SERVICE.lower() else {}

    @staticmethod
    def _is_known(resource_id: str, key: str) -> bool:
        return (resource_id, key) == (ENDPOINT.lower(), KEY)


def joining(known: Known) -> Normaliser:
    return Normaliser(reference=known, catalogue=load_catalogue(), tenant_id=TENANT, portal=PORTAL)


def said(found: object) -> dict[str, Any]:
    assert isinstance(found, Finding), found
    return samples.columns(found)


def columns(raw: Any) -> dict[str, Any]:
    return said(finding(raw))


def test_an_operation_is_placed_in_its_service_and_api() -> None:
    raw = assessment(f"{SERVICE}/apis/echo;rev=3/operations/get-item")
    place, row = finding(raw).place, columns(raw)
    assert place.service_id == SERVICE.lower()
    assert (place.apim_service, place.api, place.operation) == ("contoso", "echo", "get-item")
    assert place.site.resource_type == "microsoft.apimanagement/service/apis/operations"
    assert (place.site.resource_group, place.subscription_id, row["AzureTenantId"]) == ("rg-api", SUBSCRIPTION, TENANT)
    names = ("ServiceId", "ApimService", "ApiName", "OperationName", "ResourceType", "ResourceGroup", "SubscriptionId")
    assert [row[name] for name in names] == [
        *(place.service_id, place.apim_service, place.api, place.operation),
        *(place.site.resource_type, place.site.resource_group, place.subscription_id),
    ]


def test_metadata_is_joined_by_key_in_any_case() -> None:
    kind = finding({**assessment(), "name": KEY.upper()}).kind
    assert (kind.recommendation, kind.severity, kind.category) == ("apim-encrypted-protocols", "High", "Networking")
    assert kind.key == KEY


def test_embedded_metadata_is_read_where_that_of_the_subscription_has_none() -> None:
    embedded = with_properties(assessment(), metadata={"severity": "low", "categories": ["Data"]})
    assert finding(embedded).kind.severity == "High"
    alone = finding(embedded, metadata={}).kind
    assert (alone.severity, alone.category) == ("Low", "Data")


def test_embedded_metadata_gives_way_to_that_of_the_subscription_whatever_the_case_of_the_key() -> None:
    embedded = with_properties(assessment(), metadata={"severity": "Low"})
    assert finding({**embedded, "name": KEY.upper()}).kind.severity == "High"


def test_without_metadata_the_catalogue_tells_the_severity() -> None:
    assert finding(assessment(), metadata={}).kind.severity == "High"


def test_members_are_found_in_the_spelling_of_resource_graph() -> None:
    listed = assessment()
    graph = with_properties(listed, resourceDetails={"Source": "Azure", "Id": f"{SERVICE}/apis/echo"})
    assert finding(graph) == finding(listed)


def test_of_two_spellings_of_a_member_their_order_does_not_choose() -> None:
    upper, mixed = {"CODE": "Healthy"}, {"Code": "Unhealthy"}
    states = [
        finding(with_properties(assessment(), status=status)).statement.state
        for status in ({**upper, **mixed}, {**mixed, **upper})
    ]
    assert states == ["Healthy", "Healthy"]
    assert (
        finding(with_properties(assessment(), status={**upper, "code": "NotApplicable"})).statement.state
        == "NotApplicable"
    )


def test_the_portal_link_opens_the_recommendation_and_nothing_that_a_key_could_smuggle_in() -> None:
    page = f"{PORTAL}/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
    assert columns(assessment())["PortalLink"] == f"{page}/{KEY}"
    assert columns(assessment(key="../x?y#z"))["PortalLink"] == f"{page}/..%2Fx%3Fy%23z"


def test_the_case_of_ids_makes_no_difference() -> None:
    endpoint = f"{SERVICE}/apis/echo/operations/get-item"
    assert finding(assessment(endpoint)) == finding(assessment(endpoint.upper()))


def test_the_case_of_the_tenant_makes_no_other_finding() -> None:
    shouting = Normaliser(reference=Known(), catalogue=load_catalogue(), tenant_id=TENANT.upper(), portal=PORTAL)
    found = read(shouting, assessment())
    assert isinstance(found, Finding)
    assert found.id == finding(assessment()).id


def test_a_location_is_one_in_any_case() -> None:
    one, other = ({**assessment(), "location": spelled} for spelled in ("WestEurope", "westeurope"))
    assert finding(one) == finding(other)


def test_the_key_is_that_in_the_id_where_there_is_no_name() -> None:
    assert finding({**assessment(), "name": ""}) == finding(assessment())


def test_the_identity_differs_by_resource_and_by_key() -> None:
    keys = {finding(assessment(f"{SERVICE}/apis/{api}", key=key)).id for api in "ab" for key in (KEY, OTHER_KEY)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    "item",
    [
        assessment(SERVICE, key=OTHER_KEY),
        with_properties(assessment(MACHINE, key=OTHER_KEY), displayName="API endpoints in Contoso should be patched"),
        with_properties(assessment(MACHINE, key=OTHER_KEY), metadata={"categories": ["API Security"]}),
    ],
    ids=["resource in a service", "display name", "category"],
)
def test_what_is_about_apis_is_kept_though_the_catalogue_does_not_know_it(item: Any) -> None:
    assert finding(item).kind.recommendation == "uncatalogued"


@pytest.mark.parametrize(
    "name",
    [
        "Kubernetes API servers should be configured with restricted access",
        "Azure API for FHIR should use private link",
        "API App should only be accessible over HTTPS",
        "Rapid API endpointsmith should not exist",
    ],
)
def test_the_word_api_alone_is_not_about_apis(name: str) -> None:
    assert read(normaliser(), with_properties(assessment(MACHINE, key=OTHER_KEY), displayName=name)) is None


def test_an_unknown_key_is_catalogued_by_policy_and_by_display_name() -> None:
    policy = "/providers/Microsoft.Authorization/policyDefinitions/EE7495E7-3ba7-40b6-bfee-c29e22cc75d4"
    listed = {OTHER_KEY: AssessmentMetadata("x", policy, "Low", ())}
    by_policy = finding(assessment(MACHINE, key=OTHER_KEY), metadata=listed)
    by_name = with_properties(
        assessment(MACHINE, key=OTHER_KEY),
        displayName="(Preview) API Management APIs should use only encrypted protocols",
    )
    assert by_policy.kind.recommendation == finding(by_name).kind.recommendation == "apim-encrypted-protocols"


def test_a_subscription_can_be_the_assessed_resource() -> None:
    found = finding(assessment(SCOPE)).place
    assert (found.site.resource_type, found.service_id) == ("microsoft.resources/subscriptions", SCOPE)
    assert (found.resource_id, found.resource_name) == (SCOPE, SUBSCRIPTION)
    assert (found.apim_service, found.site.resource_group, found.api) == ("", "", "")


def test_a_site_hosts_its_endpoints() -> None:
    site = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Web/sites/Shop"
    assert finding(assessment(f"{site}/functions/order")).place.service_id == site.lower()


def test_additional_data_names_the_api_where_the_resource_id_does_not() -> None:
    named = {"APIManagementResourceName": "Contoso", "apiCollectionName": "Echo;rev=2"}
    found = finding(with_properties(assessment(SCOPE), additionalData=named)).place
    assert (found.apim_service, found.api) == ("contoso", "echo")


def test_additional_data_names_the_api_of_its_own_assessment_alone() -> None:
    page = [with_properties(assessment(SCOPE), additionalData={"apiCollectionName": api}) for api in ("a", "b", "")]
    assert [found.place.api for found in normaliser().findings(page).findings] == ["a", "b", ""]


def test_the_assessed_resource_is_taken_from_the_assessment_id_when_details_lack_it() -> None:
    bare = with_properties(assessment(), resourceDetails={"source": "OnPremise"})
    assert finding(bare).place.resource_id == f"{SERVICE}/apis/echo".lower()


def test_an_assessment_id_in_the_details_is_cut_to_its_resource() -> None:
    whole = assessment()
    for spelled in (whole["id"], f"{whole['id']}/subAssessments/one"):
        assert finding(with_properties(whole, resourceDetails={"source": "Azure", "id": spelled})) == finding(whole)


def test_each_assessment_of_a_page_is_placed_where_its_own_resource_is() -> None:
    page = [assessment(f"{SERVICE}/apis/{api}", key=key) for api in ("a", "b", "a") for key in (KEY, OTHER_KEY)]
    assert list(normaliser().findings(page).findings) == [finding(raw) for raw in page]


def test_each_assessment_of_a_page_has_its_own_times() -> None:
    page = [assessment(f"{SERVICE}/apis/{time[:7]}", statusChangeDate=time) for time in (DUE, TRAFFIC, END)]
    moments = normaliser().findings(page).findings.state_changed
    assert list(map(to_text, moments.tolist())) == [DUE, TRAFFIC, END]


def test_unknown_states_are_kept_and_known_ones_spelled_alike() -> None:
    assert finding(assessment(code="OffByMoon")).statement.state == "OffByMoon"
    assert finding(assessment(code="unhealthy")).statement.state == "Unhealthy"


def test_an_exemption_is_told_by_its_cause() -> None:
    assert columns(assessment(code="NotApplicable", cause="Exempt"))["Exempt"] is True
    assert columns(assessment(code="NotApplicable", cause="OffByPolicy"))["Exempt"] is False


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-04-12T09:07:18.6759138Z", "2021-04-12T09:07:18.675913Z"),
        ("2021-04-12T09:07:18.67Z", "2021-04-12T09:07:18.670000Z"),
        ("2021-04-12T09:07:18Z", "2021-04-12T09:07:18.000000Z"),
        ("2021-04-12T11:07:18.6759138+02:00", "2021-04-12T09:07:18.675913Z"),
        ("2021-02-30T09:07:18.6759138Z", None),
        ("2021-04-12T09:07:1x.6759138Z", None),
        ("2021-04-12T09:07:18.123+017Z", None),
        ("2021-04-12T09:07:18.6759138z" * 9, None),
        ("0001-01-01T00:00:00+01:00", None),
        ("yesterday", None),
        (7, None),
        (["2021-04-12T09:07:18Z"], None),
    ],
)
def test_times_are_utc_with_microseconds_and_null_when_they_are_none(written: Any, read: str | None) -> None:
    raw = assessment(statusChangeDate=written)
    assert (to_text(finding(raw).state_changed), columns(raw)["StateChanged"]) == (read or "", read)
    assert columns(assessment(firstEvaluationDate=written))["FirstEvaluated"] == read


def test_values_of_the_wrong_type_are_absorbed() -> None:
    status = {"code": "Unhealthy", "cause": ["Exempt"], "statusChangeDate": 7}
    odd = with_properties(assessment(), status=status, additionalData="text", risk=None, metadata=[])
    written = columns(odd)
    assert (finding(odd).statement.state, written["StateCause"], written["StateChanged"]) == ("Unhealthy", "", None)
    assert written["AdditionalData"] == {"value": "text"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (with_properties({**assessment(), "id": None}, resourceDetails={}), "which resource"),
        (
            with_properties({**assessment(), "id": "nonsense"}, resourceDetails={"id": "/subscriptions/x/y"}),
            "no ARM id",
        ),
        ({**assessment(), "id": "", "name": None}, "no assessment key"),
        (assessment(f"{SERVICE}/apis/\ud800"), "surrogates not allowed"),
        (with_properties(assessment(), additionalData={"note": "\ud800"}), "surrogates not allowed"),
        (with_properties(assessment(), additionalData={"n": 2**70}), "64-bit"),
        (with_properties(assessment(), status=["Unhealthy"]), "no status"),
        (assessment(code=" "), "no status"),
        ("not an object", "which assessment"),
        ({"properties": {}}, "which assessment"),
    ],
    ids=[
        "no id",
        "malformed id",
        "no key",
        "broken id",
        "broken text",
        "huge number",
        "odd status",
        "blank status",
        "no object",
        "nothing",
    ],
)
def test_what_may_be_about_apis_and_cannot_be_read_is_reported(item: Any, reason: str) -> None:
    result = read(normaliser(), item)
    assert isinstance(result, Unreadable)
    assert reason in result.why
    assert orjson.dumps(result)


@pytest.mark.parametrize("name", ["orders%20v1", "get {id}", "a|b", 'say "hi"'])
def test_an_oddly_named_api_is_recorded_under_its_name(name: str) -> None:
    found = finding(assessment(f"{SERVICE}/apis/{name}")).place
    assert (found.resource_name, found.api, found.service_id) == (name, name, SERVICE.lower())


def test_an_id_without_end_is_named_by_its_beginning() -> None:
    unreadable = read(normaliser(), with_properties({**assessment(), "id": "x" * 100_000}, resourceDetails=None))
    assert isinstance(unreadable, Unreadable)
    assert len(unreadable.what) < 10_000


def test_what_is_not_about_apis_may_be_unreadable() -> None:
    assert read(normaliser(), {"name": OTHER_KEY, "properties": {"displayName": "Patch machines"}}) is None


def test_a_row_has_every_column_that_is_not_about_its_history() -> None:
    declared = {column.name for column in all_tables()[RECOMMENDATIONS].columns}
    assert declared - samples.HISTORY == columns(assessment()).keys()


def test_what_else_is_known_is_joined() -> None:
    row = said(read(joining(Known()), assessment(ENDPOINT)))
    assert (row["IsExternal"], row["IsAuthenticated"], row["HasSensitiveData"]) == (True, False, None)
    assert (row["LastTraffic"], row["HttpMethod"], row["UrlTemplate"]) == (TRAFFIC, "GET", "/items/{id}")
    assert (row["Owner"], row["DueDate"], row["GracePeriod"], row["ExemptUntil"]) == ("ada", DUE, False, END)
    assert row["ResourceTags"] == {"team": "b", "env": "a"}


def test_each_finding_of_a_page_is_joined_with_what_is_known_of_itself() -> None:
    page = [
        assessment(ENDPOINT),
        assessment(f"{SERVICE}/apis/echo/operations/put-item"),
        assessment(ENDPOINT, key=OTHER_KEY),
    ]
    rows = [said(found) for found in joining(Known()).findings(page).findings]
    assert [row["HttpMethod"] for row in rows] == ["GET", "", "GET"]
    assert [row["Owner"] for row in rows] == ["ada", "", ""]


def test_what_is_not_known_is_empty() -> None:
    row = said(read(joining(Known()), assessment(MACHINE)))
    assert [row[name] for name in ("HttpMethod", "UrlTemplate", "Owner", "RiskLevel")] == ["", "", "", ""]
    unknown = ("IsExternal", "IsAuthenticated", "HasSensitiveData", "LastTraffic", "DueDate", "GracePeriod")
    assert [row[name] for name in (*unknown, "ExemptUntil")] == [None] * 7
    assert row["ResourceTags"] == {}


def test_risk_and_traffic_are_told_and_change_nothing() -> None:
    plain = read(joining(Known("")), assessment(ENDPOINT))
    risky = read(joining(Known()), with_properties(assessment(ENDPOINT), risk={"Level": "Critical"}))
    assert isinstance(plain, Finding)
    assert isinstance(risky, Finding)
    assert (said(risky)["RiskLevel"], risky.statement.risk_level, plain.statement.risk_level) == (
        "Critical",
        "Critical",
        "",
    )
    assert (said(risky)["LastTraffic"], said(plain)["LastTraffic"]) == (TRAFFIC, None)
    assert risky.digest == plain.digest


@pytest.mark.parametrize(
    "other",
    [
        assessment(ENDPOINT, code="Healthy"),
        assessment(ENDPOINT, cause="OffByPolicy"),
        assessment(ENDPOINT, description="x"),
        assessment(ENDPOINT, statusChangeDate=DUE),
        with_properties(assessment(ENDPOINT), displayName="Another name"),
        with_properties(assessment(ENDPOINT), additionalData={"a": 1}),
        {**assessment(ENDPOINT), "location": "westeurope"},
    ],
    ids=["state", "cause", "description", "time", "name", "additional data", "location"],
)
def test_any_other_difference_is_a_change(other: Any) -> None:
    assert finding(other).id == finding(assessment(ENDPOINT)).id
    assert finding(other).digest != finding(assessment(ENDPOINT)).digest


class Ungoverned(Known):
    def concerns(self, key: str) -> bool:
        return False


class Tagged(Known):
    def __init__(self, tags: Mapping[str, str]) -> None:
        super().__init__()
        self._tags = tags

    def tags(self, service_id: str) -> Mapping[str, str]:
        return self._tags


def digest(known: Known, raw: Any) -> int:
    found = read(joining(known), raw)
    assert isinstance(found, Finding)
    return found.digest


@pytest.mark.parametrize("other", [Ungoverned(), Tagged({"team": "b"})], ids=["governance", "tags"])
def test_what_is_joined_is_a_change(other: Known) -> None:
    assert digest(other, assessment(ENDPOINT)) != digest(Known(), assessment(ENDPOINT))


def test_the_order_of_what_is_named_is_no_change() -> None:
    one, other = (Tagged(tags) for tags in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}))
    assert digest(one, assessment(ENDPOINT)) == digest(other, assessment(ENDPOINT))
    first, second = (
        with_properties(assessment(), additionalData=data) for data in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )
    assert finding(first) == finding(second)


def test_what_is_gone_is_described_like_what_is_there() -> None:
    raw = {**assessment(ENDPOINT, statusChangeDate=DUE, firstEvaluationDate=TRAFFIC), "location": "westeurope"}
    there = read(joining(Known()), with_properties(raw, additionalData={"a": 1}, risk={"level": "High"}))
    assert isinstance(there, Finding)
    times = (there.first_evaluated, there.state_changed)
    remembered = Gone(there.kind, there.place.resource_id, "", "", there.statement.state, *times, "westeurope")
    gone = joining(Known()).gone(remembered, cause="ResourceGone")
    assert (gone.id, gone.kind, gone.place) == (there.id, there.kind, there.place)
    assert said(gone) == {**said(there), "StateCause": "ResourceGone", "AdditionalData": {}, "RiskLevel": ""}


def test_what_is_gone_keeps_the_names_that_its_id_lacks() -> None:
    there = finding(assessment(SCOPE))
    remembered = Gone(there.kind, SCOPE, "contoso", "echo", "Unhealthy", NONE, NONE, "")
    gone = normaliser().gone(remembered, cause="Unexplained")
    assert (gone.place.apim_service, gone.place.api) == ("contoso", "echo")


def test_a_description_of_two_megabytes_is_kept_whole() -> None:
    text = "\N{GREEK SMALL LETTER OMEGA}" * 1_000_000
    assert columns(assessment(description=text))["StateDescription"] == text


def test_keys_without_end_give_findings_and_no_more_types_than_fit() -> None:
    reader = normaliser()
    for number in range(5000):
        assert isinstance(read(reader, assessment(key=f"key-{number}")), Finding)
    assert len(reader.types) == 4096


def test_names_without_end_are_not_remembered() -> None:
    reader, size = normaliser(), 100_000
    long = with_properties(assessment(), displayName="", metadata={"policyDefinitionId": "x" * size})
    read(reader, assessment())  # what is made once
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20):
            read(reader, with_properties(assessment(), displayName=f"API endpoints {number} {'x' * size}"))
            read(reader, {**long, "name": f"key-{number}"})
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 2 * size


def test_a_name_without_end_makes_no_type() -> None:
    reader = normaliser()
    for name in ("API endpoints", "API endpoints".ljust(2049, "x")):
        assert isinstance(read(reader, with_properties(assessment(key=f"key-{len(name)}"), displayName=name)), Finding)
    assert [kind.name for kind in reader.types] == ["API endpoints"]


def test_of_two_names_of_one_key_the_order_does_not_choose() -> None:
    def named(*names: str) -> list[str]:
        kinds = Kinds(metadata={}, catalogue=load_catalogue())
        for name in names:
            kinds.meet(kinds.judge(OTHER_KEY, name, None).kind)
        return [kind.name for kind in kinds.types]

    assert named("b", "a") == named("a", "b") == ["a"]

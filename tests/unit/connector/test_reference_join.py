"""What reference data says of a finding: the join by place, by assessment, by policy and scope."""

from itertools import permutations
from typing import Any

import pytest

from apiward_connector.place import Place, locate
from apiward_connector.reference import Exposure, Governance, Reference
from apiward_connector.reference.inventory import UNKNOWN, Collection, Endpoint, Inventory
from apiward_connector.reference.joined import ExemptionIndex, GovernanceIndex
from apiward_connector.sources.exemptions import Exemption
from apiward_connector.sources.governance import Assignment
from apiward_core.arm_id import ArmId
from apiward_core.tables import all_tables
from tests.unit.connector.references import metadata
from tests.unit.connector.samples import KEY, OTHER_KEY, SCOPE, SERVICE

SERVICE_ID = SERVICE.lower()
API = f"{SERVICE_ID}/apis/echo"
POLICY = "/providers/microsoft.authorization/policydefinitions/8ac833bd-f505-48d5-887e-c993a1d3eea0"
EARLY, LATE = "2026-12-01T00:00:00.000000Z", "2026-12-24T00:00:00.000000Z"
OBSERVED = "2026-11-20T08:00:00.000000Z"


def place(resource: str) -> Place:
    return locate(ArmId.read(resource), {})


def endpoint(name: str, last_traffic: str = "", *, api: str = "echo") -> Endpoint:
    return Endpoint(SERVICE_ID, api, name, "GET", f"/{name}", True, False, True, last_traffic)


def collection(
    *, total: int | None = 6, external: int | None = 0, unauthenticated: int | None = 0, unused: int | None = 1
) -> Collection:
    return Collection(
        SERVICE_ID, "echo", "https://contoso.azure-api.net/echo", total, external, unauthenticated, unused, 0
    )


def test_an_operation_is_its_endpoint() -> None:
    inventory = Inventory([collection()], [endpoint("get", EARLY), endpoint("put", LATE)])
    known = inventory.exposure(place(f"{API}/operations/get"))
    assert known == Exposure(True, False, True, EARLY, "GET", "/get")


def test_of_an_endpoint_that_comes_twice_the_first_counts() -> None:
    inventory = Inventory([], [endpoint("get", EARLY), endpoint("get", LATE)])
    assert inventory.exposure(place(f"{API}/operations/get")).last_traffic == EARLY


@pytest.mark.parametrize("spelled", [f"{SERVICE}/apis/Echo;rev=2/operations/GET", f"{API.upper()}/OPERATIONS/get"])
def test_an_operation_is_found_whatever_its_case_and_revision(spelled: str) -> None:
    assert Inventory([], [endpoint("get", EARLY)]).exposure(place(spelled)).last_traffic == EARLY


@pytest.mark.parametrize(
    "elsewhere",
    [f"{API}/operations/put", f"{SERVICE_ID}/apis/other/operations/get", f"{SERVICE_ID}-2/apis/echo/operations/get"],
    ids=["operation", "API", "service"],
)
def test_an_operation_that_the_inventory_lacks_is_unknown(elsewhere: str) -> None:
    assert Inventory([collection()], [endpoint("get")]).exposure(place(elsewhere)) == UNKNOWN


@pytest.mark.parametrize(
    ("counts", "external", "authenticated"),
    [
        (collection(external=2, unauthenticated=1), True, False),
        (collection(), False, True),
        (collection(external=None, unauthenticated=None), None, None),
        (collection(total=6, unused=6), None, None),
        (collection(total=0, unused=0), None, None),
        (collection(total=6, unused=6, external=1, unauthenticated=1), True, False),
        (collection(total=None, unused=None), False, True),
    ],
    ids=["some", "none", "unknown", "unused", "empty", "unused now", "no total"],
)
def test_an_api_is_what_the_numbers_of_its_collection_say(
    counts: Collection, external: bool | None, authenticated: bool | None
) -> None:
    known = Inventory([counts]).exposure(place(API))
    assert (known.is_external, known.is_authenticated) == (external, authenticated)


def test_an_api_was_last_called_when_one_of_its_endpoints_was() -> None:
    inventory = Inventory([collection()], [endpoint("get", EARLY), endpoint("put", LATE), endpoint("new")])
    assert inventory.exposure(place(API)).last_traffic == LATE


@pytest.mark.parametrize("resource", [SERVICE, SCOPE, f"{SERVICE}/backends/echo"], ids=["service", "scope", "backend"])
def test_what_is_no_api_and_no_operation_has_no_exposure(resource: str) -> None:
    assert Inventory([collection()], [endpoint("get")]).exposure(place(resource)) == UNKNOWN


def test_each_item_of_the_inventory_is_a_row() -> None:
    unnamed = f"{SERVICE_ID}/providers/microsoft.security/apicollections/echo/apiendpoints/{KEY}"
    inventory = Inventory([collection()], [endpoint("get", EARLY), endpoint(unnamed)])
    rows = list(inventory.rows(run_id="run", observed=OBSERVED))
    columns = {column.name for column in all_tables()["DefenderApiInventory_CL"].columns}
    assert [set(row) for row in rows] == [columns] * 3
    assert [row["ResourceId"] for row in rows] == [API, f"{API}/operations/get", unnamed]
    assert [row["OperationName"] for row in rows] == ["", "get", ""]
    assert {row["BaseUrl"] for row in rows} == {"https://contoso.azure-api.net/echo"}
    assert {row["ObservedAt"] for row in rows} == {row["TimeGenerated"] for row in rows} == {OBSERVED}
    assert len({row["RecordId"] for row in rows}) == 3


def test_an_endpoint_that_says_something_else_is_another_row() -> None:
    def record(**changes: Any) -> str:
        inventory = Inventory([], [endpoint("get")._replace(**changes)])
        return str(next(inventory.rows(run_id="run", observed=OBSERVED))["RecordId"])

    variants: list[dict[str, Any]] = [
        {},
        {"is_external": None},
        {"is_authenticated": True},
        {"last_traffic": EARLY},
        {"url_template": "/"},
    ]
    assert len({record(**changes) for changes in variants}) == len(variants)
    assert record() == record()


def test_governance_is_that_of_the_assessment() -> None:
    known = GovernanceIndex([Assignment(API, KEY, "ann@contoso.com", LATE, False)])
    assert known.of(API, KEY) == Governance("ann@contoso.com", LATE, grace_period=False)
    assert known.of(API, OTHER_KEY) == known.of(SERVICE_ID, KEY) == Governance()


def test_of_several_assignments_that_which_is_due_first_counts_in_any_order() -> None:
    several = [
        Assignment(API, KEY, "ann@contoso.com", LATE, False),
        Assignment(API, KEY, "bob@contoso.com", EARLY, True),
        Assignment(API, KEY, "cid@contoso.com", "", None),
    ]
    owners = {GovernanceIndex(ordered).of(API, KEY).owner for ordered in permutations(several)}
    assert owners == {"bob@contoso.com"}


@pytest.mark.parametrize(
    "scope", [API, SERVICE_ID, SERVICE_ID.partition("/providers")[0], SCOPE], ids=["API", "service", "group", "scope"]
)
def test_an_exemption_holds_for_what_is_in_its_scope(scope: str) -> None:
    known = ExemptionIndex([Exemption(scope, POLICY, LATE)])
    assert known.until(API, POLICY) == LATE


@pytest.mark.parametrize(
    "exemption",
    [Exemption(f"{API}/operations/get", POLICY, LATE), Exemption(f"{API}-2", POLICY, LATE), Exemption(API, "x", LATE)],
    ids=["below", "beside", "policy"],
)
def test_an_exemption_of_something_else_is_none(exemption: Exemption) -> None:
    assert ExemptionIndex([exemption]).until(API, POLICY) == ""


@pytest.mark.parametrize(
    ("ends", "last"), [([EARLY, LATE], LATE), ([EARLY, "", LATE], "")], ids=["both end", "one never ends"]
)
@pytest.mark.parametrize("scopes", [[API, API, API], [SCOPE, SERVICE_ID, API]], ids=["one scope", "nested scopes"])
def test_of_several_exemptions_the_last_to_end_counts_in_any_order(
    ends: list[str], last: str, scopes: list[str]
) -> None:
    exemptions = [Exemption(scope, POLICY, end) for scope, end in zip(scopes, ends, strict=False)]
    assert {ExemptionIndex(ordered).until(API, POLICY) for ordered in permutations(exemptions)} == {last}


def test_what_governance_or_an_exemption_names_is_concerned() -> None:
    governed = Reference(governance=GovernanceIndex([Assignment(API, KEY, "ada", LATE, False)]))
    exempt = Reference(
        metadata={KEY: metadata("Encrypted", POLICY)}, exemptions=ExemptionIndex([Exemption(SCOPE, POLICY, LATE)])
    )
    assert [known.concerns(key) for known in (governed, exempt) for key in (KEY, OTHER_KEY)] == [True, False] * 2


def test_an_exemption_is_found_by_the_policy_behind_the_key() -> None:
    known = Reference(
        metadata={KEY: metadata("Encrypted", POLICY.replace("microsoft", "Microsoft")), OTHER_KEY: metadata("Other")},
        exemptions=ExemptionIndex([Exemption(SCOPE, POLICY, LATE)]),
    )
    assert known.exempt_until(API, KEY) == LATE
    assert known.exempt_until(API, OTHER_KEY) == known.exempt_until(API, "unknown") == ""

"""Every call that the connector makes, failing in every way: nothing unread is judged, nothing is lost, and it is said.

The real connector with the real SDK clients, over an Azure in memory. Each cell is one run on the second day of a small
estate in which one kind of call fails, and another run an hour later in which none does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from apiward_connector.report import Outcome, ScopeReport
from apiward_core.errors import ApiwardError
from apiward_core.tables import HEALTH, INVENTORY, RECOMMENDATIONS, TYPES
from tests.e2e.failing_calls import KINDS, Concerns, Kind, blob, get, provider, query, sending
from tests.e2e.small_azure import CONTAINER, Request
from tests.e2e.small_estate import (
    AN_HOUR,
    CAUSES,
    DEFINITION,
    GROUP,
    GROUP_OF_SUBSCRIPTIONS,
    INITIATIVE,
    OTHER_SCOPE,
    WHOLE,
    WORKSPACE,
    World,
    of,
    prepared,
)
from tests.unit.connector.samples import SCOPE, SERVICE, SUBSCRIPTION

MANAGEMENT_GROUP = f"/providers/Microsoft.Management/managementGroups/{GROUP_OF_SUBSCRIPTIONS}"
ENDPOINTS = "microsoft.security/apicollections/apiendpoints"
GOVERNANCE = "microsoft.security/assessments/governanceassignments"
TAGS = "microsoft.apimanagement/service"
ASSESSMENTS = "microsoft.security/assessments"
NOTHING: frozenset[tuple[str, str]] = frozenset()
FIRST_PAGE = frozenset({("Resolved", "alpha"), ("Snapshot", "gamma")})
WHY = f"why findings of {SCOPE} are gone"
GRAPH: Mapping[str, Any] = {"source": "resource_graph"}
BLOBS: Mapping[str, Any] = {"state_container": CONTAINER}


@dataclass(frozen=True)
class Call:
    """A call, and what comes of a run in which it fails.

    `what` is named as unread in the report and the health row of `scope`, whose outcome is `outcome`; the other
    subscription fails alike when it is for `both`. `told` are the changes of the first subscription that arrive. Of
    them the removals of `judged` wait for the next run when the failure may pass, and have the causes in `instead` when
    it lasts; all of them arrive when the call `arrives` and only its answer is lost. Kinds of `harmless` do no harm
    here, those of `other` something that is tested apart. `words` are said of some kinds instead of their own.
    """

    name: str
    concerns: Concerns
    what: str
    outcome: Outcome = Outcome.PARTIAL
    told: frozenset[tuple[str, str]] = WHOLE
    scope: str = SCOPE
    both: bool = False
    judged: frozenset[str] = frozenset()
    instead: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    harmless: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    arrives: bool = False

    def tells(self, kind: Kind) -> frozenset[tuple[str, str]]:
        """The changes that arrive in the run that fails."""
        if self.arrives and not kind.refused:
            return WHOLE
        postponed = frozenset() if kind.lasting else self.judged
        return self.told - {("Removed", name) for name in postponed}


unread = partial(Call, what=SCOPE, outcome=Outcome.FAILED, told=NOTHING)
explaining = partial(Call, what=WHY)
ALL = frozenset(kind.name for kind in KINDS)
_ANSWERED = {"malformed": "HTTP 200", "no page": "HTTP 200"}
_SERVICE = SERVICE.lower()

CALLS = [
    unread("assessments", provider(ASSESSMENTS)),
    Call("later assessments", provider(ASSESSMENTS, later=True), SCOPE, told=FIRST_PAGE),
    unread("rows of assessments", query(ASSESSMENTS), both=True, settings=GRAPH),
    unread("later rows of assessments", query(ASSESSMENTS, later=True), both=True, settings=GRAPH),
    unread("proof that assessments may be read", provider(ASSESSMENTS), settings=GRAPH),
    Call("census of assessments", query(ASSESSMENTS, counts=True), "", settings=GRAPH, harmless=ALL),
    Call("metadata", provider("microsoft.security/assessmentmetadata"), f"the assessment metadata of {SCOPE}"),
    Call(
        "API collections",
        provider("microsoft.security/apicollections"),
        f"the API collections of {SCOPE}",
        judged=frozenset({"epsilon"}),
        instead={"epsilon": "Unexplained"},
    ),
    Call("census of endpoints", query(ENDPOINTS, counts=True), f"the API endpoints of {SCOPE}", both=True),
    Call("endpoints", query(ENDPOINTS), f"the API endpoints of {SCOPE}"),
    Call("operations", get(f"{_SERVICE}/apis/alpha/operations"), f"the API endpoints of {SCOPE}"),
    Call("census of governance", query(GOVERNANCE, counts=True), f"the governance assignments of {SCOPE}", both=True),
    Call("governance", query(GOVERNANCE), f"the governance assignments of {SCOPE}"),
    Call(
        "proof that governance may be read",
        get(f"{OTHER_SCOPE}/providers/microsoft.security/assessments/[^/]+/governanceassignments"),
        f"the governance assignments of {OTHER_SCOPE}",
        scope=OTHER_SCOPE,
    ),
    Call("census of tags", query(TAGS, counts=True), f"the tags of {SCOPE}", both=True),
    Call("tags", query(TAGS), f"the tags of {SCOPE}"),
    Call(
        "proof that tags may be read",
        get(f"{OTHER_SCOPE}/providers/microsoft.apimanagement/service"),
        f"the tags of {OTHER_SCOPE}",
        scope=OTHER_SCOPE,
    ),
    Call(
        "policy exemptions",
        provider("microsoft.authorization/policyexemptions"),
        f"the policy exemptions of {SCOPE}",
    ),
    Call(
        "policy assignments",
        provider("microsoft.authorization/policyassignments"),
        f"the policy exemptions of {SCOPE}",
        judged=frozenset({"zeta"}),
        instead={"zeta": "Unexplained"},
    ),
    Call(
        "initiative",
        get(INITIATIVE),
        f"the policy exemptions of {SCOPE}",
        judged=frozenset({"zeta"}),
        instead={"zeta": "Unexplained"},
    ),
    explaining(
        "initiatives of management groups",
        provider("microsoft.authorization/policysetdefinitions"),
        judged=frozenset({"zeta"}),
        instead={"zeta": "Unexplained"},
    ),
    explaining("policy", get(DEFINITION), judged=frozenset({"zeta"}), instead={"zeta": "Unexplained"}),
    explaining(
        "plans",
        provider("microsoft.security/pricings"),
        judged=frozenset({"epsilon"}),
        instead={"epsilon": "Unexplained"},
    ),
    explaining(
        "look-up of a resource group",
        get(GROUP),
        judged=frozenset(CAUSES),
        instead={"beta": "ProducerGone"},
        harmless=frozenset({"no page"}),  # any object is a resource group
    ),
    explaining(
        "look-up of what is gone",
        get(f"{_SERVICE}/apis/beta"),
        judged=frozenset(CAUSES),
        instead={"beta": "ProducerGone"},
        other=frozenset({"no page"}),  # it is there again
    ),
    Call(
        "management group",
        get(f"{MANAGEMENT_GROUP}/descendants"),
        MANAGEMENT_GROUP,
        outcome=Outcome.FAILED,
        scope=MANAGEMENT_GROUP,
    ),
    unread(
        "sending findings",
        sending(RECOMMENDATIONS),
        both=True,
        arrives=True,
        other=frozenset({"413"}),
        words=_ANSWERED,
    ),
    unread(
        "sending recommendation types", sending(TYPES), both=True, told=WHOLE, other=frozenset({"413"}), words=_ANSWERED
    ),
    unread("sending the inventory", sending(INVENTORY), told=WHOLE, other=frozenset({"413"}), words=_ANSWERED),
]

_OVERTAKEN = {"409": "Another run", "412": "Another run"}
kept = partial(Call, what=SCOPE, outcome=Outcome.FAILED, told=NOTHING, settings=BLOBS)
STORE_CALLS = [
    kept("reading the lease", blob("GET", "lease"), harmless=frozenset({"malformed"})),  # what is none holds nobody off
    kept("taking the lease", blob("PUT", "lease"), words=_OVERTAKEN),
    kept("reading the state", blob("GET", "state"), words={"malformed": "no connector state"}),
    kept("listing the outbox", blob("GET", "outbox", lists=True), words={"malformed": "XML"}),
    kept("reading a cache", blob("GET", "reference/tags"), other=frozenset({"malformed"})),  # it is read anew
    kept("writing the outbox", blob("PUT", "outbox/.*")),
    kept("saving the state", blob("PUT", "state"), words=_OVERTAKEN),
    kept("reading the outbox", blob("GET", "outbox/.*"), words={"malformed": "damaged"}),
    kept("emptying the outbox", blob("DELETE", "outbox/.*"), told=WHOLE),
    Call("writing a cache", blob("PUT", "reference/tags"), f"the tags of {SCOPE}", settings=BLOBS),
]
STORE_KINDS = [kind for kind in KINDS if kind.name not in {"429 once", "no page"}]
CELLS = [
    (call, kind)
    for calls, kinds in ((CALLS, KINDS), (STORE_CALLS, STORE_KINDS))
    for call in calls
    for kind in kinds
    if kind.name not in call.other
]


def known_states(request: Request) -> bool:
    """The list of what the store holds of any subscription."""
    return request.host in CONTAINER and request.query.get("prefix") == "subscriptions/"


def dead_letters(request: Request) -> bool:
    """A dead letter on its way into the store."""
    return request.host in CONTAINER and request.path.startswith("/state/dead-letters/")


def test_ids_are_distinct() -> None:
    calls = [*CALLS, *STORE_CALLS]
    assert len({call.name for call in calls}) == len(calls)


Prepare = Callable[[Mapping[str, Any]], World]


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """The world of the second day's morning, made once for each kind of settings."""
    made: dict[str, World] = {}

    def prepare(settings: Mapping[str, Any]) -> World:
        key = repr(dict(settings))
        if key not in made:
            made[key] = prepared(tmp_path_factory.mktemp("morning") / "state", **settings)
        return made[key]

    return prepare


@pytest.fixture(scope="module")
def undisturbed(morning: Prepare, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What is current after a second day without any failure."""
    world = morning({}).copy_to(tmp_path_factory.mktemp("undisturbed") / "state")
    before = len(world.findings)
    assert world.run().exit_code == 0
    assert set(world.changes(before)) == WHOLE
    assert causes(world) == CAUSES
    return world.current


def causes(world: World) -> dict[str, str]:
    """Why each finding was removed."""
    return {row["ApiName"]: row["StateCause"] for row in world.findings if row["ChangeType"] == "Removed"}


@pytest.mark.parametrize(("call", "kind"), CELLS, ids=lambda part: part.name)
def test_a_call_that_fails(
    morning: Prepare, undisturbed: Mapping[str, Any], tmp_path: Path, call: Call, kind: Kind
) -> None:
    world = morning(call.settings).copy_to(tmp_path / "state")
    before, fault = len(world.findings), kind.of(call.concerns)
    report = world.run(fault)
    assert fault.met
    if kind.over or kind.name in call.harmless:
        assert report.exit_code == 0, report
        assert set(world.changes(before)) == WHOLE
        assert world.current == undisturbed
        return
    assert report.exit_code == (1 if call.both and call.outcome is Outcome.FAILED else 4)
    said = of(report, call.scope)
    assert said.outcome is call.outcome
    assert {scope.outcome for scope in report.scopes if scope is not said} == {
        call.outcome if call.both else Outcome.COMPLETE
    }
    require_named(said, world, call, kind)
    assert set(world.changes(before)) == call.tells(kind)
    require_repaired(world, undisturbed, instead=call.instead if kind.lasting else {})


def require_named(said: ScopeReport, world: World, call: Call, kind: Kind) -> None:
    """Report and health row say what was not read or sent, and why."""
    whys = [gap.why for gap in said.gaps if gap.what == call.what]
    assert whys, said.gaps
    assert all(call.words.get(kind.name, kind.word) in why for why in whys), whys
    rows = [row for row in world.health if row["Scope"] == call.scope]
    assert rows[-1]["Outcome"] == call.outcome
    assert rows[-1]["Unread"] == [{"what": gap.what, "why": gap.why} for gap in said.gaps]


def require_repaired(world: World, undisturbed: Mapping[str, Any], *, instead: Mapping[str, str]) -> None:
    """The next run is whole, and then the workspace shows what it would show if nothing had failed."""
    world.time.pass_by(AN_HOUR)
    report = world.run()
    assert report.exit_code == 0, report
    assert causes(world) == {**CAUSES, **instead}
    shown = {name: {**row, "StateCause": ""} for name, row in world.current.items()}
    assert shown == {name: {**row, "StateCause": ""} for name, row in undisturbed.items()}
    removals = [name for change, name in world.changes() if change == "Removed"]
    assert sorted(removals) == sorted(CAUSES)


def test_what_is_too_large_becomes_dead_letters_down_to_the_row_and_arrives_by_a_replay(
    morning: Prepare, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    world = morning({}).copy_to(tmp_path / "state")
    before, [too_large] = len(world.findings), [kind for kind in KINDS if kind.name == "413"]
    report = world.run(too_large.of(sending(RECOMMENDATIONS)))
    said = of(report)
    assert (said.outcome, said.sent, said.dead, report.exit_code) == (Outcome.COMPLETE, 0, len(WHOLE), 4)
    assert [row["DeadLetters"] for row in world.health if row["Scope"] == SCOPE][-1] == len(WHOLE)
    assert world.changes(before) == []
    assert world.replay() == 0
    assert set(world.changes(before)) == WHOLE
    require_repaired(world, undisturbed, instead={})


def test_what_is_too_large_stays_in_the_outbox_while_it_cannot_be_kept(
    morning: Prepare, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    world = morning(BLOBS).copy_to(tmp_path / "state")
    before, [too_large] = len(world.findings), [kind for kind in KINDS if kind.name == "413"]
    sent = sending(RECOMMENDATIONS)
    report = world.run(too_large.of(lambda request: sent(request) or dead_letters(request)))
    said = of(report)
    assert (said.outcome, said.dead, world.changes(before)) == (Outcome.FAILED, 0, [])
    assert ["dead-letters/" in gap.why for gap in said.gaps] == [True]
    require_repaired(world, undisturbed, instead={})


KNOWN = {"name": "PrimaryResult", "columns": [{"name": "SubscriptionId", "type": "string"}], "rows": [[SUBSCRIPTION]]}


@pytest.mark.parametrize("kind", KINDS, ids=lambda it: it.name)
def test_a_query_of_the_workspace_that_fails_is_no_empty_answer(tmp_path: Path, kind: Kind) -> None:
    world, path = World(tmp_path / "state"), f"/v1/workspaces/{WORKSPACE}/query"
    world.azure.resources.add(path)
    world.azure.documents[path] = {"tables": [KNOWN]}
    fault = kind.of(lambda request: request.path == path)
    if kind.over:
        assert world.lost(fault) == [SUBSCRIPTION]
    else:
        with pytest.raises(ApiwardError, match=kind.word or None):
            world.lost(fault)
    assert fault.met


@pytest.mark.parametrize("kind", [kind for kind in STORE_KINDS if not kind.over], ids=lambda it: it.name)
def test_a_store_that_cannot_say_what_is_expected_ends_the_run_before_it_reads(
    morning: Prepare, undisturbed: Mapping[str, Any], tmp_path: Path, kind: Kind
) -> None:
    world = morning(BLOBS).copy_to(tmp_path / "state")
    rows, fault = len(world.azure.rows), kind.of(known_states)
    with pytest.raises(ApiwardError, match="XML" if kind.name == "malformed" else kind.word):
        world.run(fault)
    assert fault.met
    assert len(world.azure.rows) == rows
    require_repaired(world, undisturbed, instead={})


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not kind.over and kind.name != "413"], ids=lambda it: it.name
)
def test_a_health_row_that_does_not_arrive_is_told_by_the_run(morning: Prepare, tmp_path: Path, kind: Kind) -> None:
    world = morning({}).copy_to(tmp_path / "state")
    before, fault = len(world.findings), kind.of(sending(HEALTH))
    report = world.run(fault)
    assert report.exit_code == 4
    assert [gap.what for gap in of(report).gaps] == [HEALTH]
    assert set(world.changes(before)) == WHOLE

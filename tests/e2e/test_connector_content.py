"""What Azure may list and no document shows, and clocks that jump: nothing is judged by it, nothing stops the rest.

The real connector with the real SDK clients, over an Azure in memory, on the second day of a small estate.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_connector.report import Outcome, RunReport
from apiward_core.packing import CUT_MARKER, MAX_BODY, MAX_FIELD
from apiward_core.tables import TYPES
from tests.e2e.small_azure import CONTAINER, Clock, Fault, Reply, Request
from tests.e2e.small_estate import A_DAY, AN_HOUR, CAUSES, WHOLE, World, api, of, prepared
from tests.unit.connector.samples import SCOPE, SUBSCRIPTION, states_in

REMOVED = frozenset(("Removed", name) for name in CAUSES)
CHANGED = (WHOLE - {("Snapshot", "gamma")}) | {("Changed", "gamma")}
PASSED_OVER = WHOLE - REMOVED - {("Snapshot", "gamma")}
LONG = "\u00e4" * 1_000_000
A_YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The second day's morning."""
    return prepared(tmp_path_factory.mktemp("morning") / "state")


@pytest.fixture
def world(morning: World, tmp_path: Path) -> World:
    """That morning, to do something with."""
    return morning.copy_to(tmp_path / "state")


Alter = Callable[[dict[str, Any]], object]


def item(**members: Any) -> Alter:
    """Set members of an assessment; None takes one away."""
    return lambda raw: _set(raw, members)


def properties(**members: Any) -> Alter:
    return lambda raw: _set(raw["properties"], members)


def status(**members: Any) -> Alter:
    return lambda raw: _set(raw["properties"]["status"], members)


def _set(target: dict[str, Any], members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        target[name] = value
        if value is None:
            del target[name]


def upper(raw: dict[str, Any]) -> None:
    raw.update(id=raw["id"].upper(), name=raw["name"].upper())
    raw["properties"]["resourceDetails"] = {"ID": raw["properties"]["resourceDetails"]["id"].upper()}


@dataclass(frozen=True)
class Odd:
    """An odd assessment of gamma: `told` are the changes, `shows` columns of its row, `unread` what is said of it."""

    name: str
    alter: Alter
    told: frozenset[tuple[str, str]] = WHOLE
    shows: tuple[tuple[str, Any], ...] = ()
    unread: str = ""


NOWHERE = {"id": "nowhere"}
ODD = [
    Odd("id is a number", item(id=7)),
    Odd("no id", item(id=None)),
    Odd("no name", item(name=None)),
    Odd("neither id nor name", item(id=None, name=None), PASSED_OVER, unread="no assessment key"),
    Odd("code in lower case", status(code="unhealthy")),
    Odd("unknown code", status(code="Pending"), CHANGED, (("State", "Pending"),)),
    Odd("resource is a list", properties(resourceDetails=[])),
    Odd("resource is a number", properties(resourceDetails={"id": 7})),
    Odd("resource is no ARM id", properties(resourceDetails=NOWHERE)),
    Odd(
        "neither resource nor id is an ARM id",
        lambda raw: (properties(resourceDetails=NOWHERE)(raw), item(**NOWHERE)(raw)),
        PASSED_OVER,
        unread="no ARM id",
    ),
    Odd("additional data is a list", properties(additionalData=[1]), CHANGED, (("AdditionalData", {"value": [1]}),)),
    Odd("additional data is a text", properties(additionalData="x"), CHANGED, (("AdditionalData", {"value": "x"}),)),
    Odd(
        "numbers of 64 bits",
        properties(additionalData={"least": -(2**63), "most": 2**64 - 1}),
        CHANGED,
        (("AdditionalData", {"least": -(2**63), "most": 2**64 - 1}),),
    ),
    Odd("risk is a text", properties(risk="High")),
    Odd("dates that are none", status(firstEvaluationDate="yesterday", statusChangeDate="2026-13-45T00:00:00Z")),
    Odd("dates that are numbers", status(firstEvaluationDate=1_700_000_000, statusChangeDate=[])),
    Odd("year 0", status(statusChangeDate="0000-00-00T00:00:00Z")),
    Odd(
        "year 1",
        status(statusChangeDate="0001-01-01T00:00:00Z"),
        CHANGED,
        (("StateChanged", "0001-01-01T00:00:00.000000Z"),),
    ),
    Odd("before year 1 in UTC", status(statusChangeDate="0001-01-01T00:00:00+14:00")),
    Odd(
        "end of time",
        status(statusChangeDate="9999-12-31T23:59:59.9999999Z"),
        CHANGED,
        (("StateChanged", "9999-12-31T23:59:59.999999Z"),),
    ),
    Odd("everything in capitals", upper),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_an_odd_assessment_is_taken_as_far_as_it_goes_or_named(world: World, odd: Odd) -> None:
    before = len(world.findings)
    odd.alter(world.azure.subscriptions[SUBSCRIPTION].assessments[1])
    report = world.run()
    assert set(world.changes(before)) == odd.told
    [row] = [row for row in world.findings[before:] if row["ApiName"] == "gamma"] or [{}]
    assert {name: row[name] for name, _ in odd.shows} == dict(odd.shows)
    require(report, Outcome.PARTIAL if odd.unread else Outcome.COMPLETE, odd.unread)


def require(report: RunReport, outcome: Outcome, why: str) -> None:
    """The outcome of the first subscription, and what is said to be wrong; that of the other is Complete."""
    assert [scope.outcome for scope in report.scopes if scope is not of(report)] == [Outcome.COMPLETE]
    assert of(report).outcome is outcome
    assert report.exit_code == (4 if why else 0)
    assert any(why in gap.why for gap in of(report).gaps) if why else of(report).gaps == ()


GARBAGE: Mapping[str, Any] = {
    "null": None,
    "number": 7,
    "text": "text",
    "list": [],
    "object": {},
    "odd members": {"id": 7, "name": [], "properties": "x"},
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("place", ["metadata", "collections", "exemptions", "assignments", "pricings"])
def test_garbage_in_a_list_is_named_and_does_not_stop_the_rest(world: World, place: str, garbage: Any) -> None:
    before = len(world.findings)
    getattr(world.azure.subscriptions[SUBSCRIPTION], place).append(copy.deepcopy(garbage))
    report = world.run()
    assert set(world.changes(before)) >= WHOLE - REMOVED
    if place == "metadata":  # what has no key describes nothing
        assert report.exit_code == 0
        return
    assert of(report).outcome is Outcome.PARTIAL
    assert report.exit_code == 4
    assert {row["ApiName"] for row in world.findings if row["StateCause"] == "ResourceGone"} == {"beta"}
    unproven = {"collections": "epsilon", "pricings": "epsilon", "assignments": "zeta"}.get(place)
    proven = {row["ApiName"] for row in world.findings if row["StateCause"] == "ProducerGone"}
    assert proven == {"epsilon", "zeta"} - {unproven}


@pytest.mark.parametrize("garbage", [None, 7, "text", [], {}], ids=["null", "number", "text", "list", "object"])
def test_garbage_among_assessments_makes_the_pass_partial(world: World, garbage: Any) -> None:
    before = len(world.findings)
    world.azure.subscriptions[SUBSCRIPTION].assessments.append(garbage)
    report = world.run()
    require(report, Outcome.PARTIAL, "Nothing tells which assessment it is.")
    assert set(world.changes(before)) == WHOLE - REMOVED


@pytest.mark.parametrize("rows", ["apicollections/apiendpoints", "assessments/governanceassignments"])
def test_odd_rows_of_resource_graph_are_named(world: World, rows: str) -> None:
    before = len(world.findings)
    odd = {"id": "nowhere", "properties": "x", "owner": [], "due": 7}
    world.azure.subscriptions[SUBSCRIPTION].graph[f"microsoft.security/{rows}"].append(odd)
    report = world.run()
    assert (of(report).outcome, report.exit_code) == (Outcome.PARTIAL, 4)
    assert ["nowhere" in gap.why for gap in of(report).gaps] == [True]
    assert set(world.changes(before)) == WHOLE


@pytest.mark.parametrize(
    ("alter", "column"),
    [
        (status(description=LONG), "StateDescription"),
        (properties(additionalData={"long": LONG}), "AdditionalData"),
    ],
    ids=["description", "additional data"],
)
def test_two_megabytes_are_cut_marked_and_counted(world: World, alter: Alter, column: str) -> None:
    alter(world.azure.subscriptions[SUBSCRIPTION].assessments[1])
    report = world.run()
    require(report, Outcome.COMPLETE, "")
    assert of(report).cut == 1
    [health] = [row for row in world.health if row["RunId"] == report.run_id and row["Scope"] == SCOPE]
    assert health["FieldsCut"] == 1
    [row] = [row for row in world.findings if row["RunId"] == report.run_id and row["ApiName"] == "gamma"]
    assert row[column].endswith(CUT_MARKER)
    assert MAX_FIELD - 4 <= len(row[column].encode()) <= MAX_FIELD < MAX_BODY


def test_a_recommendation_described_in_two_megabytes_is_cut(world: World) -> None:
    world.azure.subscriptions[SUBSCRIPTION].metadata[0]["properties"]["description"] = LONG
    report = world.run()
    assert of(report).cut == 1
    described = [str(row["Description"]) for table, row in world.azure.rows if table == TYPES.lower()]
    assert [text.endswith(CUT_MARKER) for text in described if len(text) > 10_000] == [True]


NAMES = [
    "%",
    "%41",
    "{x}",
    "a b",
    "\u00e4\u6f22\U0001f600",
    "\u0130stanbul",
    "a'b",
    'a"b',
    "a%2Fb",
    "x" * 1500,
    "a;rev=2",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_id_of_unusual_characters_is_one_finding_whatever_its_case(world: World, name: str) -> None:
    before, assessments = len(world.findings), world.azure.subscriptions[SUBSCRIPTION].assessments
    assessments.append(api(name))
    assert world.run().exit_code == 0
    assert set(world.changes(before)) - WHOLE == {("New", name.lower().partition(";rev=")[0])}
    [row] = [row for row in world.findings[before:] if ("New", row["ApiName"]) in set(world.changes(before)) - WHOLE]
    assert row["ResourceId"].endswith(f"/apis/{name}".lower())
    before = len(world.findings)
    assessments[-1]["id"] = assessments[-1]["id"].swapcase() if name.isascii() else assessments[-1]["id"]
    world.time.pass_by(AN_HOUR)
    assert world.run().exit_code == 0
    assert world.changes(before) == []


@pytest.mark.parametrize("name", ["..", "a\tb", "a\0b"], ids=ascii)
def test_an_id_that_could_name_something_else_is_refused(world: World, name: str) -> None:
    before = len(world.findings)
    world.azure.subscriptions[SUBSCRIPTION].assessments.append(api(name))
    report = world.run()
    require(report, Outcome.PARTIAL, "no ARM id")
    assert set(world.changes(before)) == WHOLE - REMOVED


def test_one_assessment_listed_twice_in_other_casing_is_one_finding(world: World) -> None:
    before, assessments = len(world.findings), world.azure.subscriptions[SUBSCRIPTION].assessments
    again = copy.deepcopy(assessments)
    for raw in again:
        upper(raw)
    assessments += again
    assert world.run().exit_code == 0
    assert sorted(world.changes(before)) == sorted(WHOLE)


@pytest.mark.parametrize("text", [b"\\ud800", b"\\udfff x"], ids=["high", "low"])
def test_half_of_a_character_leaves_its_own_assessment_unread_and_no_other(world: World, text: bytes) -> None:
    before = len(world.findings)
    status(description="HALF")(world.azure.subscriptions[SUBSCRIPTION].assessments[1])

    def spoil(reply: Reply) -> Reply:
        return Reply(reply.status, reply.content.replace(b"HALF", text), reply.headers)

    report = world.run(Fault(lambda request: request.path.endswith("/assessments"), spoil, refused=False))
    assert (of(report).outcome, report.exit_code) == (Outcome.PARTIAL, 4)
    assert ["surrogates not allowed" in gap.why for gap in of(report).gaps] == [True]
    read = set(world.changes(before))
    assert read < CHANGED
    assert world.run().exit_code == 0
    assert set(world.changes(before)) == CHANGED


def test_a_stale_assessment_is_told_and_taken_back_when_it_is_no_longer_listed(world: World) -> None:
    assessments = world.azure.subscriptions[SUBSCRIPTION].assessments
    assessments[0] = fresh = api("alpha", code="Healthy", statusChangeDate="2026-11-21T07:00:00Z")
    assert world.run().exit_code == 0
    before, known = len(world.findings), world.current
    for listed in (api("alpha", statusChangeDate="2026-11-01T00:00:00Z"), fresh):
        assessments[0] = listed
        world.time.pass_by(AN_HOUR)
        assert world.run().exit_code == 0
    assert world.changes(before) == [("Regressed", "alpha"), ("Resolved", "alpha")]
    aside = {"Revision", "ChangeType", "PreviousState", "PreviousSeverity"}
    assert without(world.current, aside) == without(known, aside)


def without(rows: Mapping[str, Mapping[str, Any]], columns: set[str]) -> dict[str, dict[str, Any]]:
    """The rows, but for some columns."""
    return {finding: {name: row[name] for name in row if name not in columns} for finding, row in rows.items()}


def test_a_recommendation_without_metadata_is_known_by_its_key(world: World) -> None:
    del world.azure.subscriptions[SUBSCRIPTION].metadata[0]
    before = len(world.findings)
    report = world.run()
    assert report.exit_code == 0
    assert {name for _, name in world.changes(before)} == {name for _, name in WHOLE}
    assert {change for change in world.changes(before) if change[0] in {"Resolved", "New"}} == {
        ("Resolved", "alpha"),
        ("New", "delta"),
    }


def test_a_subscription_without_assessments_is_whole_and_empty(world: World) -> None:
    world.azure.subscriptions[SUBSCRIPTION].assessments = []
    for _ in range(2):
        report = world.run()
        assert (of(report).outcome, report.exit_code) == (Outcome.COMPLETE, 0)
        world.time.pass_by(AN_HOUR)
    assert of(report).current == 0


def test_a_subscription_that_resource_graph_leaves_out_is_unread(tmp_path: Path) -> None:
    world = prepared(tmp_path / "state", source="resource_graph")
    before, known = len(world.findings), of(world.copy_to(tmp_path / "other").run()).current
    world.azure.denied = {SUBSCRIPTION}
    for _ in range(3):
        report = world.run()
        assert (of(report).outcome, report.exit_code) == (Outcome.FAILED, 4)
        assert ["none came, and Defender lists some" in gap.why for gap in of(report).gaps if gap.what == SCOPE] == [
            True
        ]
        world.time.pass_by(A_DAY)
    assert world.changes(before) == []
    assert [row["FindingsCurrent"] for row in world.health if row["Scope"] == SCOPE][-1] > 0
    world.azure.denied = set()
    assert world.run().exit_code == 0
    assert set(world.changes(before)) == WHOLE
    assert of(world.run()).current == known


JUMPS: Mapping[str, Sequence[timedelta]] = {
    "a day on": [A_DAY],
    "an hour back": [-AN_HOUR],
    "a year back": [-A_YEAR],
    "a day on and back": [A_DAY, -A_DAY],
    "a year back and on": [-A_YEAR, A_YEAR],
}


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS)
def test_a_clock_that_jumps_between_runs_removes_and_repeats_nothing(world: World, jumps: Sequence[timedelta]) -> None:
    before = len(world.findings)
    for jump in jumps:
        world.time.moment += jump
        report = world.run()
        assert (of(report).outcome, report.exit_code) == (Outcome.COMPLETE, 0)
    told = [change for change in world.changes(before) if change[0] != "Snapshot"]
    assert sorted(told) == sorted(change for change in WHOLE if change[0] != "Snapshot")
    assert {(row["ApiName"], row["Revision"]) for row in world.findings if row["ChangeType"] != "Snapshot"} >= {
        ("alpha", 2),
        ("beta", 2),
    }
    count = len(world.findings)
    assert world.run().exit_code == 0
    assert len(world.findings) == count


@pytest.mark.parametrize("jump", [A_DAY, -AN_HOUR, -A_YEAR], ids=["a day on", "an hour back", "a year back"])
def test_a_clock_that_jumps_within_a_run_costs_neither_lease_nor_rows(world: World, jump: timedelta) -> None:
    before = len(world.findings)

    def later_page(request: Request) -> bool:
        return "$skiptoken" in request.query

    def spoil(reply: Reply) -> Reply:
        world.time.moment += jump
        return reply

    report = world.run(Fault(later_page, spoil, refused=False, times=1))
    assert (of(report).outcome, report.exit_code) == (Outcome.COMPLETE, 0)
    assert set(world.changes(before)) == WHOLE
    world.time.pass_by(AN_HOUR)
    assert of(world.run()).outcome is Outcome.COMPLETE


def test_a_lease_of_a_holder_that_died_is_taken_over_when_the_clock_says_so(world: World) -> None:
    states = states_in(world.folder / "objects", Clock(world.time))
    with states.lease(SCOPE):
        assert of(world.run()).outcome is Outcome.BUSY
        world.time.moment += timedelta(minutes=16)
        assert of(world.run()).outcome is Outcome.COMPLETE


def test_a_state_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    world = prepared(tmp_path / "state", state_container=CONTAINER)
    before, name = len(world.findings), f"subscriptions/{SUBSCRIPTION}/state"
    world.azure.blobs[name] = (b"something else", 99)
    report = world.run()
    assert (of(report).outcome, report.exit_code) == (Outcome.FAILED, 4)
    assert "ingest rebuild" in of(report).gaps[0].why
    assert world.azure.blobs[name] == (b"something else", 99)
    assert world.changes(before) == []

"""A state rebuilt from the workspace goes on where the lost one was. The lab's KQL engine stands for the workspace."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_connector.ledger import Ledger
from apiward_connector.rebuild import Rebuilder, Rebuilt
from apiward_connector.state import ScopeState
from apiward_connector.state_store import StateStore
from apiward_core.errors import ConfigurationError, ConflictError, IncompleteError
from apiward_core.folder_objects import FolderObjects
from apiward_core.logs import Row, TimeSpan
from tests.unit.connector.samples import (
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    SetClock,
    assessment,
    connector,
    states_in,
    with_properties,
)
from tests.unit.connector.workspace import Workspace

NAME = f"{SCOPE[1:]}/state"
REMEMBERED = (
    *("revision", "first_seen", "first_evaluated", "state_changed", "row_day", "flags"),
    *("state", "previous_state", "previous_severity", "risk_level", "location"),
)


class World:
    """A scope that is read again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.workspace = Workspace(self.clock)
        self.states = states_in(folder, self.clock)

    def run(self, *estates: Sequence[Any], hours: int = 7) -> None:
        for estate in estates:
            self.clock.moment += timedelta(hours=hours)
            source = Estate({SUBSCRIPTION: [list(estate)]})
            assert connector(self.folder, source, self.workspace, self.clock).run([SUBSCRIPTION]).exit_code == 0

    def lose(self) -> None:
        FolderObjects(self.folder).delete(NAME)

    def rebuild(self) -> Rebuilt:
        return Rebuilder(logs=self.workspace, states=self.states).rebuild(SUBSCRIPTION)

    def known(self) -> dict[str, dict[str, Any]]:
        """What the state says of each finding."""
        ledger = self.states.load(SCOPE)[0].ledger
        return {gone.resource_id + gone.kind.key: _entry(ledger, at, gone) for at, gone in _all(ledger)}


def _all(ledger: Ledger) -> list[tuple[int, Any]]:
    return list(enumerate(ledger.gone(range(len(ledger)))))


def _entry(ledger: Ledger, at: int, gone: Any) -> dict[str, Any]:
    words = ("state", "previous_state", "previous_severity", "risk_level", "location")
    values = {name: ledger.word_at(name, at) if name in words else ledger[name][at].item() for name in REMEMBERED}
    return {**values, "id": ledger.ids_at(np.array([at])).hex(), "gone": gone}


A, B, HEALTHY = (
    assessment(
        f"{SERVICE}/apis/a", statusChangeDate="2026-11-01T00:00:00Z", firstEvaluationDate="2026-10-01T00:00:00Z"
    ),
    assessment(f"{SERVICE}/apis/b"),
    assessment(f"{SERVICE}/apis/a", code="Healthy"),
)


def test_what_comes_back_is_what_was_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([A, B], [HEALTHY, B], [A], [A], [HEALTHY])
    before = world.known()
    world.lose()
    rebuilt = world.rebuild()
    assert world.known() == before
    assert (rebuilt.findings, rebuilt.removed, rebuilt.kept_aside) == (2, 1, "")
    assert rebuilt.watermark == world.states.load(SCOPE)[0].watermark != ""


def test_what_was_never_unhealthy_comes_back_as_never_settled(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([HEALTHY])
    before = world.known()
    world.lose()
    world.rebuild()
    assert world.known() == before
    world.run([A])
    assert [row["ChangeType"] for _, row in world.workspace.sent if row.get("FindingId")][-1] == "Changed"


def test_names_that_only_additional_data_gave_come_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    names = {"APIManagementResourceName": "contoso", "apiCollectionName": "echo"}
    world.run([with_properties(assessment(SCOPE), additionalData=names)])
    before = world.known()
    world.lose()
    world.rebuild()
    assert world.known() == before


def test_of_a_finding_that_was_new_twice_the_later_life_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([A], [HEALTHY], [A])
    world.lose()
    world.run([B, A])
    before = world.known()
    world.lose()
    assert world.rebuild().findings == 2
    assert world.known() == before


statements = st.builds(
    lambda api, code: assessment(f"{SERVICE}/apis/{api}", code=code),
    st.sampled_from("ab"),
    st.sampled_from(("Unhealthy", "Healthy", "NotApplicable")),
)
estates = st.lists(statements, max_size=2, unique_by=lambda raw: raw["id"])


@settings(max_examples=8, deadline=None)
@given(before=st.lists(estates, min_size=1, max_size=6), after=estates)
def test_the_next_pass_tells_the_same_as_if_nothing_had_been_lost(before: list[list[Any]], after: list[Any]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        calm, lossy = World(Path(one)), World(Path(other))
        for world in (calm, lossy):
            world.run([B], *before)
        lossy.lose()
        lossy.rebuild()
        told = []
        for world in (calm, lossy):
            number = len(world.workspace.sent)
            world.run(after, after)
            rows = [row for _, row in world.workspace.sent[number:] if row.get("FindingId")]
            told.append([{**row, "RunId": ""} for row in sorted(rows, key=lambda row: str(row["RecordId"]))])
        absent = {row["FindingId"] for row in told[0] if row["ChangeType"] == "Removed"}
        # what was absent once before is absent for the first time to a state that does not know of it
        assert [row for row in told[1] if row["FindingId"] not in absent] == [
            row for row in told[0] if row["FindingId"] not in absent
        ]


def test_a_state_that_cannot_be_used_is_kept_aside(tmp_path: Path) -> None:
    world, objects = World(tmp_path), FolderObjects(tmp_path)
    world.run([A])
    objects.put(NAME, b"damaged")
    rebuilt = world.rebuild()
    kept = objects.read(rebuilt.kept_aside)
    assert kept
    assert kept.data == b"damaged"
    world.run([A])
    assert len([row for _, row in world.workspace.sent if row.get("ChangeType") == "New"]) == 1


def test_a_good_state_is_not_replaced(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([A])
    with pytest.raises(ConfigurationError, match="is good"):
        world.rebuild()


def test_nothing_is_made_of_a_workspace_that_knows_no_finding(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(ConfigurationError, match="no finding"):
        world.rebuild()
    assert FolderObjects(tmp_path).read(NAME) is None


def test_a_scope_that_is_being_read_is_not_rebuilt(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.states.lease(SCOPE), pytest.raises(ConflictError):
        world.rebuild()


class Large(Workspace):
    """A workspace that says it has almost a million findings, and keeps what it is asked."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        self.asked.append(kql)
        return [{"Findings": 999_999}] if "dcount" in kql else super().query(kql, timespan=timespan)


def test_a_million_findings_come_in_as_many_answers_as_they_need(tmp_path: Path) -> None:
    """Each query looks through 90 days, so that a hundred more of them would be hours."""
    world = World(tmp_path)
    world.workspace = large = Large(world.clock)
    world.run([assessment(f"{SERVICE}/apis/{number}") for number in range(60)])
    before = world.known()
    world.lose()
    assert world.rebuild().findings == 60
    assert world.known() == before
    asked = [kql for kql in large.asked if "FirstSeen" in kql]
    assert len(asked) == 25
    assert not [kql for kql in asked if "ApiRecommendationHistory" in kql], "it sorts every row of the workspace first"


class Slow(Large):
    """One that takes ten minutes for each answer with findings, while somebody else tries to take the lease."""

    def __init__(self, clock: SetClock, states: StateStore) -> None:
        super().__init__(clock)
        self._states = states

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        if "FirstSeen" in kql:
            self._clock.moment += timedelta(minutes=10)
            with pytest.raises(ConflictError), self._states.lease(SCOPE):
                pytest.fail("a second holder")
        return super().query(kql, timespan=timespan)


def test_the_lease_is_renewed_between_answers(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.workspace = Slow(world.clock, world.states)
    world.run([A])
    world.lose()
    assert world.rebuild().findings == 1


class Watched(Workspace):
    """A workspace that keeps what it answered."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__(clock)
        self.answers: list[list[Row]] = []

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        self.answers.append(super().query(kql, timespan=timespan))
        return self.answers[-1]


def test_findings_of_other_subscriptions_do_not_count(tmp_path: Path) -> None:
    """A tenant with a million of them would take as many answers for each subscription of a few."""
    world = World(tmp_path)
    world.workspace = watched = Watched(world.clock)
    other = SUBSCRIPTION.replace("1", "2")
    elsewhere = Estate({other: [[assessment(f"{SERVICE.replace(SUBSCRIPTION, other)}/apis/{name}") for name in "abc"]]})
    connector(tmp_path, elsewhere, watched, world.clock).run([other])
    world.run([A, B])
    world.lose()
    assert world.rebuild().findings == 2
    assert [{"Findings": 2}] in watched.answers


class Cut(Workspace):
    """A workspace that gives no whole answer to the query for findings."""

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        if "FirstSeen" in kql:
            raise IncompleteError("Only in part.", remedy="Narrow it.")
        return super().query(kql, timespan=timespan)


def test_a_part_of_what_the_workspace_has_makes_no_state(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.workspace = Cut(world.clock)
    world.run([A])
    FolderObjects(tmp_path).put(NAME, b"damaged")
    with pytest.raises(IncompleteError):
        world.rebuild()
    kept = FolderObjects(tmp_path).read(NAME)
    assert kept
    assert kept.data == b"damaged"


class Mortal(FolderObjects):
    """A store whose process dies as soon as a state was taken away or replaced."""

    def delete(self, name: str) -> None:
        super().delete(name)
        if name == NAME:
            raise KeyboardInterrupt

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        if name == NAME:
            raise KeyboardInterrupt
        return super().write(name, data, etag=etag)


def test_a_rebuild_that_is_killed_leaves_no_empty_place_for_a_run_to_begin_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([A])
    FolderObjects(tmp_path).put(NAME, b"damaged")
    with pytest.raises(KeyboardInterrupt):
        Rebuilder(logs=world.workspace, states=StateStore(Mortal(tmp_path), clock=world.clock)).rebuild(SUBSCRIPTION)
    kept = FolderObjects(tmp_path).read(NAME)
    assert kept
    assert kept.data == b"damaged"
    world.rebuild()
    world.run([A])
    assert len([row for _, row in world.workspace.sent if row.get("ChangeType") == "New"]) == 1


def test_a_state_in_which_nothing_was_ever_read_is_as_good_as_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run([A])
    world.lose()
    world.states.save(SCOPE, ScopeState(), None)
    assert world.rebuild().findings == 1

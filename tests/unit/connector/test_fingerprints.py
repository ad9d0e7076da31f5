"""What was read before, to the byte, is not decoded again on the same day."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from msgspec import Raw

from apiward_connector.finding import NO_FINGERPRINT
from apiward_connector.fingerprints import FingerprintIndex
from apiward_connector.id_index import ABSENT
from apiward_connector.reference.joined import LateMetadata
from apiward_connector.report import Gap
from apiward_connector.sources.assessment_pages import AssessmentList
from apiward_core.tables import TYPES
from tests.unit.connector.samples import (
    OTHER_KEY,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
    with_properties,
)

A, B, C = (assessment(f"{SERVICE}/apis/{name}") for name in "abc")
CHANGED_B = assessment(f"{SERVICE}/apis/b", code="Healthy")

EARLIER, LATER = (
    assessment(f"{SERVICE}/apis/a", code=code, statusChangeDate=f"2026-11-0{day}T00:00:00Z")
    for code, day in (("Unhealthy", 1), ("Healthy", 2))
)


class Watched(AssessmentList):
    """A page that knows which of its items were decoded."""

    def __init__(self, items: Sequence[Any]) -> None:
        super().__init__([Raw(orjson.dumps(item)) for item in items], doing="listing")
        self.decoded: list[int] = []

    def pick(self, indices: Sequence[int]) -> list[Any]:
        self.decoded += indices
        return super().pick(indices)


class Scope:
    """One subscription, read again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.sink = MemorySink()

    def decoded(self, *pages: Sequence[Any], digest: str = "known", **options: Any) -> list[list[int]]:
        """Which items a run decodes on each page."""
        watched = [Watched(page) for page in pages]
        estate = Estate({SUBSCRIPTION: watched}, digest=digest)
        report = connector(self.folder, estate, self.sink, self.clock, **options).run([SUBSCRIPTION])
        assert report.exit_code == 0
        assert [scope.read for scope in report.scopes] == [sum(map(len, pages))]
        return [page.decoded for page in watched]


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    return Scope(tmp_path)


def test_only_what_differs_is_decoded(scope: Scope) -> None:
    assert scope.decoded([A, B], [C]) == [[0, 1], [0]]
    assert scope.decoded([C, CHANGED_B], [A]) == [[1], []]
    assert scope.decoded([A, CHANGED_B, C]) == [[]]
    assert scope.sink.changes() == [("New", "a"), ("New", "b"), ("New", "c"), ("Resolved", "b")]


def test_on_another_day_all_is_decoded_for_its_row(scope: Scope) -> None:
    scope.decoded([A, B])
    scope.clock.moment += timedelta(days=1)
    assert scope.decoded([A, B]) == [[0, 1]]
    assert scope.sink.changes()[2:] == [("Snapshot", "a"), ("Snapshot", "b")]
    assert scope.decoded([A, B]) == [[]]


def test_when_something_else_is_known_all_is_decoded(scope: Scope) -> None:
    scope.decoded([A, B])
    assert scope.decoded([A, B], digest="otherwise") == [[0, 1]]
    assert scope.decoded([A, B], digest="otherwise") == [[]]
    assert scope.decoded([A, B]) == [[0, 1]]


def test_while_not_all_is_known_all_is_decoded(scope: Scope) -> None:
    assert [scope.decoded([A], digest="") for _ in range(3)] == [[[0]]] * 3


@pytest.mark.parametrize("options", [{"tenant_id": "bbbb"}, {"portal": "https://portal.azure.us"}])
def test_what_is_in_every_row_counts_as_known(scope: Scope, options: Any) -> None:
    scope.decoded([A])
    assert scope.decoded([A], **options) == [[0]]


def test_of_two_statements_the_one_that_counts_is_known(scope: Scope) -> None:
    assert scope.decoded([EARLIER], [LATER]) == [[0], [0]]
    assert scope.decoded([LATER], [EARLIER]) == [[], [0]]
    assert scope.decoded([LATER]) == [[]]


def test_a_statement_that_counts_is_heard_after_one_that_does_not(scope: Scope) -> None:
    scope.decoded([LATER])
    assert scope.decoded([EARLIER], [LATER]) == [[0], [0]]
    assert scope.decoded([LATER]) == [[]]


def test_what_makes_no_finding_is_decoded_each_time(scope: Scope) -> None:
    machine = assessment(f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm", key=OTHER_KEY)
    scope.decoded([machine, A])
    assert scope.decoded([machine, A]) == [[0]]


def test_the_name_of_a_type_does_not_depend_on_what_is_decoded(scope: Scope) -> None:
    first, second = (
        with_properties(assessment(f"{SERVICE}/apis/{number}", key=OTHER_KEY), displayName=f"API endpoints {number}")
        for number in (1, 2)
    )
    scope.decoded([first, second])
    assert scope.decoded([first, with_properties(second, additionalData={"a": 1})]) == [[1]]
    assert [row["RecommendationName"] for row in scope.sink.rows(TYPES)] == ["API endpoints 1"]


def test_metadata_that_is_still_missing_is_told_though_nothing_is_decoded(scope: Scope) -> None:
    scope.decoded([A])
    late: list[Gap] = []
    unread = Gap("the assessment metadata", "HTTP 503")
    metadata = LateMetadata({}, lambda: late.append(unread))
    estate = Estate({SUBSCRIPTION: [Watched([A])]}, metadata=metadata, late_gaps=late, digest="known")
    [found] = connector(scope.folder, estate, scope.sink, scope.clock).run([SUBSCRIPTION]).scopes
    assert found.gaps == (unread,)


def test_one_that_returns_is_decoded(scope: Scope) -> None:
    scope.decoded([A, B])
    scope.decoded([A])
    scope.decoded([A])
    assert scope.decoded([A, B]) == [[1]]
    assert scope.sink.changes()[2:] == [("Removed", "b"), ("Regressed", "b")]


def test_an_index_finds_each_fingerprint_and_nothing_else() -> None:
    index = FingerprintIndex(np.array([7, NO_FINGERPRINT, 2**64 - 1, 3], np.uint64))
    sought = np.array([3, 2**64 - 1, NO_FINGERPRINT, 5, 7, 2**64 - 2], np.uint64)
    assert index.find(sought).tolist() == [3, 2, ABSENT, ABSENT, 0, ABSENT]


def test_an_index_of_none_finds_nothing() -> None:
    assert FingerprintIndex(np.zeros(2, np.uint64)).find(np.array([0, 1], np.uint64)).tolist() == [ABSENT, ABSENT]

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_connector.delta import advance, describe
from apiward_connector.recommendation_types import RecommendationType, types_of
from apiward_connector.rows import TYPES, type_row
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.state import ScopeState
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import TransientError
from apiward_core.tables import Table, all_tables
from tests.unit.connector.samples import (
    KEY,
    OTHER_KEY,
    SERVICE,
    START,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    assessment,
    connector,
    finding,
)

POLICY = "/providers/Microsoft.Authorization/policyDefinitions/ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
SAID = AssessmentMetadata("Use TLS", POLICY, "High", (), "Why", "How", "Moderate", "High", ("dataExfiltration",))
A, B = (assessment(f"{SERVICE}/apis/{name}") for name in "ab")
UNKNOWN_TO_US = assessment(SERVICE, key=OTHER_KEY)
OBSERVED = "2026-11-20T08:00:00.000000Z"


def types(*items: Any, said: AssessmentMetadata | None = SAID) -> tuple[RecommendationType, ...]:
    metadata = {KEY: said} if said else {}
    return types_of(map(finding, items), metadata=metadata, catalogue=load_catalogue())


def test_a_key_is_described_by_defender_and_by_the_catalogue() -> None:
    [kind] = types(A, B)
    row = type_row(kind, observed=OBSERVED, run_id="r")
    assert set(row) == {column.name for column in all_tables()[TYPES].columns}
    entry = load_catalogue().by_slug("apim-encrypted-protocols")
    assert (row["RecommendationKey"], row["Recommendation"], row["RecommendationName"]) == (KEY, entry.slug, "Use TLS")
    assert (row["Description"], row["RemediationSteps"], row["Threats"]) == ("Why", "How", ["dataExfiltration"])
    assert (row["ImplementationEffort"], row["UserImpact"], row["PolicyDefinitionId"]) == ("Moderate", "High", POLICY)
    assert (row["OwaspApi"], row["Plan"]) == (list(entry.owasp_api), entry.plan)


def test_what_defender_leaves_out_the_catalogue_says() -> None:
    [kind] = types(A, said=None)
    entry = load_catalogue().by_slug("apim-encrypted-protocols")
    assert (kind.implementation_effort, kind.user_impact) == (entry.effort, entry.impact)
    assert (kind.name, kind.description) == (finding(A).recommendation_name, "")


def test_a_key_that_the_catalogue_does_not_know_is_described_too() -> None:
    kinds = {kind.key: kind for kind in types(A, UNKNOWN_TO_US)}
    assert (kinds[OTHER_KEY].recommendation, kinds[OTHER_KEY].name) == ("uncatalogued", "Something else")
    assert kinds[KEY].recommendation == "apim-encrypted-protocols"


def test_the_order_of_findings_makes_no_difference() -> None:
    assert types(A, UNKNOWN_TO_US, B) == types(B, UNKNOWN_TO_US, A)


def told(state: ScopeState, kinds: tuple[RecommendationType, ...], *, hours: int) -> ScopeState:
    """The state after a pass that saw these types."""
    passed = advance(state, {}, now=START + timedelta(hours=hours), whole=False)
    return describe(passed, kinds)


def delivered(state: ScopeState) -> ScopeState:
    return ScopeState(told=state.told, observed=state.observed)


def test_a_type_is_told_once_a_day_and_when_it_changes() -> None:
    plain, changed = types(A), types(A, said=None)
    first = told(ScopeState(), plain, hours=0)
    assert first.types == plain
    assert told(delivered(first), plain, hours=1).types == ()
    other = told(delivered(first), changed, hours=2)
    assert other.types == changed
    assert told(delivered(other), changed, hours=24).types == changed


def test_what_is_remembered_grows_with_the_keys_alone() -> None:
    state = ScopeState()
    for day in range(4):
        state = delivered(told(state, types(A, UNKNOWN_TO_US), hours=24 * day))
    assert set(state.told) == {KEY, OTHER_KEY}


def test_owed_types_are_not_overwritten() -> None:
    with pytest.raises(ValueError, match="1 rows"):
        told(told(ScopeState(), types(A), hours=0), types(A), hours=1)


def test_record_ids_are_of_key_content_and_day_alone() -> None:
    [kind], [other] = types(A), types(A, said=None)
    rows = [
        type_row(item, observed=f"2026-11-{day}T{hour}:00:00.000000Z", run_id=run)
        for item in (kind, other)
        for day in (20, 21)
        for hour, run in (("08", "r"), ("09", "s"))
    ]
    assert len({row["RecordId"] for row in rows}) == 4


def test_types_that_did_not_arrive_are_sent_by_the_next_run_as_they_were(tmp_path: Path) -> None:
    def refuse(table: Table) -> None:
        if table.name == TYPES:
            raise TransientError("HTTP 503.", remedy="Try again.")

    clock, estate = SetClock(), Estate({SUBSCRIPTION: [[A]]})
    refused, later = MemorySink(refuse), MemorySink()
    connector(tmp_path, estate, refused, clock).run([SUBSCRIPTION])
    clock.moment += timedelta(hours=1)
    [scope] = connector(tmp_path, estate, later, clock).run([SUBSCRIPTION]).scopes
    [row] = later.rows(TYPES)
    assert (row["TimeGenerated"], scope.types, scope.sent) == (OBSERVED, 1, 0)
    assert [row["ChangeType"] for row in refused.rows("DefenderApiRecommendations_CL")] == ["New"]

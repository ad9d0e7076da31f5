from typing import Any

from apiward_connector.finding import Finding
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.rows import type_row
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_core.catalogue import load_catalogue
from apiward_core.tables import TYPES, all_tables
from tests.unit.connector.samples import KEY, OTHER_KEY, SERVICE, assessment, finding, normaliser, read

POLICY = "/providers/Microsoft.Authorization/policyDefinitions/ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
SAID = AssessmentMetadata("Use TLS", POLICY, "High", (), "Why", "How", "Moderate", "High", ("dataExfiltration",))
A, B = (assessment(f"{SERVICE}/apis/{name}") for name in "ab")
UNKNOWN_TO_US = assessment(SERVICE, key=OTHER_KEY)
OBSERVED = "2026-11-20T08:00:00.000000Z"


def types(*items: Any, said: AssessmentMetadata | None = SAID) -> tuple[RecommendationType, ...]:
    reader = normaliser({KEY: said} if said else {})
    for item in items:
        assert isinstance(read(reader, item), Finding)
    return reader.types


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
    assert (kind.name, kind.description) == (finding(A).kind.name, "")


def test_a_key_that_the_catalogue_does_not_know_is_described_too() -> None:
    kinds = {kind.key: kind for kind in types(A, UNKNOWN_TO_US)}
    assert (kinds[OTHER_KEY].recommendation, kinds[OTHER_KEY].name) == ("uncatalogued", "Something else")
    assert kinds[KEY].recommendation == "apim-encrypted-protocols"


def test_the_order_of_findings_makes_no_difference() -> None:
    assert types(A, UNKNOWN_TO_US, B) == types(B, UNKNOWN_TO_US, A)


def test_what_makes_no_finding_makes_no_type() -> None:
    reader = normaliser()
    read(reader, {"name": OTHER_KEY, "properties": {"displayName": "Patch machines"}})
    read(reader, {"name": KEY, "id": "nonsense"})
    assert reader.types == ()


def test_record_ids_are_of_key_content_and_day_alone() -> None:
    [kind], [other] = types(A), types(A, said=None)
    rows = [
        type_row(item, observed=f"2026-11-{day}T{hour}:00:00.000000Z", run_id=run)
        for item in (kind, other)
        for day in (20, 21)
        for hour, run in (("08", "r"), ("09", "s"))
    ]
    assert len({row["RecordId"] for row in rows}) == 4

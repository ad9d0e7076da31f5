"""What is the same for every finding of an assessment key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from apiward_connector.finding import Finding, digest
from apiward_connector.sources.metadata import UNKNOWN, AssessmentMetadata
from apiward_core.catalogue import UNCATALOGUED, Catalogue


@dataclass(frozen=True, slots=True)
class RecommendationType:
    """One assessment key as the table DefenderApiRecommendationTypes_CL describes it; unknown texts are ""."""

    key: str
    recommendation: str
    name: str
    severity: str
    description: str
    remediation_steps: str
    implementation_effort: str
    user_impact: str
    policy_definition_id: str
    threats: tuple[str, ...]
    owasp_api: tuple[str, ...]
    plan: str

    def record_id(self, day: str) -> str:
        """The RecordId of its row on a UTC day: scopes and runs that say the same on one day write one row."""
        return digest(orjson.dumps([day, self]))


def types_of(
    findings: Iterable[Finding], *, metadata: Mapping[str, AssessmentMetadata], catalogue: Catalogue
) -> tuple[RecommendationType, ...]:
    """One type for each assessment key in `findings`, catalogued or not, whatever the order of the findings.

    `metadata` is by assessment key; what Defender leaves out of it is taken from the catalogue where that has it.
    """
    ordered = sorted(findings, key=lambda found: (found.recommendation_key, found.finding_id))
    one_of = {found.recommendation_key: found for found in ordered}
    return tuple(_type_of(found, metadata.get(key, UNKNOWN), catalogue) for key, found in one_of.items())


def _type_of(found: Finding, metadata: AssessmentMetadata, catalogue: Catalogue) -> RecommendationType:
    entry = None if found.recommendation == UNCATALOGUED else catalogue.by_slug(found.recommendation)
    return RecommendationType(
        key=found.recommendation_key,
        recommendation=found.recommendation,
        name=metadata.display_name or found.recommendation_name,
        severity=found.severity,
        description=metadata.description,
        remediation_steps=metadata.remediation,
        implementation_effort=metadata.effort or (entry.effort if entry else ""),
        user_impact=metadata.impact or (entry.impact if entry else ""),
        policy_definition_id=metadata.policy_definition_id,
        threats=metadata.threats,
        owasp_api=entry.owasp_api if entry else (),
        plan=entry.plan if entry else "",
    )

"""What is the same for every finding of an assessment key."""

from dataclasses import dataclass

import orjson

from apiward_connector.finding import Kind, digest
from apiward_connector.sources.metadata import AssessmentMetadata
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


def type_of(kind: Kind, *, metadata: AssessmentMetadata, catalogue: Catalogue) -> RecommendationType:
    """The type of the findings of `kind`.

    `metadata` is that of its assessment key; what Defender leaves out of it is taken from the catalogue where that has
    it.
    """
    entry = None if kind.recommendation == UNCATALOGUED else catalogue.by_slug(kind.recommendation)
    return RecommendationType(
        key=kind.key,
        recommendation=kind.recommendation,
        name=metadata.display_name or kind.name,
        severity=kind.severity,
        description=metadata.description,
        remediation_steps=metadata.remediation,
        implementation_effort=metadata.effort or (entry.effort if entry else ""),
        user_impact=metadata.impact or (entry.impact if entry else ""),
        policy_definition_id=metadata.policy_definition_id,
        threats=metadata.threats,
        owasp_api=entry.owasp_api if entry else (),
        plan=entry.plan if entry else "",
    )

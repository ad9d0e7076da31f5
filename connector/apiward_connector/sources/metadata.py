"""Assessment metadata (Microsoft.Security assessmentMetadata 2021-06-01): what list items of assessments leave out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.mgmt.security import SecurityCenter

from apiward_connector.rest import member, text, texts
from apiward_connector.sources.paging import raw_pages
from apiward_core.errors import RejectedDataError


@dataclass(frozen=True, slots=True)
class AssessmentMetadata:
    """What Defender says of one assessment key; unknown texts are ""."""

    display_name: str
    policy_definition_id: str
    severity: str
    categories: tuple[str, ...]
    description: str = ""
    remediation: str = ""
    effort: str = ""
    impact: str = ""
    threats: tuple[str, ...] = ()

    @classmethod
    def parse(cls, properties: Any) -> "AssessmentMetadata":
        """The metadata in `properties`, of an assessmentMetadata resource or embedded in an assessment."""
        return cls(
            display_name=text(properties, "displayName"),
            policy_definition_id=text(properties, "policyDefinitionId"),
            severity=text(properties, "severity"),
            categories=texts(properties, "categories"),
            description=text(properties, "description"),
            remediation=text(properties, "remediationDescription"),
            effort=text(properties, "implementationEffort"),
            impact=text(properties, "userImpact"),
            threats=texts(properties, "threats"),
        )

    @classmethod
    def restored(cls, fields: Mapping[str, Any]) -> "AssessmentMetadata":
        """The metadata whose fields were written as JSON. Raises TypeError and KeyError for those of something else."""
        return cls(**{**fields, "categories": tuple(fields["categories"]), "threats": tuple(fields["threats"])})


UNKNOWN = AssessmentMetadata("", "", "", ())


class MetadataSource:
    """Reads the metadata that is valid in a subscription: built in, by custom policy, and by the customer."""

    def __init__(self, client_for: Callable[[str], SecurityCenter]) -> None:
        self._client_for = client_for

    def load(self, subscription_id: str) -> Mapping[str, AssessmentMetadata]:
        """The metadata by assessment key in lower case. Raises the errors of `apiward_core.errors`."""
        return dict(self.read(subscription_id))

    def read(self, subscription_id: str) -> Iterator[tuple[str, AssessmentMetadata]]:
        """Each assessment key in lower case, and its metadata.

        Raises the errors of `apiward_core.errors`, RejectedDataError for an empty list: what is built in is in every
        subscription.
        """
        operations = self._client_for(subscription_id).assessments_metadata
        doing = f"listing the assessment metadata of subscriptions/{subscription_id}"
        is_empty = True
        for page in raw_pages(operations.list_by_subscription, doing=doing):
            for item in page:
                is_empty = False
                yield text(item, "name").lower(), AssessmentMetadata.parse(member(item, "properties"))
        if is_empty:
            raise RejectedDataError(f"The answer while {doing} holds none.", remedy="Run again.")

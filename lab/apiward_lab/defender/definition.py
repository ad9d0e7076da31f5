"""What an assessment is: its metadata, and the rule by which resources are judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from apiward_lab.estate import Estate
from apiward_lab.web import Json


class Producer(Enum):
    """Who judges, which also tells how often."""

    POLICY = "Azure Policy"
    DEFENDER = "Microsoft Defender for Cloud"
    DEFENDER_FOR_APIS = "Microsoft Defender for APIs"


@dataclass(frozen=True)
class Definition:
    """The metadata of an assessment (Microsoft.Security/assessmentMetadata, 2021-06-01). `key` is its name."""

    key: str
    display_name: str
    policy_id: str
    description: str
    remediation: str
    severity: str
    categories: Sequence[str]
    user_impact: str = "Low"
    effort: str = "Low"
    threats: Sequence[str] = ()
    tactics: Sequence[str] = ()
    techniques: Sequence[str] = ()
    published: str = "06/01/2022"
    producer: Producer = Producer.POLICY

    def properties(self) -> Json:
        """The properties as the REST API shows them."""
        return {
            "displayName": self.display_name,
            "policyDefinitionId": f"/providers/Microsoft.Authorization/policyDefinitions/{self.policy_id}",
            "description": self.description,
            "remediationDescription": self.remediation,
            "categories": list(self.categories),
            "severity": self.severity,
            "userImpact": self.user_impact,
            "implementationEffort": self.effort,
            "threats": list(self.threats),
            "publishDates": {"GA": self.published, "public": self.published},
            "tactics": list(self.tactics),
            "techniques": list(self.techniques),
            "assessmentType": "BuiltIn",
        }


@dataclass(frozen=True)
class Status:
    """The status of an assessment: the programmatic code, and for NotApplicable why."""

    code: str
    cause: str = ""
    description: str = ""


HEALTHY = Status("Healthy")
UNHEALTHY = Status("Unhealthy")
EXEMPT = Status("NotApplicable", "Exempt", "The resource is exempt from the policy that asks for this.")
OFF_BY_POLICY = Status("NotApplicable", "OffByPolicy", "The effective policy has the assessment switched off.")


@dataclass(frozen=True)
class Verdict:
    """What one evaluation says of one resource, before Azure Policy is asked whether it counts."""

    resource_id: str
    is_healthy: bool
    additional_data: Mapping[str, str] = field(default_factory=dict)


class Derivation(Protocol):
    """A rule: judges every resource of the estate that it applies to."""

    @property
    def definition(self) -> Definition:
        """The assessment that it produces."""

    def verdicts(self, estate: Estate, now: datetime, /) -> Iterator[Verdict]:
        """One verdict for each resource that the assessment applies to, at the virtual time `now`."""

"""What a remediation is: one value that says how to plan, observe, change, revert and verify one recommendation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Any

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Recommendation
from apiward_core.clients import AzureClients
from apiward_core.errors import GuardrailError

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One write: the touched keys of one resource before and after. `summary` says it in words."""

    resource_id: str
    summary: str
    before: Values
    after: Values


@dataclass(frozen=True)
class Observed:
    """The touched keys of a resource as they are now, and the ETag to write against (empty where there is none)."""

    values: Values
    etag: str = ""


@dataclass(frozen=True)
class Evidence:
    """What verification saw at the resource, and whether it meets the recommendation."""

    healthy: bool
    observed: Values
    statement: str


@dataclass(frozen=True)
class Remediation:
    """One remediation.

    `plan` reads the resource, and what says how it was used until now, and returns the changes that it needs: none when
    it is as it should be. `observe` reads the touched keys of one change. `apply` writes `change.after` and `revert`
    writes `change.before`, both against an ETag and with a correlation id. `verify` reads the resource again. `race`
    names what can still happen between read and write.
    """

    slug: str
    race: str
    plan: Callable[[AzureClients, ArmId, datetime], list[Change]]
    observe: Callable[[AzureClients, Change], Observed]
    apply: Callable[[AzureClients, Change, str, str], None]
    revert: Callable[[AzureClients, Change, str, str], None]
    verify: Callable[[AzureClients, ArmId], Evidence]


def load_remediation(recommendation: Recommendation) -> Remediation:
    """The remediation of a recommendation. Raises GuardrailError with the steps when it is guided."""
    if recommendation.remediation == "guided":
        steps = " ".join(f"({number}) {step}" for number, step in enumerate(recommendation.steps, 1))
        raise GuardrailError(f"{recommendation.slug} is guided: apiward does not change it itself.", remedy=steps)
    name = recommendation.slug.replace("-", "_")
    module: ModuleType = import_module(f"apiward_playbooks.remediations.{name}")
    found: Remediation = module.REMEDIATION
    return found

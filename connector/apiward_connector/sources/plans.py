"""Defender plans of one subscription, from Microsoft.Security pricings 2024-01-01."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from azure.mgmt.security import SecurityCenter
from azure.mgmt.security.v2024_01_01.models import Extension, Pricing

from apiward_core.errors import RejectedDataError, azure_errors

DEFENDER_FOR_APIS = "Api"
DEFENDER_CSPM = "CloudPosture"
API_POSTURE = "ApiPosture"
"""The extension of Defender CSPM that assesses Function Apps and Logic Apps; the document's list does not name it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `sub_plan` is "" where it has none; `extensions` are those that are switched on, in lower case."""

    name: str
    enabled: bool
    sub_plan: str = ""
    extensions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, pricing: Pricing) -> Self:
        """The plan that a pricing document describes."""
        return cls(
            name=str(pricing.name),
            enabled=_same(pricing.pricing_tier, "Standard"),
            sub_plan=pricing.sub_plan or "",
            extensions=frozenset(str(item.name).lower() for item in pricing.extensions or () if _is_on(item)),
        )


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of a subscription by name in lower case, those that apiward has never heard of included."""

    by_name: Mapping[str, Plan] = field(default_factory=dict)

    @classmethod
    def of(cls, pricings: Iterable[Pricing]) -> Self:
        """The plans that pricing documents describe."""
        return cls({plan.name.lower(): plan for plan in map(Plan.of, pricings)})

    def has(self, plan: str, extension: str = "") -> bool:
        """Whether `plan` is on, and `extension` in it where one is named. A plan that is not listed is off."""
        found = self.by_name.get(plan.lower())
        return found is not None and found.enabled and (not extension or extension.lower() in found.extensions)


class PlansSource:
    """Reads which plans a subscription has."""

    def __init__(self, client_for: Callable[[str], SecurityCenter]) -> None:
        self._client_for = client_for

    def load(self, subscription_id: str) -> Plans:
        """The plans of a subscription; the service lists them in one answer. Raises `apiward_core.errors`."""
        scope = f"subscriptions/{subscription_id}"  # the SDK puts the leading slash
        with azure_errors(f"listing the Defender plans of {scope}"):
            listed = self._client_for(subscription_id).pricings.list(scope)
        # The service lists plans that are off, too: one that cannot be read must not count as one of them.
        if not listed.value or not all(item is not None and item.name for item in listed.value):
            raise RejectedDataError(
                f"The answer while listing the Defender plans of {scope} names no plan, or holds one without a name.",
                remedy="Run again.",
            )
        return Plans.of(listed.value)


def _is_on(extension: Extension) -> bool:
    return _same(extension.is_enabled, "True")  # a text, not a boolean


def _same(value: object, wanted: str) -> bool:
    return str(value).lower() == wanted.lower()

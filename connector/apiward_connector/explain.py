"""Why a finding is no longer there: gone is not fixed, and only a resource that is gone ends its finding."""

from collections.abc import Callable, Iterator
from typing import Protocol

from apiward_connector.existence import Existence, Once
from apiward_connector.finding import Finding
from apiward_connector.report import Gap
from apiward_connector.sources.inventory import api_of
from apiward_connector.sources.paging import Page
from apiward_connector.sources.plans import API_POSTURE, DEFENDER_CSPM, DEFENDER_FOR_APIS, Plans
from apiward_core.catalogue import Catalogue, Plan
from apiward_core.errors import ApiwardError

RESOURCE_GONE = "ResourceGone"
PRODUCER_GONE = "ProducerGone"
UNEXPLAINED = "Unexplained"

_ENDPOINT = "microsoft.apimanagement/service/apis/operations"
_APIS = (DEFENDER_FOR_APIS, "")
_POSTURE = (DEFENDER_CSPM, API_POSTURE)
_PRODUCERS: dict[Plan, tuple[tuple[str, str], ...]] = {
    "Foundational CSPM (Azure Policy)": (),
    "Defender for APIs": (_APIS,),
    "Defender CSPM (API security posture)": (_POSTURE,),
    "Defender for APIs or Defender CSPM (API security posture)": (_APIS, _POSTURE),
}

Onboarded = frozenset[tuple[str, str]]
"""Service id and API name of each collection, as findings have them."""


class PlansReader(Protocol):
    """Where plans come from."""

    def load(self, subscription_id: str) -> Plans:
        """The plans of a subscription. Raises the errors of `apiward_core.errors`."""
        ...


class CollectionsReader(Protocol):
    """Where API collections come from."""

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw collections of a subscription. Raises the errors of `apiward_core.errors`."""
        ...


class Explainer:
    """Gives the StateCause of findings that a run removes; made for that run, because it remembers what it was told.

    What cannot be proven is Unexplained, and `gaps` says why it could not.
    """

    def __init__(
        self, *, existence: Existence, plans: PlansReader, collections: CollectionsReader, catalogue: Catalogue
    ) -> None:
        self._existence = existence
        self._plans = Once(plans.load)
        self._onboarded = Once[str, Onboarded](lambda subscription: _onboarded(collections.pages(subscription)))
        self._recommendations = {item.slug: item for item in catalogue}
        self._gaps: dict[str, Gap] = {}

    def __call__(self, finding: Finding) -> str:
        """ResourceGone before ProducerGone: that the resource is gone stays true whatever the plan does."""
        if self._proves(finding, lambda: self._existence.is_gone(finding.resource_id)):
            return RESOURCE_GONE
        if self._proves(finding, lambda: self._producer_is_gone(finding)):
            return PRODUCER_GONE
        return UNEXPLAINED

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What stood in the way of an explanation, the first thing of each subscription."""
        return tuple(self._gaps.values())

    def _proves(self, finding: Finding, ask: Callable[[], bool]) -> bool:
        try:
            return ask()
        except ApiwardError as error:
            what = f"why findings of /subscriptions/{finding.subscription_id} are gone"
            self._gaps.setdefault(finding.subscription_id, Gap(what, str(error)))
            return False

    def _producer_is_gone(self, finding: Finding) -> bool:
        recommendation = self._recommendations.get(finding.recommendation)
        if recommendation is None or not _PRODUCERS[recommendation.plan]:
            return False
        plans = self._plans(finding.subscription_id)
        working = [producer for producer in _PRODUCERS[recommendation.plan] if plans.has(*producer)]
        if working == [_APIS] and recommendation.resource_type.lower() == _ENDPOINT:
            return self._is_offboarded(finding)
        return not working

    def _is_offboarded(self, finding: Finding) -> bool:
        return (finding.service_id, finding.api_name) not in self._onboarded(finding.subscription_id)


def _onboarded(pages: Iterator[Page]) -> Onboarded:
    apis = (api_of(raw) for page in pages for raw in page)
    return frozenset((api.top_level().key, api.name) for api in apis)

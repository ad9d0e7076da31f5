"""Why a finding is no longer there: gone is not fixed, and only a resource that is gone ends its finding."""

from collections.abc import Callable, Iterator
from typing import Protocol

from apiward_connector.existence import Existence, Once
from apiward_connector.finding import Finding
from apiward_connector.place import Place
from apiward_connector.policies import Policies, PolicyReader
from apiward_connector.report import Gap
from apiward_connector.sources.inventory import api_of
from apiward_connector.sources.paging import Page
from apiward_connector.sources.plans import API_POSTURE, DEFENDER_CSPM, DEFENDER_FOR_APIS, Plans
from apiward_core.arm_id import ArmId
from apiward_core.catalogue import Catalogue, Plan
from apiward_core.errors import ApiwardError, IncompleteError, ThrottledError, TransientError

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
_PASSING = (ThrottledError, TransientError, IncompleteError)
_ASKED_AGAIN = "Their removal is told once it is known: the next run asks again."

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

    What cannot be proven is Unexplained, and what could not be found out for a reason that may pass is not explained
    yet; `gaps` says why. Several threads may use it.
    """

    def __init__(
        self,
        *,
        existence: Existence,
        plans: PlansReader,
        collections: CollectionsReader,
        policies: PolicyReader,
        catalogue: Catalogue,
    ) -> None:
        self._existence = existence
        self._plans = Once(plans.load)
        self._onboarded = Once[str, Onboarded](lambda subscription: _onboarded(collections.pages(subscription)))
        self._policies = Policies(policies)
        self._recommendations = {item.slug: item for item in catalogue}
        self._gaps: dict[tuple[str, bool], Gap] = {}

    def __call__(self, finding: Finding) -> str | None:
        """The cause, None when the next run has to ask again.

        ResourceGone comes before ProducerGone: that the resource is gone stays true whatever the producer does. So
        where the first cannot be found out now, the second is not asked for.
        """
        causes: dict[str, Callable[[], bool]] = {
            RESOURCE_GONE: lambda: self._existence.is_gone(finding.place.resource_id),
            PRODUCER_GONE: lambda: self._producer_is_gone(finding),
        }
        for cause, is_proven in causes.items():
            try:
                if is_proven():
                    return cause
            except ApiwardError as error:
                self._note(finding.place.subscription_id, error)
                if isinstance(error, _PASSING):
                    return None
        return UNEXPLAINED

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What stood in the way: in each subscription, the first thing that may pass and the first that may not."""
        return tuple(self._gaps.values())

    def gaps_of(self, subscription_id: str) -> tuple[Gap, ...]:
        """Those of one subscription."""
        known = (self._gaps.get((subscription_id, may_pass)) for may_pass in (True, False))
        return tuple(gap for gap in known if gap is not None)

    def _note(self, subscription: str, error: ApiwardError) -> None:
        may_pass = isinstance(error, _PASSING)
        why = f"{error} {_ASKED_AGAIN}" if may_pass else str(error)
        self._gaps.setdefault(
            (subscription, may_pass), Gap(f"why findings of /subscriptions/{subscription} are gone", why)
        )

    def _producer_is_gone(self, finding: Finding) -> bool:
        recommendation = self._recommendations.get(finding.kind.recommendation)
        if recommendation is None or not _PRODUCERS[recommendation.plan]:
            known = recommendation.policy_definition_id if recommendation else None
            policy = finding.kind.policy_definition_id or known
            return bool(policy) and self._policies.is_off(policy or "", ArmId.read(finding.place.resource_id))
        plans = self._plans(finding.place.subscription_id)
        working = [producer for producer in _PRODUCERS[recommendation.plan] if plans.has(*producer)]
        if working == [_APIS] and recommendation.resource_type.lower() == _ENDPOINT:
            return self._is_offboarded(finding.place)
        return not working

    def _is_offboarded(self, place: Place) -> bool:
        return (place.service_id, place.api) not in self._onboarded(place.subscription_id)


def _onboarded(pages: Iterator[Page]) -> Onboarded:
    apis = (api_of(raw) for page in pages for raw in page)
    return frozenset((api.top_level().key, api.name) for api in apis)

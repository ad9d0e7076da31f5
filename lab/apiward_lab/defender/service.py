"""Defender for Cloud over an estate: assessments, plans and watched APIs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from apiward_lab.clock import VirtualClock
from apiward_lab.defender.api_collections import ApiCollections
from apiward_lab.defender.assessments import Assessments
from apiward_lab.defender.definition import Derivation, Producer
from apiward_lab.defender.derivations import DERIVATIONS
from apiward_lab.defender.governance import Governance
from apiward_lab.defender.ledger import Judge, Ledger, Policies
from apiward_lab.defender.pricings import Pricings
from apiward_lab.estate import Estate
from apiward_lab.policy import Standing
from apiward_lab.web import Json, Route


def everything_on(_policy: str) -> Judge:
    """The policies of a tenant in which each is on for every resource."""

    def judge(_resource_id: str, _now: datetime) -> Standing:
        return Standing.ON

    return judge


class Defender:
    """Defender for Cloud over an estate.

    Policies are evaluated every `refresh_every` of virtual time (Azure Policy takes up to a day), what Defender for
    APIs sees every `insights_every` (half an hour, as documented). `policies` tells where each policy is on.
    `page_size` is how many rows a page of a list holds.
    """

    def __init__(
        self,
        estate: Estate,
        clock: VirtualClock,
        *,
        refresh_every: timedelta = timedelta(minutes=60),
        insights_every: timedelta = timedelta(minutes=30),
        onboarding_time: timedelta = timedelta(seconds=2),
        page_size: int = 100,
        policies: Policies = everything_on,
        derivations: Sequence[Derivation] = DERIVATIONS,
    ) -> None:
        intervals = dict.fromkeys(Producer, refresh_every) | {Producer.DEFENDER_FOR_APIS: insights_every}
        schedule = [(derivation, intervals[derivation.definition.producer]) for derivation in derivations]
        self.ledger = Ledger(estate, schedule, policies=policies, started=clock.now())
        self._assessments = Assessments(self.ledger, page_size=page_size)
        self._pricings = Pricings(estate, clock)
        self._collections = ApiCollections(estate, clock, onboarding_time=onboarding_time, page_size=page_size)
        self._governance = Governance(estate, self.ledger, clock.now(), page_size=page_size)
        clock.on_advance(self.ledger.refresh_if_due, self.ledger.next_refresh)

    @property
    def routes(self) -> Sequence[Route]:
        """Everything under Microsoft.Security."""
        return [*self._assessments.routes, *self._pricings.routes, *self._collections.routes, *self._governance.routes]

    def pricing_documents(self, subscription_id: str) -> Sequence[Json]:
        """The Defender plans of a subscription, as the REST API shows them (2024-01-01)."""
        return self._pricings.documents(subscription_id)

    def collection_documents(self, subscription_id: str) -> Sequence[Json]:
        """The API collections of a subscription, as the REST API shows them (2023-11-15)."""
        return self._collections.documents(subscription_id)

    def governance_documents(self, subscription_id: str) -> Sequence[Json]:
        """The governance assignments of a subscription, as the REST API shows them (2022-01-01-preview)."""
        return self._governance.documents(f"/subscriptions/{subscription_id}")

"""Assessments of one subscription, from Microsoft.Security assessments 2021-06-01."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.assessment_pages import assessment_list
from apiward_connector.sources.paging import Page, raw_pages


class AssessmentsSource:
    """Lists every assessment of a subscription, those that are not about APIs included: the service has no filter."""

    name = "assessments"

    def __init__(self, client_for: Callable[[str], SecurityCenter]) -> None:
        self._client_for = client_for

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Nothing: each subscription is listed on its own."""

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The assessments for `Normaliser.findings`, page by page. Raises the errors of `apiward_core.errors`."""
        operations = self._client_for(subscription_id).assessments
        scope = f"subscriptions/{subscription_id}"  # the SDK puts the leading slash
        doing = f"listing the assessments of {scope}"
        return raw_pages(partial(operations.list, scope), doing=doing, decode=partial(assessment_list, doing=doing))

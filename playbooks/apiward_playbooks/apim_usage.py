"""What API Management counted of a subscription's calls.

Source: Microsoft.ApiManagement 2024-05-01, Reports_ListBySubscription and Reports_ListByOperation; the document says of
the second, and not of Reports_ListByApi, that it may be filtered by subscriptionId.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import RejectedDataError, azure_errors

_LATELY = timedelta(days=7)
_BY_HAND = "Look at the gateway's logs, then scope or suspend the subscription by hand."


@dataclass(frozen=True)
class Usage:
    """The calls of one subscription from `start` to `end`, by the id of the API that they went to."""

    start: datetime
    end: datetime
    calls: Mapping[str, int]

    def __str__(self) -> str:
        return f"{sum(self.calls.values()):,} calls from {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


def subscription_usage(clients: AzureClients, service: ArmId, name: str, start: datetime, end: datetime) -> Usage:
    """The calls of a service's subscription of that name, refused calls included.

    That there were none is only said when the service counted anybody's calls to the end of the period: tiers without
    these reports answer nothing for everybody, and so do reports that stopped or are late. Raises RejectedDataError
    then, and when the reports do not say which APIs the calls went to.
    """
    if name.casefold() not in _callers(clients, service, name, start, end):
        _callers(clients, service, name, end - _LATELY, end)
        return Usage(start, end, {})
    reports = clients.api_management(service.subscription_id).reports
    mine = f"{_period(start, end)} and subscriptionId eq {_quoted(name)}"
    with azure_errors(f"reading the usage reports of {service.text}"):
        by_api = _calls(reports.list_by_operation(service.resource_group, service.name, filter=mine), "api_id")
    if not by_api:
        raise RejectedDataError(f"The reports do not say which APIs {name} of {service.text} calls.", remedy=_BY_HAND)
    return Usage(start, end, by_api)


def _callers(clients: AzureClients, service: ArmId, name: str, start: datetime, end: datetime) -> set[str]:
    """The names, casefolded, of the subscriptions whose keys were used. Raises RejectedDataError when none were."""
    reports = clients.api_management(service.subscription_id).reports
    with azure_errors(f"reading the usage reports of {service.text}"):
        found = reports.list_by_subscription(service.resource_group, service.name, filter=_period(start, end))
        callers = {caller.casefold() for caller in _calls(found, "subscription_id")}
    if not callers:
        raise RejectedDataError(
            f"{service.text} has no usage reports since {start:%Y-%m-%d}, so nothing says who uses {name}.",
            remedy=_BY_HAND,
        )
    return callers


def _calls(records: Iterable[Any], key: str) -> Counter[str]:
    """Calls by the last name of a path such as /apis/{id}, revisions as one; "-" is what matched nothing."""
    calls: Counter[str] = Counter()
    for record in records:
        name = str(getattr(record, key) or "").rpartition("/")[2].partition(";")[0]
        if name not in ("", "-"):
            calls[name] += record.call_count_total or 0
    return +calls


def _period(start: datetime, end: datetime) -> str:
    return f"timestamp ge {_moment(start)} and timestamp le {_moment(end)}"


def _moment(moment: datetime) -> str:
    return f"datetime'{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

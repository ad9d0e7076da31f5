"""API Management subscriptions should not be scoped to all APIs: they get the narrowest scope that their calls need.

Source: Microsoft.ApiManagement 2024-05-01, Subscription_Get (which holds no keys) and Subscription_Update (If-Match is
required); the policy definition 3aa03346-d8c5-4994-a5bc-7652c2a2aef1 asks that no active subscription has a scope that
ends in /apis.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from azure.mgmt.apimanagement.models import SubscriptionContract, SubscriptionUpdateParameters

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import RejectedDataError, azure_errors
from apiward_playbooks.apim import correlated, part_of_service, with_etag
from apiward_playbooks.apim_products import narrowest_shared, products_of
from apiward_playbooks.apim_usage import Usage, subscription_usage
from apiward_playbooks.remediation import Change, Evidence, Observed, Remediation

_ALL_APIS = "/apis"
_WINDOW = timedelta(days=90)
_SETTLED = timedelta(days=30)  # a key that is younger may not be in use yet
_WITHIN_SERVICE = re.compile(r"^/subscriptions/[^/]+/.*?/service/[^/]+", re.IGNORECASE)


def plan(clients: AzureClients, resource: ArmId, now: datetime) -> list[Change]:
    """One change, of `scope` or of `state`, or none when the subscription is not active or not scoped to all APIs.

    Called one API: that API. Several that share a product: the product. None in 90 days: suspended, keys kept. Raises
    RejectedDataError for the built-in subscription, and when several APIs share no product.
    """
    found, _ = _read(clients, resource)
    if not _is_open(found):
        return []
    usage = subscription_usage(clients, resource.top_level(), str(found.name), now - _WINDOW, now)
    change = _narrowed(clients, resource, found, usage) if usage.calls else _suspended(resource, found, usage)
    return [change]


def observe(clients: AzureClients, change: Change) -> Observed:
    """The one property that the change touches, with the subscription's ETag."""
    found, etag = _read(clients, ArmId.parse(change.resource_id))
    values = _values(found)
    return Observed({key: values[key] for key in change.before}, etag)


def apply(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Narrow the scope, or suspend."""
    _write(clients, change.resource_id, change.after, etag, correlation_id)


def revert(clients: AzureClients, change: Change, etag: str, correlation_id: str) -> None:
    """Write the scope or the state that was there before."""
    _write(clients, change.resource_id, change.before, etag, correlation_id)


def verify(clients: AzureClients, resource: ArmId) -> Evidence:
    """Whether the subscription is narrower than all APIs, or no longer active."""
    found, _ = _read(clients, resource)
    values = _values(found)
    return Evidence(not _is_open(found), values, f"scope is {values['scope']}, state is {values['state']}")


def _narrowed(clients: AzureClients, resource: ArmId, found: SubscriptionContract, usage: Usage) -> Change:
    service = resource.top_level()
    living = products_of(clients, service, usage.calls)
    called = ", ".join(sorted(living or usage.calls))
    if not living:
        raise RejectedDataError(
            f"{resource.text} calls only APIs that are gone: {called}.",
            remedy="Ask its owner; suspend it by hand when nobody needs it.",
        )
    if len(living) == 1:
        scope, effect = f"/apis/{called}", "all to that API; calls to any other will be refused"
    elif product := narrowest_shared(clients, service, living):
        scope = f"/products/{product}"
        effect = f"to {called}; calls to other APIs will be refused, and the product's policies will apply"
    else:
        raise RejectedDataError(
            f"{resource.text} calls {called}, which share no published product; suspending it would break its callers.",
            remedy="Create a product of these APIs, or give each caller a subscription of its own, then plan again.",
        )
    return _change(resource, found, {"scope": _ALL_APIS}, {"scope": scope}, f"{usage}, {effect}")


def _suspended(resource: ArmId, found: SubscriptionContract, usage: Usage) -> Change:
    if found.created_date and found.created_date > usage.end - _SETTLED:
        raise RejectedDataError(
            f"{resource.text} was made on {found.created_date:%Y-%m-%d} and has not been used yet.",
            remedy="Give it the scope of an API or a product by hand, or plan again when it is a month old.",
        )
    effect = f"{usage}; its keys stay as they are and are refused until it is active again"
    return _change(resource, found, {"state": "active"}, {"state": "suspended"}, effect)


def _change(
    resource: ArmId, found: SubscriptionContract, before: dict[str, str], after: dict[str, str], effect: str
) -> Change:
    [(key, was)], becomes = before.items(), next(iter(after.values()))
    summary = f"Subscription {found.display_name or resource.name}: {key} {was} becomes {becomes}; {effect}"
    return Change(resource.text, summary, before, after)


def _read(clients: AzureClients, resource: ArmId) -> tuple[SubscriptionContract, str]:
    service, sid = _names(resource)
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"reading {resource.text}"):
        found: Any = client.subscription.get(resource.resource_group, service, sid, cls=with_etag)
    contract, etag = found
    return contract, etag


def _write(clients: AzureClients, resource_id: str, values: Any, etag: str, correlation_id: str) -> None:
    resource = ArmId.parse(resource_id)
    service, sid = _names(resource)
    client = clients.api_management(resource.subscription_id)
    with azure_errors(f"writing {resource.text}"):
        client.subscription.update(
            resource.resource_group,
            service,
            sid,
            if_match=etag,
            parameters=SubscriptionUpdateParameters(**values),
            headers=correlated(correlation_id),
        )


def _names(resource: ArmId) -> tuple[str, str]:
    service, sid = part_of_service(resource, "subscriptions", called="subscription")
    if sid.casefold() == "master":
        raise RejectedDataError(
            f"{resource.text} is the built-in subscription of the service.", remedy="Leave it alone; renew its keys."
        )
    return service, sid


def _values(found: SubscriptionContract) -> dict[str, str]:
    """Scope and state; the service answers with the scope's full id, whatever was written."""
    return {"scope": _WITHIN_SERVICE.sub("", found.scope or "") or "/", "state": str(found.state)}


def _is_open(found: SubscriptionContract) -> bool:
    return _values(found) == {"scope": _ALL_APIS, "state": "active"}


REMEDIATION = Remediation(
    slug="apim-subscription-all-apis",
    race="calls to another API that begin after the plan; the write carries If-Match, so no other change is lost",
    plan=plan,
    observe=observe,
    apply=apply,
    revert=revert,
    verify=verify,
)

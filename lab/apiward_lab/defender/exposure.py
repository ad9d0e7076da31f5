"""What Defender for APIs knows of the APIs that it watches: from the onboarding, the traffic and the policies."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from apiward_lab.estate import Api, ApimService, Estate, Operation

UNUSED_AFTER = timedelta(days=30)

_VALIDATES_CALLER = re.compile(r"<validate-(jwt|client-certificate|azure-ad-token)\b")


def has_plan(estate: Estate, subscription_id: str) -> bool:
    """Whether Defender for APIs is on in the subscription."""
    plan = estate.plans.get(subscription_id, {}).get("api")
    return plan is not None and plan.is_on


def watched_apis(estate: Estate, now: datetime) -> Iterator[tuple[ApimService, Api]]:
    """The APIs that are onboarded, in subscriptions where the plan is on."""
    for service in estate.services:
        if not has_plan(estate, service.group.subscription_id):
            continue
        for name, since in service.onboarded.items():
            api = service.apis.get(name)
            if api is not None and since <= now:
                yield service, api


def watched_operations(estate: Estate, now: datetime) -> Iterator[tuple[str, Api, Operation]]:
    """The operations of those APIs, each with its ARM id."""
    for service, api in watched_apis(estate, now):
        prefix = f"{service.api_id(api)}/operations"
        for operation in api.operations.values():
            yield f"{prefix}/{operation.name}", api, operation


def is_used(operation: Operation, now: datetime) -> bool:
    """Whether it was called in the last 30 days."""
    last = operation.last_call(now)
    return last is not None and now - last <= UNUSED_AFTER


def asks_who_calls(api: Api) -> bool:
    """Whether calls need a key, or the policy validates a token or a certificate."""
    return bool(api.properties.get("subscriptionRequired")) or bool(_VALIDATES_CALLER.search(api.policy))

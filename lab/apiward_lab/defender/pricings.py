"""The Defender plans of subscriptions: Microsoft.Security/pricings at api-version 2024-01-01."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.estate import DefenderPlan, Estate
from apiward_lab.estate.plans import OFFERS, Offer, extensions
from apiward_lab.web import Call, Json, Problem, Reply, Route, timestamp

_VERSIONS = ("2024-01-01",)
_PRICINGS = "/providers/Microsoft.Security/pricings"
_NAMES = re.compile(r"\s*name\s+in\s*\((?P<names>[^)]*)\)\s*", re.IGNORECASE)
_SWITCH = ("True", "False")
_EXTENSION_FIELDS = ("name", "isEnabled", "additionalExtensionProperties")


class Pricings:
    """Which plans are on. A plan that is switched off loses its sub-plan and its extensions."""

    def __init__(self, estate: Estate, clock: VirtualClock) -> None:
        self._estate = estate
        self._clock = clock

    @property
    def routes(self) -> Sequence[Route]:
        """Plans of subscriptions; those of single resources are not served."""
        many = "/subscriptions/{subscription}" + _PRICINGS
        one, action = many + "/{plan}", "Microsoft.Security/pricings"
        return [
            Route("GET", many, self._list, _VERSIONS, action=f"{action}/read"),
            Route("GET", one, self._get, _VERSIONS, action=f"{action}/read"),
            Route("PUT", one, self._put, _VERSIONS, action=f"{action}/write"),
        ]

    def documents(self, subscription_id: str) -> Sequence[Json]:
        """The plans of a subscription as the REST API shows them; none of a subscription that does not exist."""
        plans = self._estate.plans.get(subscription_id.lower(), {})
        return [_document(subscription_id, plan) for plan in plans.values()]

    def _list(self, call: Call) -> Reply:
        rows = self.documents(call.params["subscription"])
        if condition := call.query.get("$filter"):
            wanted = _named(condition)
            rows = [row for row in rows if row["name"].lower() in wanted]
        return Reply(body={"value": rows})

    def _get(self, call: Call) -> Reply:
        return Reply(body=_document(call.params["subscription"], self._plan(call)))

    def _put(self, call: Call) -> Reply:
        plan, subscription = self._plan(call), call.params["subscription"]
        changed = _changed(plan, OFFERS[plan.name.lower()], _sent_properties(call), self._clock.now())
        self._estate.plans[subscription.lower()][plan.name.lower()] = changed
        return Reply(body=_document(subscription, changed, is_outcome=True))

    def _plan(self, call: Call) -> DefenderPlan:
        plan = self._estate.plans.get(call.params["subscription"].lower(), {}).get(call.params["plan"].lower())
        if plan is None:
            raise Problem(404, "ResourceNotFound", f"There is no Defender plan '{call.params['plan']}'.")
        return plan


def _document(subscription_id: str, plan: DefenderPlan, *, is_outcome: bool = False) -> Json:
    properties: Json = {"pricingTier": plan.tier}
    if plan.sub_plan:
        properties["subPlan"] = plan.sub_plan
    properties["freeTrialRemainingTime"] = "PT0S"
    if plan.enabled is not None:
        properties["enablementTime"] = timestamp(plan.enabled)
    properties["enforce"] = plan.enforce
    properties["resourcesCoverageStatus"] = "FullyCovered" if plan.is_on else "NotCovered"
    if plan.extensions:
        properties["extensions"] = [_outcome(entry) if is_outcome else dict(entry) for entry in plan.extensions]
    return {
        "id": f"/subscriptions/{subscription_id}{_PRICINGS}/{plan.name}",
        "name": plan.name,
        "type": "Microsoft.Security/pricings",
        "properties": properties,
    }


def _outcome(extension: Mapping[str, Any]) -> Json:
    if extension["isEnabled"] == "False":
        return dict(extension)
    return {**extension, "operationStatus": {"code": "Succeeded", "message": "The extension is enabled."}}


def _sent_properties(call: Call) -> Mapping[str, Any]:
    body = call.json()
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise _invalid("The body must hold an object named properties.")
    return properties


def _changed(plan: DefenderPlan, offer: Offer, sent: Mapping[str, Any], now: datetime) -> DefenderPlan:
    tier, enforce = sent.get("pricingTier"), sent.get("enforce", plan.enforce)
    if tier not in {"Free", "Standard"}:
        raise _invalid(f"pricingTier is {tier!r}; it must be Free or Standard.")
    if enforce not in _SWITCH:
        raise _invalid(f"enforce is {enforce!r}; it must be the text True or False.")
    sub_plan, chosen = _sub_plan(plan, offer, sent), _extensions(plan, offer, sent)
    if tier == "Free":
        return DefenderPlan(plan.name, tier, enforce=enforce)
    since = plan.enabled if plan.is_on else now
    return DefenderPlan(plan.name, tier, sub_plan, chosen, enabled=since, enforce=enforce)


def _sub_plan(plan: DefenderPlan, offer: Offer, sent: Mapping[str, Any]) -> str:
    """The sub-plan that is asked for, or the one that it has, or the plan's default one."""
    wanted = sent.get("subPlan") or plan.sub_plan or next(iter(offer.sub_plans), "")
    if wanted and wanted not in offer.sub_plans:
        raise _invalid(f"Plan {offer.name} has no sub-plan {wanted!r}; it has {', '.join(offer.sub_plans) or 'none'}.")
    return str(wanted)


def _extensions(plan: DefenderPlan, offer: Offer, sent: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The extensions after the change: a plan that is switched on brings all of them, the body changes some."""
    current = {entry["name"]: entry for entry in (plan.extensions if plan.is_on else extensions(offer))}
    for entry in sent.get("extensions") or ():
        name, switch = entry.get("name"), entry.get("isEnabled")
        if name not in offer.extensions:
            raise _invalid(f"Plan {offer.name} has no extension {name!r}; it has {', '.join(offer.extensions)}.")
        if switch not in _SWITCH:
            raise _invalid(f"isEnabled of extension {name} is {switch!r}; it must be the text True or False.")
        current[name] = {field: entry[field] for field in _EXTENSION_FIELDS if field in entry}
    return list(current.values())


def _named(condition: str) -> set[str]:
    match = _NAMES.fullmatch(condition)
    if match is None:
        raise _invalid(f"The filter '{condition}' is not understood; use name in (plan,plan).")
    return {name.strip().strip("'").lower() for name in match["names"].split(",")}


def _invalid(message: str) -> Problem:
    return Problem(400, "InvalidInput", message)

"""Alert rules and onboarding over ARM (AlertRules and OnboardingStates 2021-10-01)."""

from typing import Any

from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.timespans import Window
from apiward_lab.sentinel.alert_rules import MAX_ENABLED, MAX_RULES, AlertRule, check_properties
from apiward_lab.sentinel.documents import PROVIDER, resource_id, rule_body
from apiward_lab.sentinel.incidents import check_etag, new_etag
from apiward_lab.sentinel.model import SentinelModel
from apiward_lab.sentinel.registry import Registry, missing
from apiward_lab.web import Call, Problem, Reply


class RulesApi:
    """Handlers for alert rules."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """All alert rules."""
        model = self._registry.of_call(call)
        return Reply(body={"value": [rule_body(model.seed, rule) for rule in model.rules()]})

    def get(self, call: Call) -> Reply:
        """One alert rule."""
        model = self._registry.of_call(call)
        rule = model.rule(call.params["rule"])
        if rule is None:
            raise missing("Alert rule", call.params["rule"])
        return Reply(body=rule_body(model.seed, rule))

    def put(self, call: Call) -> Reply:
        """Create (201) or replace (200) a Scheduled rule."""
        model, body = self._registry.of_call(call), call.json()
        existing = model.rule(call.params["rule"])
        name = existing.name if existing else call.params["rule"]
        check_etag(body, existing.etag if existing else None, resource_id(model.seed, "alertRules", name))
        _check_kind(body)
        rule = AlertRule(name, check_properties(body.get("properties")), new_etag(), self._registry.now())
        _check_count(model, rule, existing)
        _check_query(model, rule)
        model.put_rule(rule)
        return Reply(200 if existing else 201, rule_body(model.seed, rule))

    def delete(self, call: Call) -> Reply:
        """Delete: 200, or 204 when there is none."""
        return Reply(200 if self._registry.of_call(call).drop_rule(call.params["rule"]) else 204)


def _check_kind(body: Any) -> None:
    kind = body.get("kind") if isinstance(body, dict) else None
    if kind != "Scheduled":
        raise Problem(400, "BadRequest", f"Alert rules of kind '{kind}' are not served by the lab; use 'Scheduled'.")


def _check_count(model: SentinelModel, rule: AlertRule, existing: AlertRule | None) -> None:
    others = [other for other in model.rules() if existing is None or other.name != existing.name]
    if len(others) >= MAX_RULES or (rule.enabled and sum(other.enabled for other in others) >= MAX_ENABLED):
        raise Problem(
            400, "BadRequest", f"A workspace holds at most {MAX_RULES} alert rules, {MAX_ENABLED} of them enabled."
        )


def _check_query(model: SentinelModel, rule: AlertRule) -> None:
    nothing = Window(rule.modified, rule.modified)
    try:
        model.workspace.query(rule.query, now=rule.modified, window=nothing)
    except QueryError as error:
        raise Problem(400, "BadRequest", f"Failed to run the analytics rule query: {error.message}") from error


class OnboardingApi:
    """Handlers for onboarding states; the only one is called default."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """The onboarding state, if the workspace has Sentinel."""
        model = self._registry.workspace(call)
        return Reply(body={"value": [_state(model)] if model.onboarded else []})

    def get(self, call: Call) -> Reply:
        """The onboarding state."""
        model = self._registry.workspace(call)
        if not model.onboarded or call.params["state"].lower() != "default":
            raise missing("Onboarding state", call.params["state"])
        return Reply(body=_state(model))

    def put(self, call: Call) -> Reply:
        """Put Sentinel onto the workspace."""
        if call.params["state"].lower() != "default":
            raise Problem(400, "BadRequest", "The onboarding state's name must be 'default'.")
        model = self._registry.workspace(call)
        status, model.onboarded = (200 if model.onboarded else 201), True
        return Reply(status, _state(model))

    def delete(self, call: Call) -> Reply:
        """Take Sentinel off the workspace: 200, or 204 when it is not there."""
        model = self._registry.workspace(call)
        status, model.onboarded = (200 if model.onboarded else 204), False
        return Reply(status)


def _state(model: SentinelModel) -> dict[str, Any]:
    return {
        "id": resource_id(model.seed, "onboardingStates", "default"),
        "name": "default",
        "type": f"{PROVIDER}/onboardingStates",
        "properties": {"customerManagedKey": False},
    }

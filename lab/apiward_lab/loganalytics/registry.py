"""The workspaces and data collection rules of the lab, found by the names that callers use."""

import hashlib
import threading
from collections.abc import Iterable

from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.problems import not_found
from apiward_lab.loganalytics.rules import Rule
from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.web import Call, Problem

WORKSPACE_PATH = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights"
    "/workspaces/{workspace}"
)


class Registry:
    """Looks things up without regard to case."""

    def __init__(self, seeds: Iterable[Workspace]) -> None:
        models = [WorkspaceModel(seed) for seed in seeds]
        self._by_id = {model.seed.resource_id.lower(): model for model in models}
        self._by_customer = {model.seed.customer_id.lower(): model for model in models}
        self._rules: dict[str, Rule] = {}
        self._lock = threading.Lock()

    @property
    def workspaces(self) -> list[WorkspaceModel]:
        """All workspaces."""
        return list(self._by_id.values())

    def workspace(self, resource_id: str) -> WorkspaceModel | None:
        """The workspace with that ARM id, or None."""
        return self._by_id.get(resource_id.rstrip("/").lower())

    def of_call(self, call: Call) -> WorkspaceModel:
        """The workspace that an ARM path names. Raises Problem 404."""
        found = self.workspace(WORKSPACE_PATH.format_map(call.params))
        if found is None:
            raise not_found("Microsoft.OperationalInsights/workspaces", call.params["workspace"], call.params["group"])
        return found

    def by_customer(self, call: Call) -> WorkspaceModel:
        """The workspace that a query path names by customer id. Raises Problem 404."""
        found = self._by_customer.get(call.params["customer"].lower())
        if found is None:
            raise Problem(
                404, "WorkspaceNotFoundError", f"The workspace '{call.params['customer']}' could not be found."
            )
        return found

    def rules(self) -> list[Rule]:
        """All data collection rules."""
        with self._lock:
            return list(self._rules.values())

    def rule(self, resource_id: str) -> Rule | None:
        """The rule with that ARM id, or None."""
        with self._lock:
            return self._rules.get(resource_id.lower())

    def rule_by_immutable_id(self, immutable_id: str) -> Rule | None:
        """The rule with that immutable id, or None."""
        return next((rule for rule in self.rules() if rule.immutable_id == immutable_id.lower()), None)

    def put_rule(self, rule: Rule) -> None:
        """Create or replace."""
        with self._lock:
            self._rules[rule.resource_id.lower()] = rule

    def drop_rule(self, resource_id: str) -> bool:
        """Forget a rule; False when there is none."""
        with self._lock:
            return self._rules.pop(resource_id.lower(), None) is not None


def immutable_id(resource_id: str) -> str:
    """The id by which data is sent to a rule: "dcr-" and 32 hexadecimal digits."""
    return "dcr-" + hashlib.sha256(resource_id.lower().encode()).hexdigest()[:32]

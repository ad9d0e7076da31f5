"""Sentinel's models, by workspace."""

from collections.abc import Callable
from datetime import datetime

from apiward_lab.loganalytics.problems import not_found
from apiward_lab.loganalytics.registry import WORKSPACE_PATH
from apiward_lab.loganalytics.service import LogAnalytics
from apiward_lab.sentinel.incidents import Incident
from apiward_lab.sentinel.model import SentinelModel
from apiward_lab.web import Call, Problem


class Registry:
    """Finds the model that a path means."""

    def __init__(self, log_analytics: LogAnalytics, now: Callable[[], datetime]) -> None:
        self.now = now
        self.models = [SentinelModel(workspace) for workspace in log_analytics.workspaces]
        self._by_id = {model.seed.resource_id.lower(): model for model in self.models}

    def workspace(self, call: Call) -> SentinelModel:
        """The workspace, with or without Sentinel on it. Raises Problem 404."""
        model = self._by_id.get(WORKSPACE_PATH.format_map(call.params).lower())
        if model is None:
            raise not_found("Microsoft.OperationalInsights/workspaces", call.params["workspace"], call.params["group"])
        return model

    def of_call(self, call: Call) -> SentinelModel:
        """The model of a workspace that has Sentinel. Raises Problem 404 or 400."""
        model = self.workspace(call)
        if not model.onboarded:
            raise Problem(
                400,
                "BadRequest",
                f"Workspace '{model.seed.name}' is not onboarded to Microsoft Sentinel; "
                "create onboardingStates/default first.",
            )
        return model

    def incident(self, call: Call) -> tuple[SentinelModel, Incident]:
        """The incident that a path names, with its model. Raises Problem 404."""
        model = self.of_call(call)
        incident = model.incident(call.params["incident"])
        if incident is None:
            raise missing("Incident", call.params["incident"])
        return model, incident


def missing(kind: str, name: str) -> Problem:
    """The answer for a thing of Sentinel that does not exist."""
    return Problem(404, "NotFound", f"{kind} '{name}' was not found.")

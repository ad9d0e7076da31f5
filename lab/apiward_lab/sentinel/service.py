"""The Sentinel service, assembled."""

from collections.abc import Sequence

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics import LogAnalytics
from apiward_lab.sentinel.incidents import Incident
from apiward_lab.sentinel.model import Run
from apiward_lab.sentinel.registry import Registry
from apiward_lab.sentinel.routes import sentinel_routes
from apiward_lab.web import Route


class Sentinel:
    """Sentinel on every workspace of `log_analytics`; its rules run as the clock moves."""

    def __init__(self, clock: VirtualClock, log_analytics: LogAnalytics) -> None:
        self._models = Registry(log_analytics, clock.now)
        self.routes: Sequence[Route] = tuple(sentinel_routes(self._models))
        for model in self._models.models:
            clock.on_advance(model.run_due, model.next_due)

    @property
    def runs(self) -> list[Run]:
        """Every run of a rule so far, failed ones included."""
        return [run for model in self._models.models for run in model.runs]

    @property
    def incidents(self) -> list[Incident]:
        """Every incident that there is."""
        return [incident for model in self._models.models for incident in model.incidents()]

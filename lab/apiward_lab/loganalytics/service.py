"""The Log Analytics service, assembled."""

from collections.abc import Callable, Iterable, Sequence

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.ingestion import Ingestion
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.query_api import QueryApi
from apiward_lab.loganalytics.quota import Quota
from apiward_lab.loganalytics.registry import Registry
from apiward_lab.loganalytics.routes import data_routes, rule_routes, search_routes, table_routes
from apiward_lab.loganalytics.rules_api import RulesApi
from apiward_lab.loganalytics.searches_api import SearchesApi
from apiward_lab.loganalytics.tables_api import TablesApi
from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.web import Route


class LogAnalytics:
    """Workspaces with tables, functions, data collection rules, ingestion and queries.

    `base_url` gives the address that new data collection rules name as their ingestion endpoint;
    `quota` makes the rate limit of each of them.
    """

    def __init__(
        self,
        clock: VirtualClock,
        workspaces: Iterable[Workspace],
        *,
        base_url: Callable[[], str],
        quota: Callable[[], Quota] = Quota,
    ) -> None:
        self._registry = Registry(workspaces)
        ingestion = Ingestion(clock, self._registry.rule_by_immutable_id, quota=quota)
        self.routes: Sequence[Route] = (
            *table_routes(TablesApi(clock, self._registry)),
            *search_routes(SearchesApi(clock, self._registry)),
            *rule_routes(RulesApi(clock, self._registry, base_url)),
            *data_routes(ingestion, QueryApi(clock, self._registry)),
        )

    @property
    def workspaces(self) -> list[WorkspaceModel]:
        """The workspaces, for services that read and write their tables."""
        return self._registry.workspaces

    def workspace(self, resource_id: str) -> WorkspaceModel | None:
        """The workspace with that ARM id, or None."""
        return self._registry.workspace(resource_id)

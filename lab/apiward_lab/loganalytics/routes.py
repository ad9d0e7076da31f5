"""Which operation is served by which handler, and the role that it needs."""

from collections.abc import Iterator

from apiward_lab.loganalytics.ingestion import Ingestion
from apiward_lab.loganalytics.query_api import QueryApi
from apiward_lab.loganalytics.registry import WORKSPACE_PATH
from apiward_lab.loganalytics.rules_api import RulesApi
from apiward_lab.loganalytics.searches_api import SearchesApi
from apiward_lab.loganalytics.tables_api import TablesApi
from apiward_lab.web import Route

_WORKSPACE_VERSIONS = ("2022-10-01", "2023-09-01")
_SEARCH_VERSIONS = ("2020-08-01", "2023-09-01")
_RULE_VERSIONS = ("2022-06-01", "2023-03-11")
_INGESTION_VERSIONS = ("2021-11-01-preview", "2023-01-01")
_SUBSCRIPTION, _GROUP = "/subscriptions/{subscription}", "/subscriptions/{subscription}/resourceGroups/{group}"


def table_routes(api: TablesApi) -> Iterator[Route]:
    """Workspaces and tables."""
    prefix, versions = "Microsoft.OperationalInsights/workspaces", _WORKSPACE_VERSIONS
    for scope in (_SUBSCRIPTION, _GROUP):
        yield Route("GET", f"{scope}/providers/{prefix}", api.list_workspaces, versions, action=f"{prefix}/read")
    yield Route("GET", WORKSPACE_PATH, api.get_workspace, versions, action=f"{prefix}/read")
    yield Route("GET", f"{WORKSPACE_PATH}/tables", api.list_tables, versions, action=f"{prefix}/tables/read")
    table = WORKSPACE_PATH + "/tables/{table}"
    for method, handler, verb in (
        ("GET", api.get_table, "read"),
        ("PUT", api.put_table, "write"),
        ("PATCH", api.patch_table, "write"),
        ("DELETE", api.delete_table, "delete"),
    ):
        yield Route(method, table, handler, versions, action=f"{prefix}/tables/{verb}")
    yield Route(
        "GET",
        _SUBSCRIPTION + "/providers/Microsoft.OperationalInsights/locations/{location}/operationStatuses/{operation}",
        api.operation_status,
        versions,
    )


def search_routes(api: SearchesApi) -> Iterator[Route]:
    """Saved searches."""
    action, path = "Microsoft.OperationalInsights/workspaces/savedSearches", f"{WORKSPACE_PATH}/savedSearches"
    yield Route("GET", path, api.list, _SEARCH_VERSIONS, action=f"{action}/read")
    yield Route("GET", path + "/{search}", api.get, _SEARCH_VERSIONS, action=f"{action}/read")
    yield Route("PUT", path + "/{search}", api.put, _SEARCH_VERSIONS, action=f"{action}/write")
    yield Route("DELETE", path + "/{search}", api.delete, _SEARCH_VERSIONS, action=f"{action}/delete")


def rule_routes(api: RulesApi) -> Iterator[Route]:
    """Data collection rules."""
    provider = "Microsoft.Insights/dataCollectionRules"
    for scope in (_SUBSCRIPTION, _GROUP):
        yield Route("GET", f"{scope}/providers/{provider}", api.list, _RULE_VERSIONS, action=f"{provider}/Read")
    rule = _GROUP + f"/providers/{provider}" + "/{rule}"
    for method, handler, verb in (
        ("GET", api.get, "Read"),
        ("PUT", api.put, "Write"),
        ("PATCH", api.patch, "Write"),
        ("DELETE", api.delete, "Delete"),
    ):
        yield Route(method, rule, handler, _RULE_VERSIONS, action=f"{provider}/{verb}")


def data_routes(ingestion: Ingestion, query: QueryApi) -> Iterator[Route]:
    """Sending and querying rows; many at once."""
    yield Route(
        "POST",
        "/dataCollectionRules/{rule}/streams/{stream}",
        ingestion.upload,
        _INGESTION_VERSIONS,
        audience="monitor",
        data_action="Microsoft.Insights/Telemetry/Write",
        rbac_scope=ingestion.scope,
        exclusive=False,
    )
    for path in ("/v1/workspaces/{customer}/query", f"/v1{WORKSPACE_PATH}/query"):
        for method in ("GET", "POST"):
            yield Route(
                method,
                path,
                query.query,
                audience="logs",
                action="Microsoft.OperationalInsights/workspaces/query/read",
                rbac_scope=query.scope,
                exclusive=False,
            )

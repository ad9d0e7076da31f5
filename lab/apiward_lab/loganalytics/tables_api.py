"""Workspaces and tables over ARM (Microsoft.OperationalInsights 2022-10-01 and 2023-09-01)."""

import uuid
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.columns import Column
from apiward_lab.loganalytics.problems import not_found
from apiward_lab.loganalytics.registry import Registry
from apiward_lab.loganalytics.schema import Table, columns_of, parse_table
from apiward_lab.loganalytics.timespans import format_datetime
from apiward_lab.loganalytics.workspace import Workspace
from apiward_lab.web import Call, Problem, Reply

_DEFAULT_RETENTION_DAYS = 30
_STANDARD = (Column("TenantId", "guid"), *columns_of("Type _ResourceId", "string"))


class TablesApi:
    """Handlers for workspaces, tables and the operations that change tables."""

    def __init__(self, clock: VirtualClock, registry: Registry) -> None:
        self._clock = clock
        self._registry = registry
        self._operations: dict[str, str] = {}

    def get_workspace(self, call: Call) -> Reply:
        """One workspace."""
        return Reply(body=_workspace_body(self._registry.of_call(call).seed))

    def list_workspaces(self, call: Call) -> Reply:
        """The workspaces of a subscription or resource group."""
        prefix = call.scope.split("/providers/")[0].lower() + "/"
        seeds = [model.seed for model in self._registry.workspaces]
        return Reply(body={"value": [_workspace_body(s) for s in seeds if s.resource_id.lower().startswith(prefix)]})

    def list_tables(self, call: Call) -> Reply:
        """All tables of a workspace."""
        model = self._registry.of_call(call)
        return Reply(body={"value": [_table_body(model.seed, table) for table in model.tables()]})

    def get_table(self, call: Call) -> Reply:
        """One table."""
        model = self._registry.of_call(call)
        return Reply(body=_table_body(model.seed, self._existing(call)))

    def put_table(self, call: Call) -> Reply:
        """Create a table, or add columns to it."""
        model = self._registry.of_call(call)
        properties = _properties(call)
        existing = model.table(call.params["table"])
        table = parse_table(existing.name if existing else call.params["table"], properties, existing)
        model.put_table(table)
        return self._accepted(call)

    def patch_table(self, call: Call) -> Reply:
        """Change a table that exists."""
        self._existing(call)
        return self.put_table(call)

    def delete_table(self, call: Call) -> Reply:
        """Delete a custom table and its rows; 204 when there is none."""
        model = self._registry.of_call(call)
        table = model.table(call.params["table"])
        if table is None:
            return Reply(204)
        if not table.custom:
            raise Problem(400, "InvalidParameter", f"Table '{table.name}' is a Microsoft table and cannot be deleted.")
        model.drop_table(table.name)
        return self._accepted(call)

    def operation_status(self, call: Call) -> Reply:
        """What Azure-AsyncOperation points to."""
        started = self._operations.get(call.params["operation"])
        if started is None:
            raise Problem(404, "OperationNotFound", f"Operation '{call.params['operation']}' was not found.")
        return Reply(
            body={
                "id": call.scope,
                "name": call.params["operation"],
                "startTime": started,
                "endTime": started,
                "status": "Succeeded",
            }
        )

    def _existing(self, call: Call) -> Table:
        table = self._registry.of_call(call).table(call.params["table"])
        if table is None:
            raise not_found(
                "Microsoft.OperationalInsights/workspaces/tables",
                f"{call.params['workspace']}/{call.params['table']}",
                call.params["group"],
            )
        return table

    def _accepted(self, call: Call) -> Reply:
        operation = str(uuid.uuid4())
        self._operations[operation] = format_datetime(self._clock.now())
        seed = self._registry.of_call(call).seed
        url = (
            f"{call.base_url}/subscriptions/{seed.subscription_id}/providers/Microsoft.OperationalInsights"
            f"/locations/{seed.location}/operationStatuses/{operation}?api-version=2023-09-01"
        )
        return Reply(202, headers={"Azure-AsyncOperation": url, "Retry-After": "1"})


def _properties(call: Call) -> Any:
    body = call.json()
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise Problem(400, "InvalidParameter", f"The body of table '{call.params['table']}' needs 'properties'.")
    return properties


def _workspace_body(seed: Workspace) -> dict[str, Any]:
    return {
        "id": seed.resource_id,
        "name": seed.name,
        "type": "Microsoft.OperationalInsights/workspaces",
        "location": seed.location,
        "properties": {
            "customerId": seed.customer_id,
            "provisioningState": "Succeeded",
            "sku": {"name": "PerGB2018"},
            "retentionInDays": _DEFAULT_RETENTION_DAYS,
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        },
    }


def _table_body(seed: Workspace, table: Table) -> dict[str, Any]:
    retention = table.retention_days or _DEFAULT_RETENTION_DAYS
    total = table.total_retention_days or retention
    own, standard = (table.columns, _STANDARD) if table.custom else ((), (*table.columns, *_STANDARD))
    return {
        "id": f"{seed.resource_id}/tables/{table.name}",
        "name": table.name,
        "type": "Microsoft.OperationalInsights/workspaces/tables",
        "properties": {
            "schema": {
                "name": table.name,
                "description": table.description,
                "tableType": "CustomLog" if table.custom else "Microsoft",
                "tableSubType": "DataCollectionRuleBased" if table.custom else "Any",
                "columns": [_column_body(column) for column in own],
                "standardColumns": [_column_body(column) for column in standard],
                "solutions": ["LogManagement"],
            },
            "plan": table.plan,
            "retentionInDays": retention,
            "totalRetentionInDays": total,
            "archiveRetentionInDays": total - retention,
            "retentionInDaysAsDefault": table.retention_days is None,
            "totalRetentionInDaysAsDefault": table.total_retention_days is None,
            "provisioningState": "Succeeded",
        },
    }


def _column_body(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": "dateTime" if column.type == "datetime" else column.type,
        "description": column.description,
        "isDefaultDisplay": False,
        "isHidden": False,
    }

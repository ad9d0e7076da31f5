"""Creates the tables, the data collection rule and the publisher role; running it again changes nothing.

Sources: Tables 2023-09-01, data collection rules 2023-03-11, role assignments 2022-04-01. Monitoring Metrics Publisher
(3913510d-42f4-4e42-8a64-420c390055eb) at the rule is what the Logs Ingestion API asks of a sender.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from azure.core.exceptions import HttpResponseError

from apiward_core.arm import ArmClient
from apiward_core.arm_id import ArmId
from apiward_core.errors import ConfigurationError, ConflictError, RejectedDataError
from apiward_core.tables import DCR_API_VERSION, TABLES_API_VERSION, all_tables, data_collection_rule

DCR_NAME = "dcr-apiward"
_WORKSPACE_VERSION = "2023-09-01"
_ROLE_VERSION = "2022-04-01"
_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
_NAMESPACE = UUID("1b4e7b52-1d0c-4a57-9d2a-5d5e3a0f7c11")


@dataclass(frozen=True)
class Ingestion:
    """Where rows are sent: the two settings that `apiward ingest` needs."""

    ingestion_endpoint: str
    dcr_immutable_id: str
    dcr_id: str


def deploy(
    arm: ArmClient, *, workspace: ArmId, publishers: Iterable[str], on_step: Callable[[str], None] = lambda _: None
) -> Ingestion:
    """Create or update everything, and let each of `publishers` (object ids of service principals) send rows.

    Raises the errors of `apiward_core.errors`, ConfigurationError before anything is made when a publisher is no object
    id. `on_step` is told what is being done.
    """
    principals = [_object_id(publisher) for publisher in publishers]
    location = arm.get(workspace.text, api_version=_WORKSPACE_VERSION)["location"]
    for table in all_tables().values():
        on_step(f"table {table.name}")
        arm.put(f"{workspace}/tables/{table.name}", table.resource(), api_version=TABLES_API_VERSION)
    on_step(f"data collection rule {DCR_NAME}")
    rule_id = (
        f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
        f"/providers/Microsoft.Insights/dataCollectionRules/{DCR_NAME}"
    )
    body = data_collection_rule(workspace_id=workspace.text, location=location)
    rule = arm.put(rule_id, body, api_version=DCR_API_VERSION)
    for principal in principals:
        on_step(f"role Monitoring Metrics Publisher for {principal}")
        _let_publish(arm, rule_id, principal, workspace.subscription_id)
    return _ingestion(rule_id, rule["properties"])


def _let_publish(arm: ArmClient, rule_id: str, principal: str, subscription_id: str) -> None:
    name = uuid5(_NAMESPACE, f"{rule_id.lower()}/{principal}")
    role = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{_PUBLISHER}"
    body = {
        "properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"},
    }
    assignments = f"{rule_id}/providers/Microsoft.Authorization/roleAssignments"
    try:
        arm.put(f"{assignments}/{name}", body, api_version=_ROLE_VERSION)
    except ConflictError as error:  # somebody gave the role already, by an assignment of another name
        if not _is_assigned(error):
            raise


def _object_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise ConfigurationError(
            f"{text!r} is no object id of an identity.",
            remedy="Give the object id (principal id) that Entra shows for the managed identity or service principal.",
        ) from error


def _is_assigned(error: ConflictError) -> bool:
    cause = error.__cause__
    return isinstance(cause, HttpResponseError) and getattr(cause.error, "code", "") == "RoleAssignmentExists"


def _ingestion(rule_id: str, properties: dict[str, Any]) -> Ingestion:
    endpoint = properties.get("endpoints", {}).get("logsIngestion")
    if not endpoint:
        raise RejectedDataError(
            f"{rule_id} has no ingestion endpoint of its own: it exists already and is not of kind Direct.",
            remedy="Delete that rule or rename it, then run infra deploy again.",
        )
    return Ingestion(endpoint, properties["immutableId"], rule_id)

"""Rows about findings and their types, with every column of the table."""

from typing import Any

import orjson

from apiward_connector.finding import content_hash, digest
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.state import ChangeType, Entry
from apiward_core.tables import SCHEMA_VERSION

Row = dict[str, Any]

TYPES = "DefenderApiRecommendationTypes_CL"
INVENTORY = "DefenderApiInventory_CL"

_UNKNOWN: Row = {
    "HttpMethod": "",
    "UrlTemplate": "",
    "ResourceTags": {},
    "IsExternal": None,
    "IsAuthenticated": None,
    "HasSensitiveData": None,
    "LastTraffic": None,
    "Owner": "",
    "DueDate": None,
}


def recommendation_row(entry: Entry, change: ChangeType, *, observed: str, run_id: str) -> Row:
    """The row that says `change` about the finding; `observed` is when that was seen.

    Columns that only the API inventory or governance fill are empty. A row written again has the same RecordId and the
    same content but for RunId.
    """
    finding = entry.finding
    return {
        "TimeGenerated": observed,
        "RecordId": _record_id(entry, change, observed),
        "FindingId": finding.finding_id,
        "Revision": entry.revision,
        "ChangeType": change,
        "RunId": run_id,
        "SchemaVersion": SCHEMA_VERSION,
        "RecommendationKey": finding.recommendation_key,
        "Recommendation": finding.recommendation,
        "RecommendationName": finding.recommendation_name,
        "Category": finding.category,
        "Severity": finding.severity,
        "RiskLevel": finding.risk_level,
        "State": finding.state,
        "PreviousState": entry.previous_state,
        "PreviousSeverity": entry.previous_severity,
        "StateCause": finding.state_cause,
        "StateDescription": finding.state_description,
        "FirstEvaluated": finding.first_evaluated or None,
        "StateChanged": finding.state_changed or None,
        "FirstSeen": entry.first_seen,
        "ResourceId": finding.resource_id,
        "ResourceType": finding.resource_type,
        "ResourceName": finding.resource_name,
        "ResourceGroup": finding.resource_group,
        "SubscriptionId": finding.subscription_id,
        "AzureTenantId": finding.tenant_id,
        "Location": finding.location,
        "ServiceId": finding.service_id,
        "ApimService": finding.apim_service,
        "ApiName": finding.api_name,
        "OperationName": finding.operation_name,
        **_UNKNOWN,
        "Exempt": finding.exempt,
        "PortalLink": finding.portal_link,
        "AdditionalData": finding.additional_data,
    }


def type_row(kind: RecommendationType, *, observed: str, run_id: str) -> Row:
    """The row of DefenderApiRecommendationTypes_CL on the day of `observed`, which is when its findings were read."""
    return {
        "TimeGenerated": observed,
        "RecordId": kind.record_id(observed[:10]),
        "RunId": run_id,
        "SchemaVersion": SCHEMA_VERSION,
        "RecommendationKey": kind.key,
        "Recommendation": kind.recommendation,
        "RecommendationName": kind.name,
        "Severity": kind.severity,
        "Description": kind.description,
        "RemediationSteps": kind.remediation_steps,
        "ImplementationEffort": kind.implementation_effort,
        "UserImpact": kind.user_impact,
        "PolicyDefinitionId": kind.policy_definition_id,
        "Threats": list(kind.threats),
        "OwaspApi": list(kind.owasp_api),
        "Plan": kind.plan,
    }


def _record_id(entry: Entry, change: ChangeType, observed: str) -> str:
    day = observed[:10] if change is ChangeType.SNAPSHOT else ""
    # FirstSeen is part of it, because a connector that lost its state counts revisions from 1 again.
    identity = [entry.finding.finding_id, entry.first_seen, entry.revision, content_hash(entry.finding), day]
    return digest(orjson.dumps(identity))

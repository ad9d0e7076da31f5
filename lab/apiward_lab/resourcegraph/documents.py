"""Resources as Resource Graph has them where it differs from their REST API.

In securityresources ids are in lower case, and an assessment's resource details have capitals and its metadata lies in
the row.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import ResourceGroup, Subscription
from apiward_lab.web import Json, timestamp

_PORTAL = "portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade"


def subscription_document(subscription: Subscription) -> Json:
    """A row of resourcecontainers."""
    return {
        "id": subscription.resource_id,
        "name": subscription.name,
        "type": "Microsoft.Resources/subscriptions",
        "properties": {"state": "Enabled"},
    }


def group_document(group: ResourceGroup) -> Json:
    """A row of resourcecontainers."""
    return {
        "id": group.resource_id,
        "name": group.name,
        "type": "Microsoft.Resources/subscriptions/resourceGroups",
        "location": group.location,
        "properties": {"provisioningState": "Succeeded"},
    }


def security_document(document: Json) -> Json:
    """What REST shows, with the id as securityresources has it."""
    return {**document, "id": document["id"].lower()}


def governance_document(document: Json) -> Json:
    """A governance assignment, which here names its assessment (`assignedResourceId`) and itself (`assignmentKey`)."""
    resource_id = document["id"].lower()
    assessment_id = resource_id.rpartition("/governanceassignments/")[0]
    names = {"assignedResourceId": assessment_id, "assignmentKey": document["name"]}
    return {**document, "id": resource_id, "properties": {**document["properties"], **names}}


def assessment_document(assessment: Assessment) -> Json:
    """An assessment, with its metadata."""
    resource_id = assessment.resource_id.lower()
    properties: dict[str, Any] = {
        "resourceDetails": {"Source": "Azure", "Id": resource_id, "ResourceType": _type_of(resource_id)},
        "displayName": assessment.definition.display_name,
        "status": {
            "code": assessment.code,
            "cause": assessment.cause or None,
            "description": assessment.description or None,
            "statusChangeDate": timestamp(assessment.status_changed),
            "firstEvaluationDate": timestamp(assessment.first_evaluated),
        },
        "additionalData": dict(assessment.additional_data),
        "metadata": assessment.definition.properties(),
        "links": {"azurePortal": _portal_link(assessment.definition.key, resource_id)},
    }
    return {
        "id": assessment.assessment_id.lower(),
        "name": assessment.definition.key,
        "type": "Microsoft.Security/assessments",
        "properties": properties,
    }


def _type_of(resource_id: str) -> str:
    """As "microsoft.apimanagement/service/apis" of ".../providers/microsoft.apimanagement/service/x/apis/y"."""
    _, marker, tail = resource_id.rpartition("/providers/")
    namespace, *rest = tail.split("/")
    return "/".join((namespace, *rest[::2])) if marker else "microsoft.resources/subscriptions"


def _portal_link(key: str, resource_id: str) -> str:
    return f"{_PORTAL}/assessmentKey/{key}/resourceId/{'%2F'.join(map(_quoted, resource_id.split('/')))}"


@lru_cache(maxsize=16_384)
def _quoted(segment: str) -> str:
    """Remembered because most ids of a tenant share most of their segments."""
    return quote(segment, safe="")

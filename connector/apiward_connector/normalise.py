"""A raw assessment into a finding. Pure: no I/O, no time."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from apiward_connector.finding import HEALTHY, NOT_APPLICABLE, UNHEALTHY, Finding, Unreadable, finding_id
from apiward_connector.place import Place, locate
from apiward_connector.rest import member, moment, text
from apiward_connector.sources.metadata import UNKNOWN, AssessmentMetadata
from apiward_core.arm_id import ArmId
from apiward_core.catalogue import UNCATALOGUED, Catalogue, Recommendation, normalised_name
from apiward_core.errors import RejectedDataError

_STATES = {state.lower(): state for state in (HEALTHY, UNHEALTHY, NOT_APPLICABLE)}
_SEVERITIES = {severity.lower(): severity for severity in ("High", "Medium", "Low")}
_OF_SERVICE = "/providers/microsoft.apimanagement/service/"
_ASSESSMENT_PART = re.compile(r"/providers/microsoft\.security/assessments(?:/([^/]*))?.*$", re.IGNORECASE | re.DOTALL)

# "API" alone says too little: Defender also assesses Kubernetes API servers, Azure API for FHIR and API apps.
_API_NAME = re.compile(r"\b(api management|api endpoints?|api gateways?|api security|defender for apis)\b")
_API_CATEGORIES = {"api", "apis", "apisecurity", "apimanagement"}
_NOT_LETTERS = re.compile(r"[^a-z]")


class Normaliser:
    """Reads the assessments of one subscription with its metadata, the catalogue and the tenant they belong to.

    `portal` is the address of the cloud's portal, without a trailing slash.
    """

    def __init__(
        self, *, metadata: Mapping[str, AssessmentMetadata], catalogue: Catalogue, tenant_id: str, portal: str
    ) -> None:
        self._metadata = metadata
        self._catalogue = catalogue
        self._tenant_id = tenant_id
        self._recommendation_page = f"{portal}/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
        self._resolved: dict[tuple[str, str, str], Recommendation | None] = {}

    def normalise(self, raw: Any) -> Finding | Unreadable | None:
        """The finding in `raw`, None when it is not about APIs.

        It is about APIs when the catalogue knows its key, policy definition or display name, when the assessed resource
        belongs to an API Management service, or when Defender's category or display name says so. Unreadable when that
        holds, or cannot be excluded, and the key or the resource is missing or malformed.
        """
        resources, key = _resource_spellings(raw), _key(raw)
        if not (resources or key):
            return Unreadable("an item without id and name", "Nothing tells which assessment it is.")
        metadata = self._metadata_of(raw, key)
        name = text(raw, "properties", "displayName") or metadata.display_name
        recommendation = self._recommendation(key, metadata.policy_definition_id, name)
        if not (recommendation or _is_of_a_service(resources) or _names_apis(name, metadata.categories)):
            return None
        what = text(raw, "id") or key
        if not key:
            return Unreadable(what, "It has no assessment key.")
        try:
            resource = _first_arm_id(resources)
        except RejectedDataError as error:
            return Unreadable(what, str(error))
        return self._finding(raw, key, name, metadata, recommendation, resource)

    def _metadata_of(self, raw: Any, key: str) -> AssessmentMetadata:
        if (listed := self._metadata.get(key)) is not None:
            return listed
        embedded = member(raw, "properties", "metadata")
        return AssessmentMetadata.parse(embedded) if isinstance(embedded, dict) else UNKNOWN

    def _recommendation(self, key: str, policy: str, name: str) -> Recommendation | None:
        asked = (key, policy, name)
        if asked not in self._resolved:
            self._resolved[asked] = self._catalogue.resolve(key, policy_definition_id=policy, display_name=name)
        return self._resolved[asked]

    def _finding(
        self,
        raw: Any,
        key: str,
        name: str,
        metadata: AssessmentMetadata,
        recommendation: Recommendation | None,
        resource: ArmId,
    ) -> Finding:
        properties = member(raw, "properties")
        status = member(properties, "status")
        additional = _object(member(properties, "additionalData"))
        place: Place = locate(resource, additional)
        cause = text(status, "cause")
        return Finding(
            finding_id=finding_id(tenant_id=self._tenant_id, resource_id=resource.text, key=key),
            recommendation_key=key,
            recommendation=recommendation.slug if recommendation else UNCATALOGUED,
            recommendation_name=name,
            category=", ".join(metadata.categories),
            severity=_known(metadata.severity, _SEVERITIES) or (recommendation.severity if recommendation else ""),
            risk_level=text(properties, "risk", "level"),
            state=_known(text(status, "code"), _STATES),
            state_cause=cause,
            state_description=text(status, "description"),
            first_evaluated=moment(status, "firstEvaluationDate"),
            state_changed=moment(status, "statusChangeDate"),
            resource_id=resource.text,
            resource_type=resource.type.lower(),
            resource_name=resource.name,
            resource_group=resource.resource_group,
            subscription_id=resource.subscription_id,
            tenant_id=self._tenant_id,
            location=text(raw, "location").lower(),
            service_id=place.service_id,
            apim_service=place.apim_service,
            api_name=place.api,
            operation_name=place.operation,
            exempt=cause.lower() == "exempt",
            portal_link=f"{self._recommendation_page}/{quote(key, safe='')}",
            additional_data=additional,
        )


def _key(raw: Any) -> str:
    in_id = _ASSESSMENT_PART.search(text(raw, "id"))
    return (text(raw, "name") or (in_id and in_id.group(1)) or "").lower()


def _resource_spellings(raw: Any) -> list[str]:
    """The places where the id of the assessed resource can stand, best first; AWS and GCP resources have two ids."""
    details = member(raw, "properties", "resourceDetails")
    ids = (text(details, "id"), text(details, "azureResourceId"), text(raw, "id"))
    return [resource for spelled in ids if (resource := _ASSESSMENT_PART.sub("", spelled))]


def _first_arm_id(spellings: list[str]) -> ArmId:
    refused = RejectedDataError("It does not say which resource was assessed.", remedy="Read it again later.")
    for spelled in spellings:
        try:
            return ArmId.read(spelled.lower())
        except RejectedDataError as error:
            refused = error
    raise refused


def _is_of_a_service(spellings: list[str]) -> bool:
    return any(_OF_SERVICE in f"/{spelled}".lower() for spelled in spellings)


def _names_apis(name: str, categories: tuple[str, ...]) -> bool:
    return bool(_API_NAME.search(normalised_name(name))) or any(
        _NOT_LETTERS.sub("", category.lower()) in _API_CATEGORIES for category in categories
    )


def _known(value: str, spellings: Mapping[str, str]) -> str:
    return spellings.get(value.lower(), value)


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}

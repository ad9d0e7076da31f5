"""Every assessment and metadata example of Microsoft's OpenAPI documents, as JSON and as the SDK reads it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.mgmt.security.v2021_06_01.models import SecurityAssessmentMetadataResponse, SecurityAssessmentResponse

from apiward_connector.finding import Finding
from apiward_connector.normalise import Normaliser
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_core.catalogue import load_catalogue
from apiward_core.clock import parse_timestamp, timestamp
from tests.contract.openapi import shared_dir

VERSIONS = ("2020-01-01", "2021-06-01")
FOLDER = "specs/specification/security/resource-manager/Microsoft.Security/stable"
API_CATEGORY = {"displayName": "API endpoints should be documented", "categories": ["API"], "severity": "Low"}


def answers(version: str, kind: str) -> Iterator[tuple[str, Any]]:
    """The documents in the answers of the examples of `kind`, lists taken apart, with the example's file name."""
    for path in sorted((shared_dir() / FOLDER / version / "examples" / kind).glob("*.json")):
        for answer in json.loads(path.read_text("utf-8"))["responses"].values():
            body = answer.get("body", {"value": []})
            yield from ((path.name, item) for item in body.get("value", [body]))


def as_sdk(model: Any, document: Any) -> Any:
    """`document` after the SDK's own deserialiser, in the REST spelling again."""
    return model.deserialize(json.loads(json.dumps(document))).serialize(keep_readonly=True)


def normalise(document: Any) -> Any:
    """The result for an assessment of which Defender says that it concerns APIs; those of the examples do not."""
    metadata = {document["name"]: AssessmentMetadata.parse(API_CATEGORY)}
    return Normaliser(metadata=metadata, catalogue=load_catalogue(), tenant_id="t").normalise(document)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_assessment_is_read_alike_from_json_and_from_the_sdk(version: str) -> None:
    documents = list(answers(version, "Assessments"))
    assert len(documents) >= 6
    for file, document in documents:
        found = normalise(document)
        assert isinstance(found, Finding), (file, found)
        assert found == normalise(as_sdk(SecurityAssessmentResponse, document)), file


@pytest.mark.parametrize("version", VERSIONS)
def test_each_assessment_keeps_what_the_example_says(version: str) -> None:
    for file, document in answers(version, "Assessments"):
        found, properties = normalise(document), document["properties"]
        status = properties["status"]
        assert found.recommendation_key == document["name"], file
        assert found.recommendation_name == properties["displayName"], file
        assert found.resource_id == document["id"].partition("/providers/Microsoft.Security/")[0], file
        assert (found.state, found.state_cause) == (status["code"], status.get("cause", "")), file
        changed = status.get("statusChangeDate")
        assert found.state_changed == (timestamp(parse_timestamp(changed)) if changed else ""), file
        assert found.portal_link == properties.get("links", {}).get("azurePortalUri", ""), file
        assert found.additional_data == properties.get("additionalData", {}), file
        assert (found.severity, found.category, found.recommendation) == ("Low", "API", "uncatalogued"), file


@pytest.mark.parametrize("version", VERSIONS)
def test_the_assessments_of_the_examples_do_not_concern_apis(version: str) -> None:
    normaliser = Normaliser(metadata={}, catalogue=load_catalogue(), tenant_id="t")
    assert [file for file, document in answers(version, "Assessments") if normaliser.normalise(document)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_each_metadata_document_is_read_alike_from_json_and_from_the_sdk(version: str) -> None:
    documents = list(answers(version, "AssessmentsMetadata"))
    assert len(documents) >= 6
    for file, document in documents:
        properties = document["properties"]
        metadata = AssessmentMetadata.parse(properties)
        sdk = as_sdk(SecurityAssessmentMetadataResponse, document)
        assert metadata == AssessmentMetadata.parse(sdk["properties"]), file
        assert metadata.display_name == properties["displayName"], file
        assert metadata.policy_definition_id == properties.get("policyDefinitionId", ""), file
        assert (metadata.severity, list(metadata.categories)) == (properties["severity"], properties["categories"]), (
            file
        )

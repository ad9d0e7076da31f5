"""Every assessment and metadata example of Microsoft's OpenAPI documents, as the connector and as the SDK read it."""

from collections.abc import Mapping
from typing import Any

from apiward_connector.assessment import ListedAssessment
from apiward_connector.finding import Finding
from apiward_connector.moments import to_text
from apiward_connector.normalise import Normaliser
from apiward_connector.reference import Reference
from apiward_connector.sources.assessments import AssessmentsSource
from apiward_connector.sources.metadata import AssessmentMetadata, MetadataSource
from apiward_core.catalogue import load_catalogue
from apiward_core.clock import parse_timestamp, timestamp
from tests.contract.defender_examples import SUBSCRIPTION, Document, answering, documents, listed
from tests.unit.connector.samples import columns, read

SCOPE = f"subscriptions/{SUBSCRIPTION}"
VERSIONS = {"2020-01-01", "2021-06-01"}
API_CATEGORY = {"displayName": "API endpoints should be documented", "categories": ["API"], "severity": "Low"}


def assessments() -> list[tuple[Document, Any]]:
    """Each assessment with what the connector's source makes of a page of all of them."""
    found = documents("assessments")
    assert len(found) >= 12
    assert {document.api_version for document in found} == VERSIONS
    [page] = AssessmentsSource(answering(listed(found))).pages(SUBSCRIPTION)
    return list(zip(found, page, strict=True))


def normaliser(metadata: Mapping[str, AssessmentMetadata]) -> Normaliser:
    reference = Reference(metadata=metadata)
    return Normaliser(reference=reference, catalogue=load_catalogue(), tenant_id="t", portal="https://portal.example")


def normalise(raw: Any) -> Finding:
    """The finding in an assessment of which Defender says that it concerns APIs; those of the examples do not."""
    metadata = {raw.name if isinstance(raw, ListedAssessment) else raw["name"]: AssessmentMetadata.parse(API_CATEGORY)}
    result = read(normaliser(metadata), raw)
    assert isinstance(result, Finding), result
    return result


def test_each_assessment_keeps_what_the_example_says() -> None:
    for document, raw in assessments():
        found, properties, where = normalise(raw), document.body["properties"], document.example
        status, row = properties["status"], columns(found)
        assert found.kind.key == document.body["name"], where
        assert found.kind.name == properties["displayName"], where
        assert found.place.resource_id == document.body["id"].partition("/providers/Microsoft.Security/")[0].lower(), (
            where
        )
        assert (found.statement.state, row["StateCause"]) == (status["code"], status.get("cause", "")), where
        changed = status.get("statusChangeDate")
        assert to_text(found.state_changed) == (timestamp(parse_timestamp(changed)) if changed else ""), where
        assert row["PortalLink"].endswith(f"/assessmentKey/{found.kind.key}"), where
        assert row["AdditionalData"] == properties.get("additionalData", {}), where
        assert (row["Severity"], row["Category"], row["Recommendation"]) == ("Low", "API", "uncatalogued"), where


def test_each_assessment_is_read_alike_from_the_page_and_from_the_sdk() -> None:
    found = assessments()
    models = answering(listed([document for document, _ in found]))(SUBSCRIPTION).assessments.list(SCOPE)
    for (document, raw), model in zip(found, models, strict=True):
        assert normalise(raw) == normalise(model.serialize(keep_readonly=True)), document.example


def test_no_assessment_carries_metadata_so_it_has_to_be_joined() -> None:
    assert [document.example for document, _ in assessments() if "metadata" in document.body["properties"]] == []


def test_the_assessments_of_the_examples_do_not_concern_apis() -> None:
    reader = normaliser({})
    assert [document.example for document, raw in assessments() if read(reader, raw)] == []


def test_each_metadata_document_keeps_what_the_example_says() -> None:
    for document, metadata in metadata_documents():
        properties, where = document.body["properties"], document.example
        assert metadata.display_name == properties["displayName"], where
        assert metadata.policy_definition_id == properties.get("policyDefinitionId", ""), where
        assert metadata.severity == properties["severity"], where
        assert list(metadata.categories) == properties["categories"], where


def test_each_metadata_document_is_read_alike_from_the_page_and_from_the_sdk() -> None:
    found = metadata_documents()
    client = answering(listed([document for document, _ in found]))(SUBSCRIPTION)
    models = client.assessments_metadata.list_by_subscription()
    for (document, metadata), model in zip(found, models, strict=True):
        spelled = model.serialize(keep_readonly=True)
        assert AssessmentMetadata.parse(spelled["properties"]) == metadata, document.example


def metadata_documents() -> list[tuple[Document, AssessmentMetadata]]:
    """Each metadata document with what the connector's source makes of it.

    Several examples show one key in different words, so each is read by itself.
    """
    found = documents("assessmentMetadata")
    assert len(found) >= 16
    assert {document.api_version for document in found} == VERSIONS
    read: list[Mapping[str, AssessmentMetadata]] = [
        MetadataSource(answering(listed([document]))).load(SUBSCRIPTION) for document in found
    ]
    return [(document, metadata[document.body["name"].lower()]) for document, metadata in zip(found, read, strict=True)]

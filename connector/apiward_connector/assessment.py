"""One assessment, in the members that apiward reads.

However a page was decoded, `Normaliser` sees this: `sources.assessment_pages` makes it where a page is spelled as
documented, which is fast, and `read_all` from whatever else JSON can be, member by member. So each rule stands once.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, field

from apiward_connector.rest import Members, as_text

ABSENT = Raw(b"null")

_ITEM = Members("id", "name", "location", "properties")
_PROPERTIES = Members("displayName", "resourceDetails", "status", "additionalData", "risk", "metadata")
_DETAILS = Members("id", "azureResourceId")
_STATUS = Members("code", "cause", "description", "firstEvaluationDate", "statusChangeDate")


class Status(Struct, gc=False, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What was found, and when."""

    code: str | None = None
    cause: str | None = None
    description: str | None = None
    first_evaluation_date: str | None = None
    status_change_date: str | None = None


class ResourceDetails(Struct, gc=False, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which resource was assessed. Resource Graph spells some members with a capital."""

    id: str | UnsetType | None = UNSET
    azure_resource_id: str | UnsetType | None = UNSET
    graph_id: str | None = field(default=None, name="Id")
    graph_azure_resource_id: str | None = field(default=None, name="AzureResourceId")
    source: str | None = None
    graph_source: str | None = field(default=None, name="Source")
    resource_type: str | None = field(default=None, name="ResourceType")
    connector_id: str | None = field(default=None, name="ConnectorId")
    workspace_id: str | None = None
    vmuuid: str | None = None
    source_computer_id: str | None = None
    machine_name: str | None = None
    server_name: str | None = None
    database_name: str | None = None

    @property
    def resource_id(self) -> str | None:
        """The id of the resource."""
        return self.graph_id if self.id is UNSET else self.id

    @property
    def azure_id(self) -> str | None:
        """The id by which Azure knows the resource when it is in another cloud."""
        return self.graph_azure_resource_id if self.azure_resource_id is UNSET else self.azure_resource_id


class Links(Struct, gc=False, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The page of the portal."""

    azure_portal_uri: str | None = None


class PartnerData(Struct, gc=False, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which partner assessed the resource."""

    partner_name: str | None = None
    secret: str | None = None


class Properties(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    """How it stands.

    `additional_data`, `risk` and `metadata` are annotated for the decoder: whoever makes properties puts the JSON value
    there, or leaves them ABSENT.
    """

    display_name: str | None = None
    resource_details: ResourceDetails = ResourceDetails()
    status: Status = Status()
    additional_data: Raw = ABSENT
    risk: Raw = ABSENT
    metadata: Raw = ABSENT


class ListedProperties(Properties, gc=False, forbid_unknown_fields=True, rename="camel"):
    """Properties with the documented members that apiward does not read."""

    links: Links | None = None
    partners_data: PartnerData | None = None


class ListedAssessment(Struct, gc=False, forbid_unknown_fields=True):
    """An item of Microsoft.Security assessments 2021-06-01."""

    properties: ListedProperties
    id: str = ""
    name: str = ""
    location: str | None = None
    type: str | None = None


class GraphAssessment(Properties, gc=False, forbid_unknown_fields=True, rename="camel"):
    """A row of Resource Graph 2021-03-01, with the properties projected to the top."""

    id: str = ""
    name: str = ""
    location: str | None = None
    subscription_id: str | None = None
    type: str | None = None

    @property
    def properties(self) -> Properties:
        """How it stands."""
        return self


Assessment = ListedAssessment | GraphAssessment
_DECODED = (ListedAssessment, GraphAssessment)


def read_all(page: Iterable[Any]) -> list[Assessment]:
    """The assessments in any JSON values, whatever the case of their members; texts are "" where there are none."""
    return [raw if type(raw) in _DECODED else _read(raw) for raw in page]


def _read(raw: Any) -> Assessment:
    item_id, name, location, properties = _ITEM.of(raw)
    display_name, details, status, additional_data, risk, metadata = _PROPERTIES.of(properties)
    return ListedAssessment(
        properties=ListedProperties(
            display_name=as_text(display_name),
            resource_details=ResourceDetails(*map(as_text, _DETAILS.of(details))),
            status=Status(*map(as_text, _STATUS.of(status))),
            additional_data=additional_data,
            risk=risk,
            metadata=metadata,
        ),
        id=as_text(item_id),
        name=as_text(name),
        location=as_text(location),
    )

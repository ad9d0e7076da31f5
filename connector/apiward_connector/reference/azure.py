"""The reader of reference data over one identity's clients."""

from apiward_connector.policies import PolicyReader
from apiward_connector.reference.reader import ReferenceReader
from apiward_connector.sources import endpoints, governance, tags
from apiward_connector.sources.exemptions import ExemptionsSource
from apiward_connector.sources.graph_rows import Graph, GraphRows
from apiward_connector.sources.inventory import InventorySource
from apiward_connector.sources.metadata import MetadataSource
from apiward_connector.sources.operations import OperationsSource
from apiward_core.clients import AzureClients
from apiward_core.clock import Clock
from apiward_core.objects import ObjectStore


def azure_reader(
    clients: AzureClients, *, graph: Graph, policies: PolicyReader, objects: ObjectStore, clock: Clock
) -> ReferenceReader:
    """A reader for one run that keeps what it reads in `objects`."""
    arm = clients.arm()

    def rows(table: str, columns: str, what: str) -> GraphRows:
        return GraphRows(graph, rows=table, columns=columns, what=what)

    return ReferenceReader(
        objects,
        clock=clock,
        metadata=MetadataSource(clients.security),
        collections=InventorySource(clients.security),
        endpoints=endpoints.EndpointsSource(
            rows(endpoints.ROWS, endpoints.COLUMNS, "the API endpoints"),
            operations=OperationsSource(clients.api_management),
        ),
        governance=governance.GovernanceSource(
            rows(governance.ROWS, governance.COLUMNS, "the governance assignments"), arm=arm
        ),
        exemptions=ExemptionsSource(arm, policies=policies, clock=clock),
        tags=tags.TagsSource(rows(tags.ROWS, tags.COLUMNS, "the tags of API hosts"), arm=arm),
    )

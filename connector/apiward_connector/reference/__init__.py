"""What is known of a subscription besides its assessments, and joined onto findings: read once a day, and kept."""

from apiward_connector.reference.inventory import Exposure
from apiward_connector.reference.joined import Governance, Reference
from apiward_connector.reference.reader import ReferenceReader

__all__ = ["Exposure", "Governance", "Reference", "ReferenceReader"]

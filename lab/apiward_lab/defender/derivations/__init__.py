"""How Defender judges the estate: one small class for each assessment, one file each."""

from collections.abc import Sequence

from apiward_lab.defender.definition import Derivation
from apiward_lab.defender.derivations.all_apis_subscriptions import AllApisSubscriptions
from apiward_lab.defender.derivations.base_policies import BasePolicies
from apiward_lab.defender.derivations.direct_management import DirectManagement
from apiward_lab.defender.derivations.encrypted_protocols import EncryptedProtocols
from apiward_lab.defender.derivations.endpoint_authentication import EndpointAuthentication
from apiward_lab.defender.derivations.management_ports import ManagementPorts
from apiward_lab.defender.derivations.plan_enabled import PlanEnabled
from apiward_lab.defender.derivations.public_blobs import PublicBlobs
from apiward_lab.defender.derivations.secure_transfer import SecureTransfer
from apiward_lab.defender.derivations.unused_endpoints import UnusedEndpoints
from apiward_lab.defender.derivations.virtual_network import VirtualNetwork

DERIVATIONS: Sequence[Derivation] = (
    EncryptedProtocols(),
    AllApisSubscriptions(),
    DirectManagement(),
    EndpointAuthentication(),
    UnusedEndpoints(),
    PlanEnabled(),
    BasePolicies(),
    VirtualNetwork(),
    SecureTransfer(),
    PublicBlobs(),
    ManagementPorts(),
)

"""How Defender judges the estate: one small class for each assessment, one file each."""

from collections.abc import Sequence

from apiward_lab.defender.definition import Derivation
from apiward_lab.defender.derivations.encrypted_protocols import EncryptedProtocols
from apiward_lab.defender.derivations.management_ports import ManagementPorts
from apiward_lab.defender.derivations.public_blobs import PublicBlobs
from apiward_lab.defender.derivations.secure_transfer import SecureTransfer
from apiward_lab.defender.derivations.virtual_network import VirtualNetwork

DERIVATIONS: Sequence[Derivation] = (
    EncryptedProtocols(),
    VirtualNetwork(),
    SecureTransfer(),
    PublicBlobs(),
    ManagementPorts(),
)

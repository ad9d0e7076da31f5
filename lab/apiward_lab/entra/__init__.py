"""Microsoft Entra ID: discovery, tokens, managed identities."""

from apiward_lab.entra.directory import Application, Directory, FederatedCredential
from apiward_lab.entra.managed_identity import ManagedIdentities
from apiward_lab.entra.service import Entra
from apiward_lab.entra.tokens import TokenAuthority

__all__ = ["Application", "Directory", "Entra", "FederatedCredential", "ManagedIdentities", "TokenAuthority"]

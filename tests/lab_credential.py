"""How a test signs in to a lab that runs in its own process."""

from azure.identity import ClientSecretCredential

from apiward_lab.lab import Lab


def credential_of(lab: Lab, identity: str) -> ClientSecretCredential:
    """The credential of one of the lab's identities, by its name. The caller closes it."""
    app = lab.applications[identity]
    return ClientSecretCredential(
        lab.estate.tenant_id,
        app.client_id,
        app.client_secret,
        authority=lab.base_url,
        disable_instance_discovery=True,
        connection_verify=str(lab.ca_bundle),
    )

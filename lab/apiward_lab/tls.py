"""The lab's own certificate authority."""

import ssl
from pathlib import Path

import trustme


class Certificates:
    """A certificate authority and a server certificate for the loopback address, made afresh each time.

    `ca_bundle` is the file that clients have to trust.
    """

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA(organization_name="apiward lab")
        self.ca_bundle = folder / "lab-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_bundle))
        self._server = authority.issue_cert("127.0.0.1", "localhost")

    def server_context(self) -> ssl.SSLContext:
        """TLS settings of the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        return context

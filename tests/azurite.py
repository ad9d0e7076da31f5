"""Azurite, Microsoft's storage emulator from npm, for the length of a test: over TLS, in memory, on free ports.

It checks the tokens that it is shown for issuer, audience and lifetime, not for a signature.
"""

import re
import shutil
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import orjson
import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.storage.blob import ContainerClient

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # published, of all
_PROGRAM = Path(__file__).parents[1] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
_OPTIONS = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent", "--oauth", "basic")
_STARTED = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at https://127\.0\.0\.1:(\d+)")
_PATIENCE = 60.0


@dataclass(frozen=True)
class Azurite:
    """Where a running emulator answers. `ca` is the PEM file that its certificate is checked with."""

    blob_url: str
    queue_url: str
    ca: Path

    @property
    def connection_string(self) -> str:
        """What a client takes that signs in with the account's key."""
        account = f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY}"
        return f"{account};BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};"

    def container(self, name: str, **options: Any) -> ContainerClient:
        """A client, signed in by the account's key, of a container that is not made yet."""
        return ContainerClient(self.blob_url, name, credential=KEY, connection_verify=str(self.ca), **options)

    @contextmanager
    def made_container(self, name: str, **options: Any) -> Iterator[ContainerClient]:
        """A client of a new, empty container; it is closed at the end."""
        with self.container(name, **options) as container:
            container.create_container()
            yield container


class StorageCredential:
    """Signs in whom Azurite lets in. Keeps the scopes that a token was asked for."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        now = int(time.time())
        claims = {
            "aud": scopes[0].removesuffix("/.default"),
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + 3600,
        }
        return AccessToken(".".join((_part({"alg": "none", "typ": "JWT"}), _part(claims), "")), now + 3600)


def _part(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


@contextmanager
def running_azurite(folder: Path) -> Iterator[Azurite]:
    """Start Azurite and end it afterwards; its certificate goes into `folder`. Skips where node_modules has none."""
    node = shutil.which("node")
    if node is None or not _PROGRAM.exists():
        pytest.skip("Azurite is not installed: make setup")
    authority, certificate, key = folder / "azurite-ca.pem", folder / "azurite.pem", folder / "azurite.key"
    _issue(authority, certificate, key)
    ports = ("--blobPort", "0", "--queuePort", "0", "--tablePort", "0")
    command = [node, str(_PROGRAM), *_OPTIONS, *ports, "--cert", str(certificate), "--key", str(key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder) as process:
        try:
            found = _ports(process)
            blob, queue = (f"https://127.0.0.1:{found[service]}/{ACCOUNT}" for service in ("Blob", "Queue"))
            yield Azurite(blob, queue, authority)
        finally:
            process.kill()  # it keeps nothing


def _issue(authority: Path, certificate: Path, key: Path) -> None:
    maker = trustme.CA()
    issued = maker.issue_cert("127.0.0.1")
    maker.cert_pem.write_to_path(authority)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)


def _ports(process: subprocess.Popen[str]) -> dict[str, int]:
    """The port of each service, once it answers. The output is read to its end, lest the process wait for a reader."""
    lines: Queue[str] = Queue()
    if process.stdout is None:
        raise RuntimeError("Azurite was started without its output")
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    ports: dict[str, int] = {}
    said: list[str] = []
    deadline = time.monotonic() + _PATIENCE
    while len(ports) < 3 and process.poll() is None and time.monotonic() < deadline:
        try:
            said.append(lines.get(timeout=1))
        except Empty:
            continue
        if started := _STARTED.search(said[-1]):
            ports[started[1]] = int(started[2])
    if len(ports) < 3:
        raise RuntimeError("Azurite did not start: " + "".join(said))
    return ports


def _read(output: IO[str], lines: "Queue[str]") -> None:
    for line in output:
        lines.put(line)

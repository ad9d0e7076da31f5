"""The connector's Function App in the lab's Functions host, a process of its own, with its queue in Azurite."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, Self

import requests
from azure.storage.queue import QueueClient

from apiward_connector.work_queue import QUEUE
from tests.azurite import Azurite

APP = Path(__file__).parents[2] / "connector" / "function_app.py"
PATIENCE = 60.0
Invocation = dict[str, Any]
AT_ONCE = "AzureFunctionsJobHost__extensions__queues__visibilityTimeout"


class FunctionApp:
    """The app under these app settings; what failed is tried again at once. A context manager.

    Its invocations go to `heard`, which several of them may share.
    """

    def __init__(self, settings: Mapping[str, str], azurite: Azurite, *, heard: "Queue[Invocation]") -> None:
        self._settings = {**settings, "AzureWebJobsStorage": azurite.connection_string, AT_ONCE: "00:00:00"}
        self._command = [sys.executable, "-m", "apiward_lab.functions", str(APP), "--storage-ca", str(azurite.ca)]
        self._heard = heard
        self._about: Queue[dict[str, Any]] = Queue()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        about = self._about.get(timeout=PATIENCE)
        self._base_url, self._ca, self._keys = about["base_url"], about["ca_bundle"], about["keys"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=PATIENCE)

    @property
    def master_key(self) -> str:
        """The key that opens everything."""
        return str(self._keys["master"])

    @property
    def host_key(self) -> str:
        """The key of functions at the level "function"."""
        return str(self._keys["host"])

    def post(self, path: str, *, key: str | None = None, body: object = None) -> requests.Response:
        """Ask over HTTPS."""
        return requests.post(
            self._base_url + path,
            json=body,
            headers={"x-functions-key": key} if key else {},
            verify=self._ca,
            timeout=PATIENCE,
        )

    def invocations(self, count: int) -> list[Invocation]:
        """The next invocations, in the order in which they end. Raises queue.Empty when they do not come."""
        return [self._heard.get(timeout=PATIENCE) for _ in range(count)]

    def _read(self) -> None:
        assert self._process.stdout
        self._about.put(json.loads(self._process.stdout.readline()))
        for line in self._process.stdout:
            self._heard.put(json.loads(line))


def queue(azurite: Azurite, name: str = QUEUE) -> QueueClient:
    """A client of one of the app's queues."""
    return QueueClient.from_connection_string(azurite.connection_string, name, connection_verify=str(azurite.ca))


def send(azurite: Azurite, text: str) -> None:
    """Put a message on the app's queue, encoded as the host expects it."""
    queue(azurite).send_message(base64.b64encode(text.encode()).decode())

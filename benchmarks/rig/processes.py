"""The processes of a benchmark: the service, and a fresh one for each thing that is measured."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rig.estate import Estate

_HERE = Path(__file__).parent.parent
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
"""Of the environment: proxies and certificate bundles would change what is measured, and so would its size."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service and the estate that it gives out. `ca` is the file of its certificate authority."""

    estate: Estate
    url: str
    ca: str

    def show(self, generation: int) -> None:
        """Give the estate out as it is in that generation."""
        self._ask(f"/_bench/generation/{generation}")

    def intake(self) -> Mapping[str, Any]:
        """What was uploaded since it was asked last; `rig.intake` says what is in it."""
        found: Mapping[str, Any] = self._ask("/_bench/intake")
        return found

    def quota(self) -> Mapping[str, float]:
        """How Resource Graph's quota was used; `rig.quota` says what is in it."""
        found: Mapping[str, float] = self._ask("/_bench/quota")
        return found

    def _ask(self, path: str) -> Any:
        trust = ssl.create_default_context(cafile=self.ca)
        with closing(HTTPSConnection(urlsplit(self.url).netloc, context=trust)) as connection:
            connection.request("GET", path)
            return json.load(connection.getresponse())


@dataclass(frozen=True, slots=True)
class Usage:
    """What a piece of work took, in seconds and MB (of 1,048,576 bytes), and what it had to say."""

    wall: float
    cpu: float
    peak_mb: float
    said: Mapping[str, Any]


@contextmanager
def serving(estate: Estate) -> Iterator[Service]:
    """A service for `estate`, in a process of its own."""
    command = [sys.executable, "-m", "rig.service", str(estate.rows_each), str(estate.subscriptions)]
    with _start(command) as process:
        if process.stdout is None:
            raise RuntimeError("the service was started without a pipe")
        yield Service(estate, **json.loads(process.stdout.readline()))  # it ends when the pipes are closed


def measure(work: str, **about: Any) -> Usage:
    """Do a piece of work of `rig.work`, with these arguments, in a fresh process. Raises RuntimeError when it fails."""
    with _start([sys.executable, "-m", "rig.work", work]) as process:
        out, _ = process.communicate(json.dumps(about))
    if process.returncode:
        raise RuntimeError(f"{work} ended with exit code {process.returncode}")
    return Usage(**json.loads(out))


def _start(command: list[str]) -> subprocess.Popen[str]:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - this interpreter and a module of ours
        command, cwd=_HERE, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

"""The lab as a process of its own, and what the command line asks of its control plane."""

import json
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from apiward_core.errors import ConfigurationError, RejectedDataError, TransientError
from apiward_core.files import private_file
from apiward_core.settings import Settings, explicit_settings

DESCRIPTOR = Path(".apiward") / "lab.json"
GUARDRAILS = Path(__file__).parent / "demo_guardrails.yaml"
_PARTS = {"base_url", "ca_bundle", "control_key", "identities", "subscriptions", "tenant_id", "workspace"}


@dataclass(frozen=True)
class LabHandle:
    """A running lab, as its descriptor says."""

    descriptor: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path) -> Self:
        """The lab whose descriptor is in a file. Raises ConfigurationError when there is none."""
        try:
            descriptor = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise _no_descriptor(path) from error
        if not isinstance(descriptor, dict) or not descriptor.keys() >= _PARTS:
            raise _no_descriptor(path)
        return cls(descriptor)

    def variables(self, identity: str) -> dict[str, str]:
        """The APIWARD_* variables for one of the lab's identities, the clock's offset included."""
        who = self._identity(identity)
        workspace = self.descriptor["workspace"]
        return {
            "APIWARD_CLOUD": "custom",
            "APIWARD_ARM_ENDPOINT": self.descriptor["base_url"],
            "APIWARD_LOGS_ENDPOINT": self.descriptor["base_url"],
            "APIWARD_CA_BUNDLE": self.descriptor["ca_bundle"],
            "APIWARD_CLOCK_OFFSET": str(self.offset()),
            "APIWARD_TENANT_ID": self.descriptor["tenant_id"],
            "APIWARD_CREDENTIAL": "client_secret",
            "APIWARD_CLIENT_ID": who["client_id"],
            "APIWARD_CLIENT_SECRET": who["client_secret"],
            "APIWARD_SUBSCRIPTIONS": ",".join(entry["id"] for entry in self.descriptor["subscriptions"]),
            "APIWARD_WORKSPACE_ID": workspace["resource_id"],
            "APIWARD_WORKSPACE_CUSTOMER_ID": workspace["customer_id"],
            "APIWARD_GUARDRAILS_FILE": str(GUARDRAILS),
            **self._deployed(identity),
        }

    def write(self, path: Path, *, deployed: Mapping[str, str], state: Path) -> None:
        """Keep the descriptor in a file, with the settings of what was deployed and the parent of the state folders."""
        known = {**self.descriptor, "deployed": dict(deployed), "state": str(state)}
        private_file(path).write_text(json.dumps(known), "utf-8")

    def settings(self, identity: str, **more: Any) -> Settings:
        """The settings of one of the lab's identities."""
        named = {name.removeprefix("APIWARD_").lower(): value for name, value in self.variables(identity).items()}
        return explicit_settings(**(named | more))

    def object_id(self, identity: str) -> str:
        """The object id of one of the lab's identities."""
        return str(self._identity(identity)["object_id"])

    def offset(self) -> float:
        """How many seconds the lab's clock is ahead of real time."""
        return float(self._ask("GET", "/_lab/clock")["offset_seconds"])

    def advance(self, seconds: float) -> Mapping[str, Any]:
        """Move the lab's clock; everything that falls due happens before this returns."""
        return self._ask("POST", "/_lab/clock", {"advance_seconds": seconds})

    def add_fault(self, **fault: Any) -> Sequence[Mapping[str, Any]]:
        """Switch a fault on, given by the fields of the lab's `Fault`, and return all that are on."""
        return self._faults("POST", fault)

    def faults(self) -> Sequence[Mapping[str, Any]]:
        """The faults that are on, with how often each was met."""
        return self._faults("GET")

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._faults("DELETE")

    def _faults(self, method: str, body: Any = None) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self._ask(method, "/_lab/faults", body)["value"]
        return found

    def _identity(self, name: str) -> Mapping[str, str]:
        identities: Mapping[str, Mapping[str, str]] = self.descriptor["identities"]
        if name not in identities:
            raise ConfigurationError(
                f"The lab has no identity {name!r}.", remedy=f"Use one of {', '.join(identities)}."
            )
        return identities[name]

    def _deployed(self, identity: str) -> dict[str, str]:
        found = {f"APIWARD_{name.upper()}": value for name, value in self.descriptor.get("deployed", {}).items()}
        if state := self.descriptor.get("state"):
            found["APIWARD_STATE_DIR"] = str(Path(state) / identity)
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Mapping[str, Any]:
        request = Request(  # noqa: S310 - the address is the lab's own, https
            f"{self.descriptor['base_url']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-lab-key": self.descriptor["control_key"], "Content-Type": "application/json"},
        )
        try:
            trust = ssl.create_default_context(cafile=self.descriptor["ca_bundle"])
            with urlopen(request, timeout=120, context=trust) as answer:  # noqa: S310
                found: Mapping[str, Any] = json.load(answer)
        except HTTPError as refusal:
            with refusal:
                raise RejectedDataError(
                    f"The lab refused {method} {path} with {refusal.code}: {refusal.read(2000).decode()}",
                    remedy="If it is a lab of another version, stop it, and start one with: apiward lab up",
                ) from refusal
        except OSError as error:
            raise TransientError(
                f"The lab at {self.descriptor['base_url']} does not answer.", remedy="Start it with: apiward lab up"
            ) from error
        return found


def _no_descriptor(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"There is no lab descriptor in {path}.", remedy="Start a lab in this folder with: apiward lab up"
    )


class LabProcess:
    """A lab in a child process that ends with this one, however this one ends. A context manager."""

    def __init__(self, *, estate: str = "small", port: int = 0, descriptor: Path | None = None) -> None:
        self._command = [sys.executable, "-m", "apiward_lab", "--until-stdin-closes"]
        self._command += ["--estate", estate, "--port", str(port)]
        self._command += ["--descriptor", str(descriptor)] if descriptor else []

    def __enter__(self) -> LabHandle:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )  # a session of its own, so that Ctrl-C is told to us alone
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        except BaseException:
            self._end()
            raise
        if not line:
            self._end()
            raise TransientError(
                f"The lab ended at once with code {self._process.returncode}.",
                remedy="Read what it printed above; if modules are missing: pip install 'apiward[lab]'.",
            )
        return LabHandle(json.loads(line))

    def wait(self) -> int:
        """Wait until the lab ends, or Ctrl-C ends it. Returns its exit code."""
        try:
            return self._process.wait()
        except KeyboardInterrupt:
            if self._process.stdin:
                self._process.stdin.close()
            return self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()  # not before: it may still be starting, and print its descriptor

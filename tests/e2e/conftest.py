"""A lab in which the loop has come as far as incidents."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_lab.lab import Lab

GUARDRAILS = Path(__file__).parent / "guardrails.yaml"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Raised:
    """A lab whose workspace has incidents, and the demo's means to go on with it."""

    lab: Lab
    demo: Demo

    def environment(self, identity: str) -> dict[str, str]:
        """The variables with which a command works against the lab as one identity."""
        mine = {f"APIWARD_{name.upper()}": value for name, value in self.demo.more_settings.items()}
        mine["APIWARD_STATE_DIR"] = str(self.demo.folder / identity)
        others = {name: value for name, value in os.environ.items() if not name.startswith("APIWARD_")}
        return others | self.demo.lab.variables(identity) | mine

    def command(self, identity: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the apiward command as one identity."""
        return self.python(identity, "-c", "from apiward.main import run; run()", *arguments)

    def python(self, identity: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python as one identity."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment(identity),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raised]:
    """Tables, rules, one connector run, and the incidents that came of it."""
    console.out.quiet = True
    with Lab.start() as lab:
        demo = Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("state"))
        demo.prepare()
        demo.ingest("")
        demo.raise_incidents()
        demo.more_settings["guardrails_file"] = str(GUARDRAILS)
        yield Raised(lab, demo)
    console.out.quiet = False
    assert list(lab.unknown_routes) == []

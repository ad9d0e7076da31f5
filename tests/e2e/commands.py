"""The apiward command in a process of its own, under variables that a test chooses."""

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

AT_ONCE = 4  # some of them only wait


def varied(environment: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment with some APIWARD_* settings replaced, by their names in lower case; None takes one away."""
    replaced = {f"APIWARD_{name.upper()}": value for name, value in changes.items()}
    kept = {name: value for name, value in environment.items() if name not in replaced}
    return kept | {name: value for name, value in replaced.items() if value is not None}


def apiward(*arguments: str, environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, where it looks for apiward.toml."""
    return subprocess.run(
        [sys.executable, "-c", "from apiward.main import run; run()", *arguments],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Command:
    """A command with its variables and its folder."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def run_all(commands: Mapping[str, Command]) -> dict[str, subprocess.CompletedProcess[str]]:
    """What became of each command, by the same names; several run at a time."""

    def run(command: Command) -> subprocess.CompletedProcess[str]:
        return apiward(*command.arguments, environment=command.environment, folder=command.folder)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(commands, pool.map(run, commands.values()), strict=True))


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """What a refused command says: what is wrong, and what to do. Nothing else may be printed."""
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[1].startswith("What to do: ")
    return lines[0], lines[1]

"""One bash that is typed into line by line, as a person does it; what a line exports, the next one has."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_DONE = "=== done:"


class Shell:
    """A bash in `folder` with this environment's commands first on its PATH. A context manager."""

    def __init__(self, folder: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("APIWARD_")}
        self._folder = folder
        self._environment = {**clean, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def run(self, line: str) -> tuple[int, str]:
        """Type a line; returns its exit code and what it printed."""
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f'{line} </dev/null\necho "{_DONE} $?"\n')
        self._bash.stdin.flush()
        printed: list[str] = []
        for told in self._bash.stdout:
            if told.startswith(_DONE):
                return int(told.removeprefix(_DONE)), "".join(printed)
            printed.append(told)
        raise AssertionError(f"bash ended at {line!r}: {''.join(printed)}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bash.communicate(timeout=30)

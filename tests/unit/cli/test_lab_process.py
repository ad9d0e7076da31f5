"""A lab's process, from its start to its end, and its descriptor."""

import subprocess
import sys
from pathlib import Path

import pytest

from apiward.lab_process import LabHandle, LabProcess
from apiward_core.errors import ConfigurationError, RejectedDataError, TransientError


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b'{"base_url": "https://127.0.0.1"}', b"\xff"])
def test_a_file_that_is_no_descriptor_is_named(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "lab.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=f"no lab descriptor in {path}"):
        LabHandle.load(path)


def test_a_lab_that_is_gone_is_named_with_what_starts_it(tmp_path: Path) -> None:
    with LabProcess(descriptor=tmp_path / "lab.json"):
        left = LabHandle.load(tmp_path / "lab.json")
        assert left.offset() == 0
    with pytest.raises(TransientError, match="apiward lab up"):
        left.offset()


def test_a_lab_that_cannot_listen_says_why_and_leaves_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    with LabProcess() as lab:
        port = int(lab.descriptor["base_url"].rpartition(":")[2])
        with pytest.raises(TransientError, match="ended at once"), LabProcess(port=port):
            pass
    assert f"cannot listen on port {port}" in capfd.readouterr().err


def test_what_the_lab_refuses_is_said(tmp_path: Path) -> None:
    with LabProcess() as lab, pytest.raises(RejectedDataError, match="must be a number of seconds, zero or more"):
        lab.advance(-1)


STARTS_FOREVER = """
import os, signal, sys
os.kill(os.getppid(), signal.SIGINT)
sys.stdin.read()
print("{}", flush=True)
"""
INTERRUPTED = f"""
import sys
from apiward.lab_process import LabProcess
process = LabProcess()
process._command = [sys.executable, "-c", {STARTS_FOREVER!r}]
try:
    with process:
        pass
except KeyboardInterrupt:
    print("interrupted, and the lab ended with", process._process.returncode)
"""


def test_a_lab_that_is_still_starting_at_ctrl_c_ends_quietly_first() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("interrupted, and the lab ended with 0\n", "")

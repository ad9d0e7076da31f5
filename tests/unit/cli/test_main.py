"""What ends the command line early, and what it leaves behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apiward.lab_process import DESCRIPTOR, LabHandle

RUN = "from apiward.main import run; run()"
INTERRUPTED_IMPORT = f"""
import sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
{RUN}
"""
LAB_UP = (sys.executable, "-c", RUN, "lab", "up")


@contextmanager
def lab_up(folder: Path, *before: str) -> Iterator[subprocess.Popen[str]]:
    """`apiward lab up`, serving, its process."""
    with subprocess.Popen(
        [*before, *LAB_UP], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert "The lab is up" in process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_while_it_is_loading_leaves_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_takes_the_lab_and_its_descriptor_along(tmp_path: Path, number: signal.Signals) -> None:
    with lab_up(tmp_path) as process:
        assert (tmp_path / DESCRIPTOR).exists()
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    assert not (tmp_path / DESCRIPTOR).exists()


def test_a_lab_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    with lab_up(tmp_path, "nohup") as process:
        process.send_signal(signal.SIGHUP)
        assert LabHandle.load(tmp_path / DESCRIPTOR).offset() == 0
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM

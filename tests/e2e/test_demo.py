"""The demo as a newcomer runs it: another process, its own lab, nothing but the command."""

import json
import subprocess
import sys
from pathlib import Path

DEMO = [sys.executable, "-c", "from apiward.main import run; run()", "demo"]


def test_its_figures_add_up(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["closed"] == 1
    assert told["open"] > 0
    assert told["closed"] + told["open"] == sum(told["incidents"].values())
    assert told["remediated"] == 2
    assert told["findings"] > told["remediated"]
    assert told["ingested"] > told["findings"]
    assert list(tmp_path.iterdir()) == []


def test_it_is_deaf_to_settings_that_are_meant_for_azure(tmp_path: Path) -> None:
    (tmp_path / "apiward.toml").write_text('cloud = "public"\nsubscriptions = ["not a guid"]\n')
    done = subprocess.run([*DEMO], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 closed" in done.stdout

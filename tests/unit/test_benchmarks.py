"""The benchmark of the connector runs, and prints its figures."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "connector.py"
SUBSCRIPTIONS = 50


def test_a_quick_look_prints_every_figure_as_json() -> None:
    command = [sys.executable, str(BENCHMARK), "--rows", "100", "--rounds", "1", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures) == {
        "rows_per_cpu_second_ratio",
        "rows_per_second_ratio",
        "az_rows_per_cpu_second_ratio",
        "peak_mb",
        "peak_ratio_1m_to_100k",
        "state_bytes_per_finding",
        "state_load_seconds",
        "second_run_rows",
        "second_run_cpu_ratio",
        "quota_use",
    }
    changed, health = SUBSCRIPTIONS, SUBSCRIPTIONS
    assert figures["second_run_rows"] == changed + health

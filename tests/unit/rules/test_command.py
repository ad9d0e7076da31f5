"""apiward rules: what it prints and how it ends, without settings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from apiward.commands.rules import app
from apiward_core.errors import ConfigurationError
from apiward_core.kql_check import PACKAGE
from tests.unit.rules.workspace import row

HIGH = "api-recommendation-high"
RULE = {
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "name": "Findings seen",
    "description": "Identifies findings.",
    "severity": "Low",
    "status": "Available",
    "requiredDataConnectors": [],
    "queryFrequency": "1h",
    "queryPeriod": "1d",
    "triggerOperator": "gt",
    "triggerThreshold": 0,
    "query": "ApiRecommendationCurrent() | project FindingId, Severity",
    "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
    "incidentConfiguration": {
        "createIncident": False,
        "groupingConfiguration": {
            "enabled": False,
            "reopenClosedIncident": False,
            "lookbackDuration": "5h",
            "matchingMethod": "AllEntities",
        },
    },
    "version": "1.0.0",
    "kind": "Scheduled",
}

needs_parser = pytest.mark.skipif(
    not (Path(__file__).parents[3] / PACKAGE).is_dir(), reason="node_modules is absent: run make setup"
)


def apiward(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def own(folder: Path, *expected: str, **changes: Any) -> Path:
    """A folder with a rule of one sample, which has the finding f1 and expects alerts for these."""
    alerts = [{"columns": {"FindingId": finding}} for finding in expected]
    sample = {"name": "one finding", "rows": [{"columns": row()}], "alerts": alerts}
    tests = {"now": "2026-11-23T12:00:00Z", "table": "DefenderApiRecommendations_CL", "samples": [sample]}
    folder.mkdir(exist_ok=True)
    (folder / "seen.yaml").write_text(yaml.safe_dump({**RULE, "tests": tests, **changes}), "utf-8")
    return folder


def test_samples_are_counted_for_machines() -> None:
    result = apiward("test", "--rule", HIGH, "--json")
    (rule,) = json.loads(result.stdout)["rules"]
    assert (result.exit_code, rule["name"], rule["failed"]) == (0, HIGH, [])
    assert rule["passed"] == rule["samples"] > 10


def test_a_rule_of_ones_own_is_tried_with_our_functions(tmp_path: Path) -> None:
    result = apiward("test", own(tmp_path, "f1"))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2].split() == ["seen", "1", "1"]


def test_a_failing_sample_is_shown_and_fails_the_command(tmp_path: Path) -> None:
    result = apiward("test", own(tmp_path, "f2"))
    assert result.exit_code == 1
    assert "failed: seen: one finding" in result.stdout
    assert '{"FindingId":"f2"}' in result.stdout
    assert '{"FindingId":"f1"}' in result.stdout
    (rule,) = json.loads(apiward("test", tmp_path, "--json").stdout)["rules"]
    assert (rule["samples"], rule["passed"]) == (1, 0)
    assert [(one["sample"], one["got"]) for one in rule["failed"]] == [("one finding", [{"FindingId": "f1"}])]


def test_a_query_that_cannot_run_fails_its_samples_and_says_why(tmp_path: Path) -> None:
    result = apiward("test", own(tmp_path, "f1", query="ApiRecommendationCurrent() | where Colour == 1"))
    assert result.exit_code == 1
    assert "'Colour'" in result.stdout


def test_an_unknown_rule_is_refused_with_those_that_there_are() -> None:
    result = apiward("test", "--rule", "nope")
    assert isinstance(result.exception, ConfigurationError)
    assert "no rule nope" in str(result.exception)
    assert HIGH in str(result.exception)


@pytest.mark.parametrize("command", ["test", "validate"])
@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_a_folder_without_rules_is_refused(tmp_path: Path, command: str, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    result = apiward(command, tmp_path / folder)
    assert isinstance(result.exception, ConfigurationError)
    assert folder in str(result.exception)


def test_without_the_local_engine_the_extra_is_named() -> None:
    program = "import sys; sys.modules['duckdb'] = None; from apiward.main import run; run()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "rules", "test"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == ConfigurationError.exit_code
    assert "Install apiward[lab]" in ended.stderr
    assert "Traceback" not in ended.stderr


@needs_parser
def test_what_is_shipped_is_valid() -> None:
    result = apiward("validate", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, {tuple(one["faults"]) for kind in found.values() for one in kind}) == (0, {()})
    assert {"name": HIGH, "faults": []} in found["rules"]
    assert {"name": "ApiRecommendationCurrent", "faults": []} in found["functions"]


@needs_parser
def test_rules_of_ones_own_are_checked_with_our_tables_and_functions(tmp_path: Path) -> None:
    result = apiward("validate", own(tmp_path, "f1"))
    assert result.exit_code == 0
    wrong = apiward("validate", own(tmp_path, "f1", query="ApiRecommendationCurrent() | where Colour == 1"), "--json")
    (rule,) = json.loads(wrong.stdout)["rules"]
    assert wrong.exit_code == 1
    assert "KS142" in rule["faults"][0]

"""The demo's figures, held against what the lab itself has: Defender's assessments and Sentinel's incidents."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_lab.defender.ledger import Assessment
from apiward_lab.lab import Lab
from apiward_lab.sentinel.incidents import Incident

DEMO = [sys.executable, "-c", "from apiward.main import run; run()", "demo"]


Group = tuple[str, str]  # assessment key and service


@dataclass(frozen=True)
class Told:
    """A demo that has ended: what it told, and the lab as it left it and as it found it."""

    figures: dict[str, Any]
    lab: Lab
    at_first: frozenset[str]

    @property
    def unhealthy(self) -> list[Assessment]:
        """Defender's unhealthy assessments of APIs."""
        return [row for row in about_apis(self.lab) if row.code == "Unhealthy"]

    @property
    def incidents(self) -> list[Incident]:
        """Sentinel's incidents."""
        return self.lab.sentinel.incidents


def about_apis(lab: Lab) -> list[Assessment]:
    return [
        row
        for row in lab.defender.ledger.rows
        if "/microsoft.apimanagement/" in row.resource_id.lower() or row.resource_id.count("/") == 2
    ]


def group_of(row: Assessment) -> Group:
    return row.definition.key, "/".join(row.resource_id.lower().split("/")[:9])


def groups_of(incident: Incident) -> set[Group]:
    details = [alert.custom_details for alert in incident.alerts]
    return {(detail["RecommendationKey"][0], detail["ServiceId"][0]) for detail in details}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One demo against a lab of this process."""
    console.out.quiet = True
    with Lab.start() as lab:
        at_first = frozenset(row.assessment_id for row in about_apis(lab) if row.code == "Unhealthy")
        demo = Demo(LabHandle(lab.descriptor()), tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("reports"))
        yield Told(demo.play(), lab, at_first)
    console.out.quiet = False
    assert list(lab.unknown_routes) == []


def test_every_incident_is_counted_once_and_is_closed_or_open(told: Told) -> None:
    severities = Counter(incident.severity for incident in told.incidents)
    assert told.figures["incidents"] == {severity: severities[severity] for severity in ("High", "Medium", "Low")}
    assert min(told.figures["incidents"].values()) > 0
    closed = sum(incident.status == "Closed" for incident in told.incidents)
    assert (told.figures["closed"], told.figures["open"]) == (closed, len(told.incidents) - closed)
    assert told.figures["closed"] > 0
    assert told.figures["open"] > 0


def test_an_incident_is_closed_exactly_when_defender_finds_nothing_unhealthy_in_it(told: Told) -> None:
    unhealthy = {group_of(row) for row in told.unhealthy}
    assert {incident.number: incident.status == "Closed" for incident in told.incidents} == {
        incident.number: not groups_of(incident) & unhealthy for incident in told.incidents
    }


def test_every_unhealthy_finding_is_in_one_open_incident(told: Told) -> None:
    open_groups = Counter(
        group for incident in told.incidents if incident.status != "Closed" for group in groups_of(incident)
    )
    assert {group_of(row): open_groups[group_of(row)] for row in told.unhealthy} == {
        group_of(row): 1 for row in told.unhealthy
    }


def test_what_was_remediated_is_healthy_and_what_was_rolled_back_is_not(told: Told) -> None:
    now = {row.assessment_id: row.code for row in about_apis(told.lab)}
    became = Counter(now.get(assessment_id) for assessment_id in told.at_first)
    assert became["Healthy"] == told.figures["remediated"] > 0
    assert told.figures["rolled_back"] == 1
    kept = [row for row in told.unhealthy if row.status_changed > row.first_evaluated]
    assert [row.definition.display_name for row in kept if row.assessment_id in told.at_first] == [
        "API Management direct management endpoint should not be enabled"
    ]


def test_each_assessment_is_one_finding(told: Told) -> None:
    assert told.figures["findings"] == len(about_apis(told.lab))
    assert told.figures["ingested"] > told.figures["findings"]


def test_the_report_is_where_it_says(told: Told) -> None:
    [report] = told.figures["reports"]
    assert Path(report).read_text("utf-8").lower().startswith("<!doctype html>")


def test_the_command_prints_one_object_and_leaves_only_the_report(tmp_path: Path) -> None:
    (tmp_path / "apiward.toml").write_text('cloud = "public"\nsubscriptions = ["not a guid"]\n')
    done = subprocess.run([*DEMO, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert list(told) == [
        "findings", "ingested", "incidents", "remediated", "rolled_back", "closed", "open", "reports", "seconds",
    ]  # fmt: skip
    assert told["closed"] + told["open"] == sum(told["incidents"].values())
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == [
        Path("apiward-demo/api-posture-leadership.html"),
        Path("apiward.toml"),
    ]

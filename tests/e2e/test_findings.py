"""`apiward findings` as a process of its own: what it says is what Defender has, and its ids lead on."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from apiward_core.catalogue import UNCATALOGUED, load_catalogue
from tests.e2e.commands import apiward, refusal, varied
from tests.e2e.conftest import Raised


def listed(raised: Raised, *options: str) -> Any:
    """What `findings list --json` says."""
    done = raised.command("playbooks", "findings", "list", "--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def unhealthy(raised: Raised, key: str) -> set[str]:
    """The resources that Defender itself finds Unhealthy for an assessment key."""
    rows = raised.lab.defender.ledger.rows
    return {row.resource_id.lower() for row in rows if row.definition.key == key and row.code == "Unhealthy"}


def test_it_lists_what_defender_finds_the_most_severe_first(raised: Raised) -> None:
    told = listed(raised, "--limit", "10000")
    findings = told["findings"]
    assert told["shown"] == told["matching"] == len(findings) < told["current"]
    assert {finding["state"] for finding in findings} == {"Unhealthy"}
    severities = [finding["severity"] for finding in findings]
    assert severities == sorted(severities, key=["High", "Medium", "Low"].index)
    assert len(set(severities)) > 1
    for slug in ("apim-encrypted-protocols", "apim-direct-management"):
        mine = [finding for finding in findings if finding["recommendation"] == slug]
        entry = load_catalogue().by_slug(slug)
        assert {finding["resource_id"].lower() for finding in mine} == unhealthy(raised, entry.key or "") != set()
        assert {finding["remediation"] for finding in mine} == {entry.remediation}


def test_conditions_and_limit_choose_among_them(raised: Raised) -> None:
    everything = listed(raised, "--state", "all", "--limit", "10000")
    states = Counter(finding["state"] for finding in everything["findings"])
    assert listed(raised, "--state", "healthy", "--limit", "1")["matching"] == states["Healthy"] > 0

    [(service_id, count)] = Counter(finding["service_id"] for finding in everything["findings"]).most_common(1)
    service = service_id.rpartition("/")[2]
    of_service = listed(raised, "--state", "all", "--service", service.upper(), "--limit", "2")
    expected = [finding for finding in everything["findings"] if finding["service_id"] == service_id]
    assert (of_service["shown"], of_service["matching"]) == (2, count)
    assert of_service["findings"] == expected[:2]


@pytest.mark.parametrize(("recommendation", "led"), [("apim-encrypted-protocols", True), (UNCATALOGUED, False)])
def test_only_what_apiward_fixes_is_led_on_to_a_plan(raised: Raised, recommendation: str, led: bool) -> None:
    done = raised.command("playbooks", "findings", "list", "--recommendation", recommendation)
    assert (done.returncode, "apiward findings show ID" in done.stdout) == (0, True)
    assert ("apiward remediate plan ID" in done.stdout) is led


def test_people_can_copy_an_id_in_a_narrow_terminal(raised: Raised) -> None:
    told = listed(raised, "--limit", "3")
    environment = raised.environment("playbooks") | {"COLUMNS": "80"}
    done = apiward("findings", "list", "--limit", "3", environment=environment, folder=raised.demo.folder)
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    assert [finding["finding_id"] for finding in told["findings"] if finding["finding_id"] not in words] == []
    assert f"3 of {told['matching']} shown; --limit shows more." in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


def test_show_tells_what_it_means_and_how_to_have_it_fixed(raised: Raised) -> None:
    [finding] = listed(raised, "--recommendation", "apim-encrypted-protocols", "--limit", "1")["findings"]
    entry = load_catalogue().by_slug("apim-encrypted-protocols")
    done = raised.command("playbooks", "findings", "show", finding["finding_id"][:12])
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    texts = (entry.meaning, *entry.steps, entry.breaking or "", entry.link)
    assert [text for text in texts if text not in said] == []
    assert f"apiward remediate plan {finding['finding_id']}" in said

    done = raised.command("playbooks", "findings", "show", finding["finding_id"], "--json")
    told = json.loads(done.stdout)
    assert {name: told[name] for name in finding} == finding
    assert told["catalogue"]["slug"] == "apim-encrypted-protocols"
    assert [(change["change"], change["state"]) for change in told["history"]] == [("New", "Unhealthy")]
    assert (told["current"], told["gone"]) == (True, False)


def test_show_tells_of_a_recommendation_that_no_catalogue_has_what_defender_says(raised: Raised) -> None:
    [finding] = listed(raised, "--recommendation", "uncatalogued", "--limit", "1")["findings"]
    [definition] = {
        row.definition for row in raised.lab.defender.ledger.rows if row.definition.key == finding["recommendation_key"]
    }
    done = raised.command("playbooks", "findings", "show", finding["finding_id"])
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert finding["remediation"] == "guided"
    assert "remediate plan" not in said
    assert [
        text for text in (definition.display_name, definition.description, definition.remediation) if text not in said
    ] == []


def test_no_match_is_told_from_nothing_ingested(raised: Raised) -> None:
    done = raised.command("playbooks", "findings", "list", "--severity", "High", "--service", "nobody")
    assert (done.returncode, done.stderr) == (0, "")
    current = listed(raised, "--limit", "1")["current"]
    assert f"None of {current} current findings matches state Unhealthy, severity High, service nobody." in " ".join(
        done.stdout.split()
    )

    later = varied(
        raised.environment("playbooks"), {"clock_offset": str(raised.lab.clock.offset.total_seconds() + 4 * 86400)}
    )
    done = apiward("findings", "list", environment=later, folder=raised.demo.folder)
    wrong, remedy = refusal(done)
    assert done.returncode == 4
    assert "no clean bill of health" in wrong
    assert "apiward ingest run" in remedy
    done = apiward("findings", "list", "--json", environment=later, folder=raised.demo.folder)
    assert (done.returncode, json.loads(done.stdout)["current"]) == (4, 0)


def test_the_catalogue_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "apiward.toml").write_text("this is no TOML")
    done = apiward("findings", "catalogue", "--json", environment={"APIWARD_CLOUD": "nowhere"}, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert {tuple(sorted(entry)) for entry in told} == {
        ("breaking", "permissions", "remediation", "reversible", "severity", "slug")
    }
    assert {entry["slug"]: entry["reversible"] for entry in told} == {
        entry.slug: entry.irreversible is None for entry in load_catalogue()
    }
    assert {tuple(sorted(entry["permissions"])) for entry in told} == {("read", "write")}

    done = apiward("findings", "catalogue", environment={"COLUMNS": "80"}, folder=tmp_path)
    words = done.stdout.split()
    assert [entry["slug"] for entry in told if entry["slug"] not in words] == []
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []

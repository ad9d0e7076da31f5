"""What a guardrails file says: read strictly, judged by the most specific rule, and never in favour of a doubt."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import GuardrailError
from apiward_playbooks.guardrails.document import Document, Mode
from apiward_playbooks.guardrails.limits import Guardrails, Subject
from apiward_playbooks.guardrails.load import read_guardrails
from tests.property.world import SERVICE, START

ROOT = Path(__file__).parents[3]
SLUGS = frozenset(entry.slug for entry in load_catalogue())
SUBSCRIPTION = "/".join(SERVICE.split("/")[:3])
DAY = "2027-01-01"
API = ArmId.parse(f"{SERVICE}/apis/orders".lower())


def read(tmp_path: Path, text: str) -> Guardrails:
    path = tmp_path / "guardrails.yaml"
    path.write_text(text, "utf-8")
    return read_guardrails(path, slugs=SLUGS)


def subject(remediation: str = "automatic", **changes: Any) -> Subject:
    entry = load_catalogue().by_slug("apim-encrypted-protocols").model_copy(update={"remediation": remediation})
    return replace(Subject("f-1", entry, API, (API,), {}), **changes)


def test_without_a_file_everything_is_only_reported() -> None:
    ruling = read_guardrails(None, slugs=SLUGS).ruling(subject(), START)
    assert (ruling.mode, "guardrails_file" in ruling.blocks) == (Mode.REPORT, True)


def test_an_empty_file_reports(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n").ruling(subject(), START).mode is Mode.REPORT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "are no YAML: .*line 1"),
        ("kill_swich: true", "kill_swich: there is no such field"),
        ("default: sometimes", "default: Input should be"),
        ("default: report\ndefault: automatic", "default occurs twice"),
        ("rules:\n  - {mode: approval, recomendation: x}", r"rules\.0\.recomendation: there is no such field"),
        ("rules:\n  - {mode: approval, recommendation: apim-tls}", r"rules\.0\.recommendation: .*'apim-tls'"),
        ("rules:\n  - {mode: approval, scope: rg-test}", r"rules\.0\.scope: .*is no ARM id"),
        ("rules:\n  - {recommendation: '*'}", r"rules\.0\.mode: Field required"),
        ("budget: {hour: many}", r"budget\.hour"),
        ("budget: {hour: -1}", r"budget\.hour"),
        ("freeze: {weekly: [{reason: r, days: [Funday]}]}", r"freeze\.weekly\.0\.days\.0"),
        ("freeze: {weekly: [{reason: r, days: [Mon], starts: '25:00'}]}", r"freeze\.weekly\.0\.starts"),
        ("freeze: {weekly: [{reason: r, days: [Mon], starts: '18:00Z'}]}", "time_zone says where"),
        ("freeze: {weekly: [{reason: r, days: [Mon], time_zone: Mars/Base}]}", "'Mars/Base' is no time zone"),
        ("freeze: {dated: [{reason: r, starts: 2026-12-20, ends: 2026-12-19}]}", "ends is not later than starts"),
        ("freeze: {dated: [{reason: r, starts: '2026-12-20T00:00Z', ends: 2026-12-21}]}", r"freeze\.dated\.0\.starts"),
        ("protected: {ids: [everything]}", r"protected\.ids\.0"),
        ("kill_switch: maybe", "kill_switch"),
        ("approval: {ticket_pattern: 'CHG-('}", r"approval\.ticket_pattern: .*regular expression"),
        ("accepted_risks: [{reason: r, accepted_by: a, expires: 2027-01-01}]", "either a finding, or"),
        ("accepted_risks: [{finding: f, reason: r, accepted_by: a}]", r"accepted_risks\.0\.expires"),
        (
            f"accepted_risks: [{{recommendation: nope, scope: {SERVICE}, reason: r, accepted_by: a, expires: {DAY}}}]",
            r"accepted_risks\.0\.recommendation: .*'nope'",
        ),
        ("- a list", "the file: Input should be"),
    ],
)
def test_what_is_not_understood_is_refused_by_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(GuardrailError, match=said) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "guardrails.yaml") in refused.value.message
    assert "until then nothing is changed" in refused.value.remedy


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuardrailError, match=r"absent\.yaml cannot be read") as refused:
        read_guardrails(tmp_path / "absent.yaml", slugs=SLUGS)
    assert "guardrails_file" in refused.value.remedy


RULES = f"""
default: approval
rules:
  - {{mode: report, scope: {SUBSCRIPTION}}}
  - {{mode: approval, scope: {SERVICE}}}
  - {{mode: automatic, recommendation: apim-encrypted-protocols, scope: {SERVICE}}}
"""
NAMED = f"  - {{mode: report, recommendation: apim-encrypted-protocols, scope: {SUBSCRIPTION}}}\n"
TIED = f"  - {{mode: approval, recommendation: apim-encrypted-protocols, scope: {SERVICE}}}\n"
DEEPER = f"  - {{mode: report, scope: {SERVICE}/apis/orders}}\n"


@pytest.mark.parametrize(
    ("more", "resource", "mode", "source"),
    [
        ("", API.text, Mode.AUTOMATIC, "rule 3"),
        (NAMED, API.text, Mode.AUTOMATIC, "rule 3"),
        (DEEPER, API.text, Mode.REPORT, "rule 4"),
        ("", f"{SERVICE}-2/apis/orders", Mode.REPORT, "rule 1"),
        ("", f"/subscriptions/{'9' * 8}-2222-3333-4444-555555555555", Mode.APPROVAL, "the default"),
        (TIED, API.text, Mode.APPROVAL, "rule 4"),
    ],
    ids=["named and deep", "shallower", "incomparable", "another service", "elsewhere", "tie"],
)
def test_the_most_specific_rule_counts_and_of_two_the_stricter(
    tmp_path: Path, more: str, resource: str, mode: Mode, source: str
) -> None:
    ruling = read(tmp_path, RULES + more).ruling(subject(resource=ArmId.parse(resource)), START)
    assert (ruling.mode, ruling.source.startswith(f"{source} of {tmp_path}")) == (mode, True)
    assert re.search(r"\(sha256 [0-9a-f]{12}\)$", ruling.source)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("default: automatic", Mode.APPROVAL),
        ("rules: [{mode: automatic}]", Mode.APPROVAL),
        ("rules: [{mode: automatic, recommendation: apim-encrypted-protocols}]", Mode.AUTOMATIC),
        ("rules: [{mode: report, recommendation: apim-encrypted-protocols}]", Mode.REPORT),
    ],
)
def test_what_the_catalogue_wants_approved_is_automatic_only_by_name(tmp_path: Path, text: str, mode: Mode) -> None:
    assert read(tmp_path, text).ruling(subject("approval"), START).mode is mode


PROTECTED = f"default: automatic\nprotected:\n  ids: [{SERVICE}]\n  tags: {{Criticality: high, apiward: '*'}}\n"


@pytest.mark.parametrize(
    ("changes", "blocks"),
    [
        ({}, f"{SERVICE} is protected"),
        ({"resource": ArmId.parse(f"{SERVICE}2/apis/a"), "changed": ()}, ""),
        ({"resource": ArmId.parse(f"{SERVICE}2/apis/a"), "changed": (API,)}, f"{SERVICE} is protected"),
        ({"resource": ArmId.parse(f"{SERVICE}2"), "changed": (), "tags": {"criticality": "HIGH"}}, "Criticality=high"),
        ({"resource": ArmId.parse(f"{SERVICE}2"), "changed": (), "tags": {"criticality": "low"}}, ""),
        ({"resource": ArmId.parse(f"{SERVICE}2"), "changed": (), "tags": {"Apiward": ""}}, "apiward=*"),
    ],
    ids=["below", "a longer name", "a change of it", "tag", "tag of another value", "tag of any value"],
)
def test_what_is_protected_is_never_changed(tmp_path: Path, changes: dict[str, Any], blocks: str) -> None:
    said = read(tmp_path, PROTECTED).ruling(subject(**changes), START).blocks
    assert bool(said) == bool(blocks)
    assert blocks in said


def test_a_plan_may_not_have_more_changes_than_the_budget_of_a_run(tmp_path: Path) -> None:
    guardrails = read(tmp_path, "default: automatic\nbudget: {run: 2}")
    assert guardrails.ruling(subject(changed=(API,) * 2), START).blocks == ""
    assert "needs 3 changes" in guardrails.ruling(subject(changed=(API,) * 3), START).blocks


NIGHTS = "freeze: {weekly: [{reason: Night, days: [Mon], starts: '18:00', ends: '07:00', time_zone: Europe/Berlin}]}"
DAYS = "freeze: {weekly: [{reason: Day, days: [Mon], starts: '09:00', ends: '17:00'}]}"
WEEKEND = "freeze: {weekly: [{reason: Weekend, days: [Sat, Sun], time_zone: America/New_York}]}"
TURN = "freeze: {weekly: [{reason: Turn, days: [Sun], starts: '02:30', ends: '04:00', time_zone: Europe/Berlin}]}"
MIDNIGHT = "freeze: {weekly: [{reason: Sunday, days: [Sun], time_zone: America/Havana}]}"
DOUBLED = "freeze: {dated: [{reason: r, starts: 2026-10-24, ends: 2026-10-25 02:30, time_zone: Europe/Berlin}]}"
SKIPPED = "freeze: {dated: [{reason: r, starts: 2027-03-28 02:30, ends: 2027-03-29, time_zone: Europe/Berlin}]}"
DATED = "freeze: {dated: [{reason: Year, starts: 2026-12-19, ends: 2027-01-04 06:00, time_zone: Europe/Berlin}]}"


@pytest.mark.parametrize(
    ("text", "moment", "frozen"),
    [
        (NIGHTS, "2026-11-23T16:59", False),  # a Monday, 17:59 in Berlin
        (NIGHTS, "2026-11-23T17:00", True),
        (NIGHTS, "2026-11-24T05:59", True),
        (NIGHTS, "2026-11-24T06:00", False),
        (NIGHTS, "2026-11-24T20:00", False),
        (DAYS, "2026-11-23T08:59", False),
        (DAYS, "2026-11-23T09:00", True),
        (DAYS, "2026-11-23T17:00", False),
        (DAYS, "2026-11-24T12:00", False),
        (WEEKEND, "2026-11-28T04:59", False),  # Friday evening in New York
        (WEEKEND, "2026-11-28T05:00", True),
        (WEEKEND, "2026-11-30T04:59", True),
        (WEEKEND, "2026-11-30T05:00", False),
        (DATED, "2026-12-18T22:59", False),
        (DATED, "2026-12-18T23:00", True),
        (DATED, "2027-01-04T04:59", True),
        (DATED, "2027-01-04T05:00", False),
        (TURN, "2026-10-25T00:29", False),  # 02:30 comes twice that night, first at 00:30 UTC
        (TURN, "2026-10-25T00:30", True),
        (TURN, "2026-10-25T01:15", True),  # 02:15 for the second time
        (TURN, "2026-10-25T02:59", True),
        (TURN, "2026-10-25T03:00", False),
        (MIDNIGHT, "2027-03-14T03:59", False),  # 00:00 to 01:00 is skipped that Sunday
        (MIDNIGHT, "2027-03-14T04:00", True),
        (DOUBLED, "2026-10-25T01:29", True),
        (DOUBLED, "2026-10-25T01:30", False),
        (SKIPPED, "2027-03-28T00:29", False),
        (SKIPPED, "2027-03-28T00:30", True),
    ],
)
def test_a_freeze_window_covers_its_own_time_zone(tmp_path: Path, text: str, moment: str, frozen: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert bool(read(tmp_path, text).pauses(now)) is frozen


def test_a_kill_switch_is_a_word_in_the_file_or_a_file_beside_it(tmp_path: Path) -> None:
    read(tmp_path, "kill_switch: false").require_not_stopped()
    with pytest.raises(GuardrailError, match="kill switch"):
        read(tmp_path, "kill_switch: true").require_not_stopped()
    by_file = "kill_switch_file: stop"
    read(tmp_path, by_file).require_not_stopped()
    (tmp_path / "stop").symlink_to("nowhere")
    with pytest.raises(GuardrailError, match="stop exists"):
        read(tmp_path, by_file).require_not_stopped()


def test_a_kill_switch_that_cannot_be_looked_for_is_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    guardrails = read(tmp_path, "kill_switch_file: file/stop")
    assert guardrails.pauses(START)


APPROVAL = "approval: {approvers: [ben, cleo], ticket_pattern: 'CHG-\\d+'}"


@pytest.mark.parametrize(
    ("text", "by", "ticket", "said"),
    [
        (APPROVAL, " BEN ", "CHG-1", ""),
        (APPROVAL, "dana", "CHG-1", "dana may not approve run r-1: .*guardrails.yaml"),
        (APPROVAL, "ben", "", r"Run r-1 needs a change ticket like CHG-\\d\+\."),
        (APPROVAL, "ben", "CHG-1 or so", "not 'CHG-1 or so'"),
        ("default: approval", "Ana ", "", "asked for run r-1 and cannot approve"),
        ("approval: {four_eyes: false}", "ana", "", ""),
        ("approval: {four_eyes: false, approvers: [ben]}", "ana", "", "may not approve"),
    ],
)
def test_who_may_approve(tmp_path: Path, text: str, by: str, ticket: str, said: str) -> None:
    guardrails = read(tmp_path, text)
    if not said:
        guardrails.require_approver("r-1", by=by, requested_by="ana", ticket=ticket)
        return
    with pytest.raises(GuardrailError, match=said):
        guardrails.require_approver("r-1", by=by, requested_by="ana", ticket=ticket)


RISKS = f"""
default: automatic
accepted_risks:
  - {{finding: f-9, reason: test data, accepted_by: ben, expires: 2026-11-30}}
  - {{recommendation: apim-encrypted-protocols, scope: {SERVICE}, reason: old, accepted_by: ciso, expires: 2026-11-23}}
"""


@pytest.mark.parametrize(
    ("finding", "slug", "resource", "days", "reason"),
    [
        ("f-9", "apim-direct-management", f"{SERVICE}3", 0, "test data"),
        ("f-1", "apim-encrypted-protocols", f"{SERVICE}/apis/a", 0, "old"),
        ("f-1", "apim-encrypted-protocols", f"{SERVICE}/apis/a", 1, None),
        ("f-1", "apim-encrypted-protocols", f"{SERVICE}3/apis/a", 0, None),
        ("f-1", "apim-direct-management", f"{SERVICE}/tenant/access", 0, None),
    ],
    ids=["by finding", "by scope", "a day later", "another service", "another recommendation"],
)
def test_an_accepted_risk_covers_what_it_names_to_the_end_of_its_day(
    tmp_path: Path, finding: str, slug: str, resource: str, days: int, reason: str | None
) -> None:
    now = START.replace(hour=23, minute=59) + timedelta(days=days)
    found = read(tmp_path, RISKS).accepted(finding, slug, ArmId.parse(resource), now)
    assert (found.reason if found else None) == reason


def test_an_accepted_risk_blocks_plans_until_it_expires(tmp_path: Path) -> None:
    guardrails = read(tmp_path, RISKS)
    assert "ciso accepted the risk until 2026-11-23: old" in guardrails.ruling(subject(), START).blocks
    assert guardrails.ruling(subject(), START + timedelta(days=1)).blocks == ""


PAGE = (ROOT / "docs" / "guardrails.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.partition(":")[0] for example in EXAMPLES])
def test_every_example_of_the_page_is_valid(tmp_path: Path, example: str) -> None:
    assert isinstance(read(tmp_path, example), Guardrails)
    with pytest.raises(GuardrailError, match="unheard_of"):
        read(tmp_path, f"{example}unheard_of: 1\n")


def test_the_page_explains_every_field() -> None:
    named = {line.partition(":")[0] for example in EXAMPLES for line in example.splitlines() if line[0] != " "}
    assert named == set(Document.model_fields)


def test_the_demo_has_valid_guardrails() -> None:
    guardrails = read_guardrails(ROOT / "cli" / "apiward" / "demo_guardrails.yaml", slugs=SLUGS)
    assert guardrails.ruling(subject(), START).blocks == ""
    assert guardrails.pauses(START) == []

"""When an incident may close, and what is said then."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any, cast

import pytest

from apiward_core.clock import timestamp
from apiward_core.errors import ConflictError, GuardrailError
from apiward_core.logs import Row, TimeSpan
from apiward_playbooks import transitions
from apiward_playbooks.closing import Closer
from apiward_playbooks.findings import Findings, FindingState
from apiward_playbooks.guardrails.document import AcceptedRisk
from apiward_playbooks.incidents import Classification, Incidents
from apiward_playbooks.runs import Run, State
from apiward_playbooks.store import RunStore
from tests.property.world import START, FrozenClock, MemoryStore, planned
from tests.unit.playbooks.desk import DETAILS, FOREIGN, OURS, SERVICE, WORKSPACE, Desk, alert

Accepted = Callable[[Sequence[FindingState]], Mapping[str, AcceptedRisk]]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def incidents(desk: Desk) -> Incidents:
    return Incidents(cast("Any", desk), workspace=WORKSPACE, rule_ids=[OURS])


class Answers:
    """A workspace that holds these findings, all raised by the alerts."""

    def __init__(self, *findings: Row) -> None:
        self._findings = list(findings)

    def add(self, row: Row) -> None:
        self._findings.append(row)

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        del timespan
        return self._findings if "arg_max" in kql else [{"FindingId": row["FindingId"]} for row in self._findings]


def finding(name: str, *, state: str = "Unhealthy", change: str = "Changed", cause: str = "") -> Row:
    return {
        "FindingId": name,
        "State": state,
        "ChangeType": change,
        "StateCause": cause,
        "StateChanged": START,
        "Recommendation": "apim-encrypted-protocols",
        "ResourceId": f"{SERVICE}/apis/{name}",
    }


HEALTHY = finding("a", state="Healthy", change="Resolved")
GONE = finding("b", change="Removed", cause="ResourceGone")


def no_risk(_: Sequence[FindingState]) -> Mapping[str, AcceptedRisk]:
    return {}


def accepting(*names: str) -> Accepted:
    return lambda findings: {f.finding_id: RISK for f in findings if f.finding_id in names}


def closer(
    incidents: Incidents, *findings: Row, store: RunStore | None = None, accepted_risks: Accepted = no_risk
) -> Closer:
    return Closer(
        incidents=incidents,
        findings=Findings(Answers(*findings), clock=FrozenClock()),
        store=store or MemoryStore(),
        classification=Classification(),
        accepted_risks=accepted_risks,
    )


@pytest.mark.parametrize(
    ("findings", "how"),
    [
        ([HEALTHY], "1 finding: 1 Healthy by Defender"),
        ([GONE], "1 finding: 1 deleted with the resource"),
        ([HEALTHY, GONE], "2 findings: 1 Healthy by Defender, 1 deleted with the resource"),
    ],
)
def test_an_incident_closes_with_the_evidence_for_each_finding(
    desk: Desk, incidents: Incidents, findings: list[Row], how: str
) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    assert closer(incidents, *findings).close_if_done("mine").may_close
    assert (desk.stored["mine"].status, desk.stored["mine"].classification_comment) == ("Closed", how)
    [comment] = desk.comments.values()
    assert how in comment
    assert [row["ResourceId"] for row in findings if row["ResourceId"] not in comment] == []


@pytest.mark.parametrize(
    "unsettled",
    [
        finding("c"),
        finding("c", change="Removed", cause="Unexplained"),
        finding("c", change="Removed", cause="ProducerGone"),
        finding("c", state="Healthy", change="Removed", cause="Unexplained"),
        finding("c", state="NotApplicable", change="Resolved"),
    ],
    ids=lambda row: f"{row['State']} {row['ChangeType']} {row['StateCause']}".strip(),
)
def test_one_unsettled_finding_keeps_an_incident_open(desk: Desk, incidents: Incidents, unsettled: Row) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    verdict = closer(incidents, HEALTHY, unsettled).close_if_done("mine")
    assert (verdict.may_close, verdict.how) == (False, "still open: 1 of 2 findings")
    assert (desk.stored["mine"].status, desk.puts, desk.comments) == ("New", 0, {})


def test_an_incident_without_findings_or_with_a_strange_alert_stays_open(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    assert not closer(incidents).close_if_done("mine").may_close
    desk.alerts = [alert(), alert(rules=[FOREIGN])]
    assert closer(incidents, HEALTHY).close_if_done("mine").how == "an alert in it is not ours"
    assert desk.stored["mine"].status == "New"


def test_what_joins_an_incident_while_it_is_closed_keeps_it_open(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    answers = Answers(HEALTHY)
    tool = Closer(
        incidents=incidents,
        findings=Findings(answers, clock=FrozenClock()),
        store=MemoryStore(),
        classification=Classification(),
        accepted_risks=no_risk,
    )
    desk.edits = [lambda _: answers.add(finding("late"))]
    assert tool.close_if_done("mine").how == "still open: 1 of 2 findings"
    assert desk.stored["mine"].status == "New"


@pytest.mark.parametrize("state", [State.APPLYING, State.VERIFIED, State.UNVERIFIED, State.ROLLING_BACK])
def test_a_run_that_is_not_done_keeps_its_incident_open(desk: Desk, incidents: Incidents, state: State) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store = MemoryStore()
    _, run = planned(1)
    store.add(replace(run, state=state, target=replace(run.target, finding_id="a")))
    tool = closer(incidents, HEALTHY, store=store)
    assert tool.close_if_done("mine").how == "not confirmed yet: 1 run on its findings"
    assert desk.stored["mine"].status == "New"


def test_the_evidence_of_hundreds_of_findings_fits_one_comment(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    many = [finding(f"finding-{number}", state="Healthy", change="Resolved") for number in range(500)]
    assert closer(incidents, *many).close_if_done("mine").may_close
    [comment] = desk.comments.values()
    assert 20_000 < len(comment) <= 30_000
    assert re.search(r"<li>and \d+ more, see DefenderApiRemediation_CL</li></ul>$", unescape(comment))


def _with_run(**changes: Any) -> tuple[MemoryStore, Run]:
    store = MemoryStore()
    _, run = planned(1)
    run = replace(run, target=replace(run.target, finding_id="a"), **changes)
    store.add(run)
    return store, run


@pytest.mark.parametrize(
    ("rolled_back", "may_close"),
    [(START + timedelta(minutes=1), False), (START - timedelta(minutes=1), True)],
    ids=["after the verdict", "before the verdict"],
)
def test_a_verdict_from_before_a_rollback_settles_nothing(
    desk: Desk, incidents: Incidents, rolled_back: Any, may_close: bool
) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, _ = _with_run(state=State.ROLLED_BACK, rolled_back_at=timestamp(rolled_back))
    assert closer(incidents, HEALTHY, store=store).close_if_done("mine").may_close is may_close


def test_a_later_run_counts_for_more_than_the_rollback_of_an_earlier_one(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, first = _with_run(state=State.ROLLED_BACK, rolled_back_at=timestamp(START + timedelta(minutes=1)))
    later = timestamp(START + timedelta(minutes=2))
    store.add(
        replace(first, id="run-2", state=State.CONFIRMED, created_at=later, confirmed_at=later, rolled_back_at="")
    )
    assert closer(incidents, HEALTHY, store=store).close_if_done("mine").may_close


def test_a_later_run_that_changed_nothing_does_not_hide_a_rollback(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, first = _with_run(state=State.ROLLED_BACK, rolled_back_at=timestamp(START + timedelta(minutes=1)))
    later = timestamp(START + timedelta(minutes=2))
    store.add(replace(first, id="run-2", state=State.BLOCKED, created_at=later, rolled_back_at=""))
    assert not closer(incidents, HEALTHY, store=store).close_if_done("mine").may_close


@pytest.mark.parametrize(
    ("state", "may_close"), [(State.ROLLBACK_FAILED, False), (State.PARTIALLY_APPLIED, True)], ids=["back", "forward"]
)
def test_a_way_back_that_was_finished_by_hand_counts_as_a_rollback(
    desk: Desk, incidents: Incidents, state: State, may_close: bool
) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, run = _with_run(state=state)
    later = START + timedelta(minutes=1)
    store.save(transitions.abandoned(run, by="ana", why="restored by hand", now=later), 1)
    assert closer(incidents, HEALTHY, store=store).close_if_done("mine").may_close is may_close


@pytest.mark.parametrize(
    ("confirmed", "credited"),
    [(START + timedelta(minutes=1), True), (START - timedelta(minutes=1), False)],
    ids=["Healthy since", "fixed by hand since"],
)
def test_a_run_that_ended_with_another_incident_is_evidence_if_the_finding_stayed_healthy(
    desk: Desk, incidents: Incidents, confirmed: datetime, credited: bool
) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, run = _with_run(state=State.CLOSED, confirmed_at=timestamp(confirmed))
    assert closer(incidents, HEALTHY, store=store).close_if_done("mine").may_close
    [comment] = desk.comments.values()
    assert (f"audit head {run.audit_head}" in comment) is credited
    assert ("fixed without a run of apiward" in comment) is not credited


def test_an_incident_that_is_closed_gets_no_more_comments(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS], status="Closed")
    desk.alerts = [alert()]
    assert closer(incidents, HEALTHY).close_if_done("mine").may_close
    assert (desk.puts, desk.comments) == (0, {})


def test_the_evidence_that_closes_an_incident_is_said_though_another_close_failed(
    desk: Desk, incidents: Incidents
) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    store, run = _with_run(state=State.CONFIRMED, confirmed_at=timestamp(START))
    desk.edits = [lambda incident: setattr(incident, "title", "again")] * 5
    tool = closer(incidents, HEALTHY, store=store)
    with pytest.raises(ConflictError):
        tool.close_if_done("mine")
    store.add(replace(run, id="run-2", audit_head="f" * 64))
    assert tool.close_if_done("mine").may_close
    assert any("f" * 64 in comment for comment in desk.comments.values())


def test_an_alert_whose_findings_the_workspace_lost_keeps_its_incident_open(desk: Desk, incidents: Incidents) -> None:
    class Forgetful(Answers):
        def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
            return [] if "/lost" in kql else super().query(kql, timespan=timespan)

    desk.add("mine", rules=[OURS])
    desk.alerts = [alert(), alert(details={**DETAILS, "ServiceId": [f"{SERVICE}/lost"]})]
    tool = Closer(
        incidents=incidents,
        findings=Findings(Forgetful(HEALTHY), clock=FrozenClock()),
        store=MemoryStore(),
        classification=Classification(),
        accepted_risks=no_risk,
    )
    verdict = tool.close_if_done("mine")
    assert (verdict.may_close, verdict.how) == (False, "the workspace has no findings for one of its alerts")
    assert [finding.finding_id for finding in verdict.findings] == ["a"]
    assert (desk.stored["mine"].status, desk.comments) == ("New", {})


RISK = AcceptedRisk(finding="b", reason="gone by March", accepted_by="ciso", expires=date(2027, 3, 31))


def test_an_accepted_risk_lets_an_incident_close_and_is_said(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    found = closer(incidents, HEALTHY, finding("b"), accepted_risks=accepting("b")).close_if_done("mine")
    assert found.how == "2 findings: 1 Healthy by Defender, 1 accepted as a risk"
    [comment] = desk.comments.values()
    assert "accepted by ciso to 2027-03-31: gone by March" in re.sub(r"&#\d+;", lambda code: unescape(code[0]), comment)


@pytest.mark.parametrize(
    "other", [finding("c"), finding("c", change="Removed", cause="Unexplained")], ids=["unhealthy", "unexplained"]
)
def test_an_accepted_risk_settles_its_own_finding_only(desk: Desk, incidents: Incidents, other: Row) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    tool = closer(incidents, finding("b"), other, accepted_risks=accepting("b"))
    assert tool.close_if_done("mine").how == "still open: 1 of 2 findings"


def test_what_vanished_without_a_reason_is_no_accepted_risk(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]
    vanished = finding("b", change="Removed", cause="ProducerGone")
    assert not closer(incidents, vanished, accepted_risks=accepting("b")).close_if_done("mine").may_close


def test_unreadable_guardrails_keep_an_incident_open_unless_all_is_settled(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.alerts = [alert()]

    def unreadable(_: Sequence[FindingState]) -> Mapping[str, AcceptedRisk]:
        raise GuardrailError("Guardrails x.yaml are no YAML.", remedy="Correct them.")

    said = closer(incidents, finding("b"), accepted_risks=unreadable).close_if_done("mine")
    assert (said.may_close, "x.yaml" in said.how) == (False, True)
    assert closer(incidents, HEALTHY, accepted_risks=unreadable).close_if_done("mine").may_close

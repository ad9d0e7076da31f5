"""Which incidents are ours, and what is written to them; against an SDK client that remembers."""

from typing import Any, cast

import pytest
from azure.mgmt.securityinsight.models import Entity, Incident, IncidentLabel, IncidentOwnerInfo

from apiward_core.errors import ConflictError
from apiward_playbooks.findings import AlertGroup
from apiward_playbooks.incidents import SIGNATURE, Classification, Incidents
from tests.property.world import START
from tests.unit.playbooks.desk import DETAILS, FOREIGN, KEY, OURS, SERVICE, WORKSPACE, Desk, alert, received


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def incidents(desk: Desk) -> Incidents:
    return Incidents(cast("Any", desk), workspace=WORKSPACE, rule_ids=[OURS])


def test_only_incidents_of_our_rules_are_ours(desk: Desk, incidents: Incidents) -> None:
    desk.add("foreign", rules=[FOREIGN])
    desk.add("by-hand", rules=[], number=2)
    desk.add("mine", rules=[OURS.lower()], number=4)
    desk.add("merged", rules=[FOREIGN, OURS], number=3)
    desk.add("done", rules=[OURS], number=5, status="Closed")
    assert [incident.name for incident in incidents.all()] == ["merged", "mine", "done"]
    assert [incident.name for incident in incidents.open()] == ["merged", "mine"]


def test_an_alert_says_what_it_stands_for(desk: Desk, incidents: Incidents) -> None:
    desk.alerts = [alert()]
    hour = START.replace(minute=0)
    assert incidents.groups("mine") == [AlertGroup(KEY, SERVICE, hour.replace(hour=9), hour.replace(hour=10))]


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(alert(rules=[FOREIGN]), id="of a foreign rule"),
        pytest.param(alert(rules=[OURS, FOREIGN]), id="of two rules"),
        pytest.param(alert(rules=[]), id="of no rule"),
        pytest.param(alert(details={}), id="without details"),
        pytest.param(alert(details={name: DETAILS[name] for name in DETAILS if name != "WindowEnd"}), id="no window"),
        pytest.param(alert(details={**DETAILS, "ServiceId": []}), id="with an empty detail"),
        pytest.param(alert(details={**DETAILS, "WindowEnd": ["soon"]}), id="with a window that is no time"),
        pytest.param(alert(details=["RecommendationKey"]), id="with details that are a list"),
        pytest.param(alert(details={**DETAILS, "ServiceId": 7}), id="with a detail that is a number"),
        pytest.param(alert(kind="Bookmark"), id="a bookmark"),
        pytest.param(received(Entity, {"kind": "SecurityAlert", "id": "a", "properties": {}}), id="without data"),
    ],
)
def test_one_strange_alert_makes_an_incident_opaque(desk: Desk, incidents: Incidents, stranger: Entity) -> None:
    desk.alerts = [alert(), stranger]
    assert incidents.groups("mixed") is None


def close(incidents: Incidents) -> None:
    incidents.close("mine", Classification(), "2 findings: 2 Healthy by Defender")


def test_a_close_keeps_what_somebody_changed_in_between(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS], description="d", owner={"email": "old@contoso.example"})

    def edit(incident: Incident) -> None:
        incident.title, incident.severity = "Renamed", "Low"
        incident.owner = IncidentOwnerInfo(email="ana@contoso.example")
        incident.labels = [IncidentLabel(label_name="case-17")]

    desk.edits = [edit]
    close(incidents)
    kept = desk.stored["mine"]
    assert desk.puts == 2
    assert (kept.title, kept.severity, kept.description) == ("Renamed", "Low", "d")
    assert kept.owner is not None
    assert kept.owner.email == "ana@contoso.example"
    assert [label.label_name for label in kept.labels or []] == ["case-17"]
    assert (kept.status, kept.classification, kept.classification_reason, kept.classification_comment) == (
        "Closed",
        "TruePositive",
        "SuspiciousActivity",
        "2 findings: 2 Healthy by Defender",
    )


def test_a_close_gives_up_on_an_incident_that_keeps_changing(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])
    desk.edits = [lambda incident: setattr(incident, "title", "again")] * 9
    with pytest.raises(ConflictError, match="Incident mine keeps changing"):
        close(incidents)
    assert (desk.puts, desk.stored["mine"].status) == (5, "New")


def test_an_incident_that_somebody_closed_meanwhile_stays_theirs(desk: Desk, incidents: Incidents) -> None:
    desk.add("mine", rules=[OURS])

    def close_as_benign(incident: Incident) -> None:
        incident.status, incident.classification = "Closed", "BenignPositive"

    desk.edits = [close_as_benign]
    close(incidents)
    assert (desk.puts, desk.stored["mine"].classification) == (1, "BenignPositive")


def test_a_comment_is_sent_once(desk: Desk, incidents: Incidents) -> None:
    assert incidents.comment("mine", "c-1", "first")
    assert incidents.comment("mine", "c-1", "second")
    assert desk.comments == {"c-1": "first"}


def test_ours_stop_at_twenty_and_those_of_others_do_not_count(desk: Desk, incidents: Incidents) -> None:
    desk.comments = {f"theirs-{number}": "looking into it" for number in range(50)}
    sent = [incidents.comment("mine", f"c-{number}", f"{SIGNATURE} {number}") for number in range(21)]
    assert sent == [True] * 20 + [False]
    assert "c-20" not in desk.comments
    assert incidents.comment("mine", "c-3", "again")


def test_a_comment_that_must_arrive_does(desk: Desk, incidents: Incidents) -> None:
    desk.comments = {f"c-{number}": SIGNATURE for number in range(20)}
    assert incidents.comment("mine", "evidence", f"{SIGNATURE} 20", always=True)
    assert "evidence" in desk.comments

"""Which findings an alert stands for: those that its rule counted, by the rule's own query over the same rows."""

from dataclasses import dataclass
from typing import Any

import pytest

from apiward_core.clock import parse_timestamp
from apiward_core.logs import Row, TimeSpan
from apiward_playbooks.findings import AlertGroup, Findings
from apiward_rules.load import load_rules
from tests.property.world import FrozenClock
from tests.unit.rules.workspace import HOUR, NOW, Rows, row, service_id

HIGH = next(rule for stem, rule in load_rules().items() if stem == "api-recommendation-high")


@dataclass(frozen=True)
class Reader:
    """The rows as the playbooks read them."""

    rows: Rows

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        assert isinstance(timespan, tuple)
        start, end = timespan
        return self.rows.query(kql, now=end, period=end - start)


def revised(finding: str, **changes: Any) -> dict[str, Any]:
    """The second revision of a finding that was unhealthy before."""
    facts: dict[str, Any] = {
        "Revision": 2,
        "ChangeType": "Changed",
        "PreviousState": "Unhealthy",
        "PreviousSeverity": "High",
    }
    return row(finding, **(facts | changes))


RAISED = [
    row("f1"),
    revised("f1", PreviousState="Healthy"),
    revised("f1", ChangeType="Regressed", PreviousState="Healthy"),
    revised("f1", PreviousState="NotApplicable"),
    revised("f1", PreviousSeverity="Medium"),
]
OTHERS = [
    revised("new tags"),
    revised("fixed", State="Healthy", ChangeType="Resolved"),
    row("open for days", ChangeType="Snapshot"),
    row("of another service", service="fabrikam"),
    row("of another kind", RecommendationKey="0b63ff57-3f4f-4b0a-8f0b-6f9f5f0d5d5e"),
]


@pytest.mark.parametrize("raised", RAISED, ids=["new", "unhealthy again", "regressed", "no longer exempt", "risen"])
def test_an_alert_stands_for_the_findings_that_its_rule_counted(raised: Row) -> None:
    rows = Rows()
    rows.send(raised, *OTHERS, observed=NOW - HOUR / 2)
    alerts = rows.query(HIGH.query, now=NOW, period=HIGH.query_period)
    about = {name: raised[name] for name in ("RecommendationKey", "ServiceId")}
    [alert] = [alert for alert in alerts if about.items() <= alert.items()]
    group = AlertGroup(
        alert["RecommendationKey"],
        alert["ServiceId"],
        parse_timestamp(alert["WindowStart"]),
        parse_timestamp(alert["WindowEnd"]),
    )
    [found] = Findings(Reader(rows), clock=FrozenClock(NOW + HOUR)).raised_by([group])
    assert (set(found), alert["FindingCount"]) == ({"f1"}, 1)


def test_an_alert_of_rows_that_are_gone_stands_for_nothing() -> None:
    rows = Rows()
    rows.send(row("f1"), observed=NOW - HOUR / 2)
    groups = [
        AlertGroup(row("f1")["RecommendationKey"], service_id(name), NOW - HOUR, NOW) for name in ("contoso", "x")
    ]
    found = Findings(Reader(rows), clock=FrozenClock(NOW)).raised_by(groups)
    assert [set(alert) for alert in found] == [{"f1"}, set()]

"""Sentinel on one workspace: rules, their schedule, alerts and incidents."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.schema import SECURITY_ALERT, SECURITY_INCIDENT
from apiward_lab.loganalytics.timespans import Window
from apiward_lab.sentinel.alert_rules import AlertRule
from apiward_lab.sentinel.alerts import Alert, make_alerts
from apiward_lab.sentinel.grouping import creates_incidents, incident_for
from apiward_lab.sentinel.incidents import Incident, from_alert
from apiward_lab.sentinel.records import alert_row, incident_row

DELAY = timedelta(minutes=5)
"""A run happens this long after the end of the window that it looks at, so that late rows are in.

Alerts of real workspaces show it: `query_now` equals "Query End Time UTC", five minutes before the alert was processed.
So `now()` in a rule is the end of its window, not the moment of the run.
"""

SYSTEM = "Microsoft Sentinel"


@dataclass(frozen=True)
class Run:
    """One run of a rule, as a health record: `error` is empty when it went well."""

    rule: str
    at: datetime
    alerts: int
    error: str = ""


@dataclass(frozen=True)
class _Schedule:
    due: datetime
    silent_until: datetime | None = None


class SentinelModel:
    """The state of Sentinel on a workspace. Safe to use from several threads."""

    def __init__(self, workspace: WorkspaceModel) -> None:
        self.workspace = workspace
        self.seed = workspace.seed
        self.onboarded = True
        self.runs: list[Run] = []
        self._lock = threading.RLock()
        self._rules: dict[str, AlertRule] = {}
        self._schedules: dict[str, _Schedule] = {}
        self._incidents: dict[str, Incident] = {}
        self._numbers = 0

    def rules(self) -> list[AlertRule]:
        """All alert rules, by name."""
        with self._lock:
            return sorted(self._rules.values(), key=lambda rule: rule.name)

    def rule(self, name: str) -> AlertRule | None:
        """The rule of that name, or None."""
        with self._lock:
            return self._rules.get(name.lower())

    def put_rule(self, rule: AlertRule) -> None:
        """Store a rule. It runs at once when it is new, switched on or has another frequency."""
        with self._lock:
            before = self._rules.get(rule.name.lower())
            self._rules[rule.name.lower()] = rule
            if not rule.enabled:
                self._schedules.pop(rule.name.lower(), None)
            elif not (before and before.enabled and _same_frequency(before, rule)):
                self._schedules[rule.name.lower()] = _Schedule(rule.modified)

    def drop_rule(self, name: str) -> bool:
        """Forget a rule; False when there is none."""
        with self._lock:
            self._schedules.pop(name.lower(), None)
            return self._rules.pop(name.lower(), None) is not None

    def incidents(self) -> list[Incident]:
        """All incidents, by number."""
        with self._lock:
            return sorted(self._incidents.values(), key=lambda incident: incident.number)

    def incident(self, name: str) -> Incident | None:
        """The incident of that name, or None."""
        with self._lock:
            return self._incidents.get(name.lower())

    def next_number(self) -> int:
        """A number that no incident had before."""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def put_incident(self, incident: Incident, by: str = SYSTEM) -> None:
        """Store an incident and log it in SecurityIncident."""
        with self._lock:
            self._incidents[incident.name.lower()] = incident
            row = incident_row(self.seed, incident, by)
            self.workspace.insert(SECURITY_INCIDENT, [row], incident.modified)

    def drop_incident(self, name: str) -> bool:
        """Forget an incident; False when there is none."""
        with self._lock:
            return self._incidents.pop(name.lower(), None) is not None

    def next_due(self) -> datetime | None:
        """When the next run is."""
        with self._lock:
            due = min((schedule.due for schedule in self._schedules.values()), default=None)
            return due if self.onboarded else None

    def run_due(self, now: datetime) -> None:
        """Do every run that is due by now, in the order of their times, each as of its own time."""
        with self._lock:
            while (due := self.next_due()) is not None and due <= now:
                name = min(self._schedules, key=lambda key: (self._schedules[key].due, key))
                self._run(self._rules[name], self._schedules[name])

    def _run(self, rule: AlertRule, schedule: _Schedule) -> None:
        at, key = schedule.due, rule.name.lower()
        following = replace(schedule, due=at + rule.duration("queryFrequency"))
        self._schedules[key] = following
        if schedule.silent_until and at < schedule.silent_until:
            return
        try:
            alerts = self._evaluate(rule, at)
        except QueryError as error:
            self.runs.append(Run(rule.name, at, 0, error.message))
            return
        self.runs.append(Run(rule.name, at, len(alerts)))
        if alerts and rule.properties["suppressionEnabled"]:
            self._schedules[key] = replace(following, silent_until=at + rule.duration("suppressionDuration"))
        self._raise(rule, alerts, at)

    def _evaluate(self, rule: AlertRule, at: datetime) -> list[Alert]:
        end = at - DELAY
        window = Window(end - rule.duration("queryPeriod"), end)
        rows = self.workspace.query(rule.query, now=end, window=window).records()
        return make_alerts(rule, rows, window, at) if rule.triggers(len(rows)) else []

    def _raise(self, rule: AlertRule, alerts: Sequence[Alert], at: datetime) -> None:
        self.workspace.insert(SECURITY_ALERT, [alert_row(self.seed, alert) for alert in alerts], at)
        if not creates_incidents(rule):
            return
        for alert in alerts:
            joined = incident_for(alert, rule, self._incidents.values(), at)
            self.put_incident(joined.with_alert(alert, at) if joined else from_alert(alert, self.next_number(), at))


def _same_frequency(before: AlertRule, after: AlertRule) -> bool:
    return before.duration("queryFrequency") == after.duration("queryFrequency")

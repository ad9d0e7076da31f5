"""What `apiward findings` asks the workspace."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiward.finding_filter import Wanted
from apiward_core.clock import Clock
from apiward_core.errors import ConfigurationError, MissingError
from apiward_core.kql import bind
from apiward_core.logs import CURRENT_WINDOW, LogReader, Row

_PAST = timedelta(days=90)  # what a workspace with Sentinel keeps at no extra charge
_PREFIX = re.compile(r"[0-9a-f]{8,32}")

_MATCHES = """(isempty(state) or State == state)
    and (isempty(severity) or Severity == severity)
    and (isempty(recommendation) or Recommendation == recommendation)
    and (isempty(service) or ServiceId == service or ServiceId endswith strcat("/", service))"""
_COUNT = f"ApiRecommendationCurrent()\n| summarize Current = count(), Matching = countif({_MATCHES})"
_LIST = f"""
ApiRecommendationCurrent()
| where {_MATCHES}
| extend Rank = case(Severity == "High", 1, Severity == "Medium", 2, Severity == "Low", 3, 4)
| order by Rank asc, ServiceId asc, Recommendation asc, ResourceId asc, FindingId asc
"""
_LAST_RUN = "DefenderApiHealth_CL\n| summarize LastRun = max(TimeGenerated)"
_IDS = """
ApiRecommendationHistory()
| where FindingId startswith id_prefix
| distinct FindingId
| order by FindingId asc
| take 5
"""
_ONE = "ApiRecommendationCurrent()\n| where FindingId == finding_id"
_HISTORY = """
ApiRecommendationHistory()
| where FindingId == finding_id and ChangeType != "Snapshot"
| order by TimeGenerated asc, Revision asc
"""
_LAST_ROW = (
    "ApiRecommendationHistory()\n| where FindingId == finding_id\n| summarize arg_max(TimeGenerated, *) by FindingId"
)
_TYPE = """
ApiRecommendationTypes()
| where RecommendationKey == recommendation_key
| project Description, RemediationSteps
"""


@dataclass(frozen=True)
class Finding:
    """A finding as its newest row has it; `since` is when Defender last changed its state."""

    finding_id: str
    severity: str
    risk_level: str
    state: str
    cause: str
    description: str
    since: datetime | None
    first_seen: datetime | None
    recommendation_key: str
    recommendation: str
    recommendation_name: str
    service_id: str
    resource_id: str
    exempt: bool
    owner: str
    due_date: datetime | None
    is_external: bool | None
    is_authenticated: bool | None
    has_sensitive_data: bool | None
    last_traffic: datetime | None
    portal_link: str

    @classmethod
    def of(cls, row: Row) -> "Finding":
        """The finding in a row of DefenderApiRecommendations_CL."""
        return cls(**{name: row[column] for name, column in _COLUMNS.items()})


_COLUMNS: Mapping[str, str] = {
    "finding_id": "FindingId",
    "severity": "Severity",
    "risk_level": "RiskLevel",
    "state": "State",
    "cause": "StateCause",
    "description": "StateDescription",
    "since": "StateChanged",
    "first_seen": "FirstSeen",
    "recommendation_key": "RecommendationKey",
    "recommendation": "Recommendation",
    "recommendation_name": "RecommendationName",
    "service_id": "ServiceId",
    "resource_id": "ResourceId",
    "exempt": "Exempt",
    "owner": "Owner",
    "due_date": "DueDate",
    "is_external": "IsExternal",
    "is_authenticated": "IsAuthenticated",
    "has_sensitive_data": "HasSensitiveData",
    "last_traffic": "LastTraffic",
    "portal_link": "PortalLink",
}


@dataclass(frozen=True)
class Listed:
    """The findings that match, as many of them as were asked for, with how many match and how many there are."""

    findings: tuple[Finding, ...]
    matching: int
    current: int


@dataclass(frozen=True)
class Change:
    """One change of a finding: when the connector saw it, and what it was."""

    seen: datetime
    revision: int
    change: str
    state: str
    severity: str
    cause: str


@dataclass(frozen=True)
class Story:
    """A finding with its changes, oldest first.

    It is current unless Defender has it no more (`gone`) or nothing was heard of it for days; `heard` is when it was
    last seen, or seen to be gone.
    """

    finding: Finding
    changes: tuple[Change, ...]
    current: bool
    gone: bool
    heard: datetime


@dataclass(frozen=True)
class Explanation:
    """What Defender says of a recommendation; "" where the workspace does not have it."""

    description: str
    remediation: str


class FindingQueries:
    """Reads findings for people."""

    def __init__(self, logs: LogReader, *, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock

    def current(self, wanted: Wanted, *, most: int) -> Listed:
        """The first `most` findings that match, by severity and then by service."""
        [counts] = self._query(bind(_COUNT, **wanted.values()), CURRENT_WINDOW)
        first = f"{_LIST}| take {most:d}"  # a number, never text; not every KQL engine takes a name there
        rows = self._query(bind(first, **wanted.values()), CURRENT_WINDOW) if counts["Matching"] else []
        return Listed(tuple(map(Finding.of, rows)), counts["Matching"], counts["Current"])

    def last_run(self) -> datetime | None:
        """When the connector last told of a run; None when it told of none in the last three days."""
        [row] = self._query(_LAST_RUN, CURRENT_WINDOW)
        last: datetime | None = row["LastRun"]
        return last

    def named(self, prefix: str) -> str:
        """The whole id of the one finding of the last 90 days whose id begins so.

        Raises ConfigurationError when it is too short or not unique, MissingError when there is none.
        """
        prefix = prefix.strip().lower()
        if not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(
                f"{prefix!r} is no finding id.",
                remedy="Give the id, or at least its first eight characters, as apiward findings list shows it.",
            )
        ids = [row["FindingId"] for row in self._query(bind(_IDS, id_prefix=prefix), _PAST)]
        if not ids:
            raise MissingError(
                f"The workspace has no finding {prefix} in the last {_PAST.days} days.",
                remedy="Look for it with apiward findings list --state all.",
            )
        if len(ids) > 1:
            raise ConfigurationError(
                f"Several findings begin with {prefix}, among them {', '.join(ids)}.",
                remedy="Give more of the id.",
            )
        return str(ids[0])

    def story(self, finding_id: str) -> Story:
        """A finding by its whole id, with what happened to it in the last 90 days."""
        current = self._query(bind(_ONE, finding_id=finding_id), CURRENT_WINDOW)
        [newest] = current or self._query(bind(_LAST_ROW, finding_id=finding_id), _PAST)
        rows = self._query(bind(_HISTORY, finding_id=finding_id), _PAST)
        return Story(
            Finding.of(newest),
            tuple(map(_change, rows)),
            current=bool(current),
            gone=newest["ChangeType"] == "Removed",
            heard=newest["TimeGenerated"],
        )

    def explanation(self, recommendation_key: str) -> Explanation:
        """What Defender says of a recommendation."""
        rows = self._query(bind(_TYPE, recommendation_key=recommendation_key), CURRENT_WINDOW)
        return Explanation(rows[0]["Description"], rows[0]["RemediationSteps"]) if rows else Explanation("", "")

    def _query(self, kql: str, period: timedelta) -> list[Any]:
        now = self._clock.now()
        return self._logs.query(kql, timespan=(now - period, now))


def _change(row: Row) -> Change:
    return Change(
        seen=row["TimeGenerated"],
        revision=row["Revision"],
        change=row["ChangeType"],
        state=row["State"],
        severity=row["Severity"],
        cause=row["StateCause"],
    )

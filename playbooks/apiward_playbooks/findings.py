"""What the playbooks ask the workspace about findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiward_core.clock import Clock
from apiward_core.errors import MissingError, RejectedDataError
from apiward_core.kql import bind
from apiward_core.logs import CURRENT_WINDOW, LogReader, Row, TimeSpan
from apiward_playbooks.runs import Target

_CURRENT = """
ApiRecommendationCurrent()
| where FindingId == finding_id
| project FindingId, RecommendationKey, Recommendation, RecommendationName, Severity, State, ResourceId, ServiceId
"""
_RAISED = """
ApiRecommendationHistory()
| where RecommendationKey == recommendation_key
| where service_id == "*" or ServiceId == service_id
| where State == "Unhealthy" and ChangeType in ("New", "Changed", "Regressed")
| where ChangeType == "Regressed" or PreviousState != "Unhealthy" or Severity != PreviousSeverity
| where IngestedAt between (window_start .. window_end)
| distinct FindingId
"""
_LATEST = """
ApiRecommendationHistory()
| where FindingId in (finding_ids)
| summarize arg_max(Revision, State, ChangeType, StateCause, StateChanged, Recommendation, ResourceId)
    by FindingId, FirstSeen
| summarize arg_max(FirstSeen, State, ChangeType, StateCause, StateChanged, Recommendation, ResourceId) by FindingId
"""  # the connector counts revisions anew, with a new FirstSeen, when its state was lost
_ROUNDING = timedelta(milliseconds=1)  # the service keeps 100 ns, we microseconds


@dataclass(frozen=True)
class AlertGroup:
    """What one alert of a severity rule stands for: findings of one recommendation and service in one window.

    `service_id` is "*" where a run had so many services that the rule folded them into one alert.
    """

    recommendation_key: str
    service_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class FindingState:
    """A finding as the workspace last has it."""

    finding_id: str
    state: str
    change_type: str
    cause: str
    changed_at: datetime | None
    recommendation: str
    resource_id: str

    @property
    def changed(self) -> str:
        """When the state changed by Defender's word, for people; "" when it does not say."""
        return f"{self.changed_at:%Y-%m-%d %H:%M} UTC" if self.changed_at else ""


class Findings:
    """Reads findings from the workspace."""

    def __init__(self, logs: LogReader, *, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock

    def current(self, finding_id: str) -> Row:
        """The current finding. Raises MissingError when the workspace has none of that id."""
        rows = self._logs.query(bind(_CURRENT, finding_id=finding_id), timespan=self._since(CURRENT_WINDOW))
        if not rows:
            raise MissingError(
                f"The workspace has no current finding {finding_id!r}.",
                remedy="Take the id from the incident or from ApiRecommendationCurrent(), or run the connector.",
            )
        return rows[0]

    def is_healthy(self, finding_id: str) -> bool:
        """Whether the workspace's current view of a finding is Healthy."""
        rows = self._logs.query(bind(_CURRENT, finding_id=finding_id), timespan=self._since(CURRENT_WINDOW))
        return bool(rows) and rows[0]["State"] == "Healthy"

    def raised_by(self, groups: Sequence[AlertGroup]) -> list[dict[str, FindingState]]:
        """The findings that each alert stands for, by id and as they are now; none where the workspace lost them."""
        if not groups:
            return []
        window = self._since(self._clock.now() - min(group.start for group in groups) + CURRENT_WINDOW)
        raised = [self._raised(group, window) for group in groups]
        ids = sorted(set().union(*raised))
        rows = self._logs.query(bind(_LATEST, finding_ids=ids), timespan=window) if ids else []
        latest = {str(row["FindingId"]): _finding_state(row) for row in rows}
        return [{finding_id: latest[finding_id] for finding_id in sorted(alert)} for alert in raised]

    def _raised(self, group: AlertGroup, window: TimeSpan) -> set[str]:
        query = bind(
            _RAISED,
            recommendation_key=group.recommendation_key,
            service_id=group.service_id,
            window_start=group.start - _ROUNDING,
            window_end=group.end + _ROUNDING,
        )
        return {str(row["FindingId"]) for row in self._logs.query(query, timespan=window)}

    def _since(self, length: timedelta) -> tuple[datetime, datetime]:
        now = self._clock.now()
        return now - length, now


def target_of(row: Row) -> Target:
    """What a run for a current finding works on. Raises RejectedDataError when the finding is not Unhealthy."""
    if row["State"] != "Unhealthy":
        raise RejectedDataError(f"Finding {row['FindingId']} is {row['State']}.", remedy="There is nothing to fix.")
    return Target(
        finding_id=row["FindingId"],
        recommendation_key=row["RecommendationKey"],
        recommendation=row["Recommendation"],
        recommendation_name=row["RecommendationName"],
        severity=row["Severity"],
        resource_id=row["ResourceId"],
        service_id=row["ServiceId"],
    )


def _finding_state(row: Row) -> FindingState:
    return FindingState(
        finding_id=str(row["FindingId"]),
        state=str(row["State"]),
        change_type=str(row["ChangeType"]),
        cause=str(row["StateCause"]),
        changed_at=row["StateChanged"],
        recommendation=str(row["Recommendation"]),
        resource_id=str(row["ResourceId"]),
    )

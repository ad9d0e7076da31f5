"""State that was lost, from the rows that the workspace has.

What comes back of a finding: its revision, states, severities, times, identity, and whether it was removed or resolved.
Its content does not, because Log Analytics gives values back in other spellings than it took: a finding whose state and
severity are as the workspace has them is taken as unchanged by the next pass, which remembers its content from then on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import uuid4

import numpy as np

from apiward_connector.finding import Finding, Findings, Kind, Located, Statement
from apiward_connector.ledger import REMOVED, SETTLED, UNKNOWN_DIGEST, Ledger
from apiward_connector.moments import NONE, day_of, moment_of
from apiward_connector.place import place_of
from apiward_connector.state import ScopeState
from apiward_connector.state_store import StateStore, scope_of
from apiward_core.clock import timestamp
from apiward_core.errors import ConfigurationError
from apiward_core.kql import bind
from apiward_core.logs import LOOKS_BACK, LogReader, Row

_BEGINNINGS = tuple(f"{number:02x}" for number in range(256))
_MOST_FINDINGS = 40_000  # in one answer, which may have 64 MB: that leaves 1,600 bytes for each

# Not through ApiRecommendationHistory(): that a row is there twice makes no difference here, and it would sort all rows
# of all subscriptions by RecordId, a snapshot of each finding for each of 90 days, before it looks at any filter.
_KNOWN = """
DefenderApiRecommendations_CL
| distinct SubscriptionId
"""
_COUNT = """
DefenderApiRecommendations_CL
| where SubscriptionId == subscription
| summarize Findings = dcount(FindingId)
"""
_LATEST = """
DefenderApiRecommendations_CL
| where SubscriptionId == subscription and substring(FindingId, 0, 2) in (beginnings)
| extend
    TimeGenerated = coalesce(ObservedAt, TimeGenerated),
    SettledAt = iff(ChangeType in ("Resolved", "Removed"), Revision, 0),
    UnhealthyAt = iff(State == "Unhealthy" and ChangeType != "Removed", Revision, 0)
| summarize
    arg_max(TimeGenerated, ChangeType, State, Severity, PreviousState, PreviousSeverity, RiskLevel, Location,
        RecommendationKey, Recommendation, RecommendationName, Category, ResourceId, ApimService, ApiName,
        FirstEvaluated, StateChanged),
    SettledAt = max(SettledAt), UnhealthyAt = max(UnhealthyAt) by FindingId, FirstSeen, Revision
| summarize arg_max(Revision, *), LastSettled = max(SettledAt), LastUnhealthy = max(UnhealthyAt) by FindingId, FirstSeen
| summarize arg_max(FirstSeen, *) by FindingId
"""
_POLICIES = """
ApiRecommendationTypes()
| project RecommendationKey, PolicyDefinitionId
"""
_WATERMARK = """
ApiConnectorHealth()
| where Scope == scope
| summarize Watermark = max(Watermark)
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The new state of a scope. `removed` of the findings are gone from Defender.

    `kept_aside` names the object that holds the state that could not be used, "" when there was none.
    """

    scope: str
    findings: int
    removed: int
    watermark: str
    kept_aside: str


class Rebuilder:
    """Makes connector state out of what a workspace has of the last 90 days."""

    def __init__(self, *, logs: LogReader, states: StateStore) -> None:
        self._logs = logs
        self._states = states

    def rebuild(self, subscription_id: str) -> Rebuilt:
        """Give the subscription a state. One that cannot be used is kept aside, under another name.

        Rows that are on their way to the workspace are not known to it: wait some minutes after the last run. Raises
        ConfigurationError when the state there can be used, or when the workspace knows no finding, and the other
        errors of `apiward_core.errors`.
        """
        scope = scope_of(subscription_id)
        subscription_id = scope.rpartition("/")[2]
        with self._states.lease(scope) as lease:
            self._require_unusable(scope)
            state = ScopeState(watermark=self._watermark(scope))
            policies = {row["RecommendationKey"]: row["PolicyDefinitionId"] for row in self._query(_POLICIES)}
            for rows in self._latest(subscription_id):
                lease.renew()
                _remember(state.ledger, rows, policies)
            if not len(state.ledger):
                raise ConfigurationError(
                    f"The workspace has no finding of {scope} of the last {LOOKS_BACK.days} days.",
                    remedy="Check workspace_customer_id. If it is right, nothing was lost: apiward ingest run.",
                )
            kept_aside, etag = self._states.keep_aside(scope, uuid4().hex)
            self._states.save(scope, state, etag)
        gone = int(np.count_nonzero(state.ledger["flags"] & REMOVED))
        return Rebuilt(scope, len(state.ledger), gone, state.watermark, kept_aside)

    def lost(self, subscriptions: Iterable[str]) -> list[str]:
        """Those of some subscriptions that have no state that can be used, though the workspace has findings of them.

        Raises the errors of `apiward_core.errors`.
        """
        known = {row["SubscriptionId"] for row in self._query(_KNOWN)}
        return [each for each in subscriptions if each in known and not self._is_good(scope_of(each))]

    def _is_good(self, scope: str) -> bool:
        try:
            state, _ = self._states.load(scope)
        except ConfigurationError:
            return False
        return bool(state.observed or len(state.ledger))  # one in which nothing was ever read is as good as none

    def _require_unusable(self, scope: str) -> None:
        if self._is_good(scope):
            raise ConfigurationError(
                f"The state of {scope} is good.", remedy="There is nothing to rebuild; see apiward ingest status."
            )

    def _watermark(self, scope: str) -> str:
        rows = self._query(_WATERMARK, scope=scope)
        moment: datetime | None = rows[0]["Watermark"] if rows else None
        return timestamp(moment) if moment else ""

    def _latest(self, subscription_id: str) -> Iterator[Sequence[Row]]:
        [count] = self._query(_COUNT, subscription=subscription_id)
        for beginnings in _parts(int(count["Findings"])):
            yield self._query(_LATEST, subscription=subscription_id, beginnings=beginnings)

    def _query(self, kql: str, **values: str | list[str]) -> Sequence[Row]:
        return self._logs.query(bind(kql, **values), timespan=LOOKS_BACK)


def _parts(findings: int) -> Iterator[list[str]]:
    """Beginnings of FindingIds that divide so many findings into as few answers as are small enough."""
    parts = min(len(_BEGINNINGS), max(1, ceil(findings / _MOST_FINDINGS)))
    for part in range(parts):
        yield list(_BEGINNINGS[part::parts])


def _remember(ledger: Ledger, rows: Sequence[Row], policies: Mapping[str, str]) -> None:
    start = ledger.append(Findings.of([_finding(row, policies) for row in rows]), first_seen=0, day=0)
    word = ledger.words.number
    ledger["first_seen"][start:] = [moment_of(row["FirstSeen"]) for row in rows]
    ledger["row_day"][start:] = [day_of(row["TimeGenerated"]) for row in rows]
    ledger["revision"][start:] = [row["Revision"] for row in rows]
    ledger["previous_state"][start:] = [word(row["PreviousState"]) for row in rows]
    ledger["previous_severity"][start:] = [word(row["PreviousSeverity"]) for row in rows]
    ledger["flags"][start:] = [_flags(row) for row in rows]


def _flags(row: Row) -> int:
    settled = SETTLED if row["LastSettled"] > row["LastUnhealthy"] else 0
    return settled | (REMOVED if row["ChangeType"] == "Removed" else 0)


def _finding(row: Row, policies: Mapping[str, str]) -> Finding:
    key = row["RecommendationKey"]
    place = place_of(row["ResourceId"])
    kind = Kind(
        key=key,
        recommendation=row["Recommendation"],
        name=row["RecommendationName"],
        category=row["Category"],
        severity=row["Severity"],
        policy_definition_id=policies.get(key, ""),
    )
    return Finding(
        id=bytes.fromhex(row["FindingId"]),
        statement=Statement(kind, row["State"], row["RiskLevel"], row["Location"]),
        located=Located(place.within(row["ApimService"], row["ApiName"])),
        first_evaluated=_moment(row["FirstEvaluated"]),
        state_changed=_moment(row["StateChanged"]),
        digest=UNKNOWN_DIGEST,
    )


def _moment(moment: datetime | None) -> int:
    return moment_of(moment) if moment else NONE

"""What the demo asks the workspace for, and how it words a row of a table."""

from datetime import timedelta

from apiward import console
from apiward_core.logs import Row
from apiward_playbooks.closing import Verdict
from apiward_playbooks.runs import Run

BESIDES = """
DefenderApiRecommendations_CL
| where RunId == run_id and ChangeType !in ("New", "Resolved", "Snapshot")
| project ChangeType, Recommendation, ResourceId, PreviousState, State
| order by ChangeType asc, ResourceId asc
"""


def planned(run: Run) -> tuple[str, str, str]:
    """Resource, change and state of a plan."""
    change = "; ".join(change.summary for change in run.plan.changes)
    return console.resource(run.target.resource_id), change, run.state


def ending(run: Run) -> tuple[str, str, str]:
    """Resource, state and evidence of a run, or what went wrong."""
    return console.resource(run.target.resource_id), run.state, run.evidence.statement if run.evidence else run.problem


def states(row: Row) -> str:
    """What a changed finding was, and is."""
    if row["ChangeType"] == "Removed":
        return f"was {row['State']}"
    return f"was {row['PreviousState']}, is {row['State']}"


def settled(verdict: Verdict) -> str:
    """Why an incident may close: who approved what we changed, if we did, and what became of its findings."""
    deciders = sorted({run.decided_by for run in verdict.runs})
    return f"approved by {', '.join(deciders)}; {verdict.how}" if deciders else verdict.how


def words(length: timedelta) -> str:
    """A length of time for people."""
    minutes = int(length.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"

"""How old the data of a report is: when each subscription was last read whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apiward_core.logs import Row
from apiward_workbooks.cells import shown

WINDOW = timedelta(days=3)
"""As far back as figures of today look."""

QUERY = """
ApiConnectorHealth()
| summarize Whole = maxif(TimeGenerated, Outcome == "Complete") by Scope
| summarize Asked = count(), Known = countif(isnotnull(Whole)), Oldest = min(Whole)
"""


@dataclass(frozen=True)
class Freshness:
    """A sentence, and whether every subscription was read whole within the window."""

    text: str
    whole: bool


UNREADABLE = Freshness("unknown: the workspace could not be asked", whole=False)
_UNKNOWN = Freshness("unknown: no subscription was read whole in the last three days", whole=False)


def of(rows: Sequence[Row]) -> Freshness:
    """The freshness in the answer to QUERY."""
    row = rows[0] if rows else {}
    asked, known = row.get("Asked") or 0, row.get("Known") or 0
    if not known:
        return _UNKNOWN
    since = f"the longest ago at {shown(row['Oldest'])}"
    if known < asked:
        return Freshness(f"{known} of {asked} subscriptions were read whole, {since}", whole=False)
    return Freshness(f"every subscription was read whole ({asked}), {since}", whole=True)

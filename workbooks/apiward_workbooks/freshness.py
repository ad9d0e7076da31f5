"""How old the data of a report is: when each subscription was last read whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apiward_core.logs import Row
from apiward_workbooks.cells import shown

WINDOW = timedelta(days=3)
"""As far back as figures of today look."""

QUERY = """
ApiCoverage()
| summarize
    Asked = count(), Whole = countif(Known), Fresh = countif(Known and WholeAt > ago(26h)),
    Oldest = minif(WholeAt, Known), Lost = sum(DeadLetters)
"""


@dataclass(frozen=True)
class Freshness:
    """A sentence, and whether every subscription was read whole within 26 hours and every row arrived."""

    text: str
    whole: bool


UNREADABLE = Freshness("unknown: the workspace could not be asked", whole=False)
_UNKNOWN = Freshness("unknown: no subscription has whole data of the last three days", whole=False)


def of(rows: Sequence[Row]) -> Freshness:
    """The freshness in the answer to QUERY."""
    row = rows[0] if rows else {}
    asked, known, lost = row.get("Asked") or 0, row.get("Whole") or 0, row.get("Lost") or 0
    if not known:
        return _UNKNOWN
    share = (
        f"every subscription was read whole ({asked})"
        if known == asked
        else f"whole data of {known} of {asked} subscriptions"
    )
    text = f"{share}, the longest ago at {shown(row['Oldest'])}"
    if lost:
        text += f"; {shown(lost)} rows did not arrive"
    return Freshness(text, whole=row["Fresh"] == asked and not lost)

"""What the connector remembers of a scope between two runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from apiward_connector.ledger import Ledger


class ChangeType(StrEnum):
    """Why a row is sent."""

    NEW = "New"
    CHANGED = "Changed"
    RESOLVED = "Resolved"
    REGRESSED = "Regressed"
    REMOVED = "Removed"
    SNAPSHOT = "Snapshot"


@dataclass(slots=True)
class ScopeState:
    """All findings of a scope, and what else the next run has to know.

    `told` has the RecordId of the latest row of each assessment key. `observed` is when the scope was read last,
    `watermark` when it was last read whole, `inventory_day` what the inventory that was sent last is dated; all ""
    before the first time. `outbox` names the pass whose rows this state accounts for: those that are still in the
    outbox are owed. `superseded` are the RecordIds of those among them that another page of that pass has corrected.
    `fence` names the latest run that deleted what others had left: to write it keeps them from saving after all.
    `context` stands for all that findings were made with besides their assessments; "" when not all of it was known.
    """

    ledger: Ledger = field(default_factory=Ledger)
    told: Mapping[str, str] = field(default_factory=dict)
    observed: str = ""
    watermark: str = ""
    inventory_day: str = ""
    outbox: str = ""
    superseded: tuple[str, ...] = ()
    fence: str = ""
    context: str = ""

    @property
    def current(self) -> int:
        """How many findings the scope has, those that were removed left out."""
        return self.ledger.current

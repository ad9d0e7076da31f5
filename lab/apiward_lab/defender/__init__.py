"""Microsoft Defender for Cloud: assessments derived from the estate."""

from apiward_lab.defender.ledger import Ledger
from apiward_lab.defender.service import Defender

__all__ = ["Defender", "Ledger"]

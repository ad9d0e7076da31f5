"""What a run needs next. Pure: nothing here touches anything outside the record."""

from dataclasses import dataclass
from datetime import datetime

from apiward_core.clock import timestamp
from apiward_playbooks.runs import Run, State


@dataclass(frozen=True)
class Rest:
    """Nothing to do until somebody decides or something happens elsewhere."""


@dataclass(frozen=True)
class Expire:
    """The plan was not applied in time."""


@dataclass(frozen=True)
class Begin:
    """Store that writing starts, before the first write."""


@dataclass(frozen=True)
class Prepare:
    """Look whether change `index` can be written, and store that it is about to be."""

    index: int


@dataclass(frozen=True)
class Write:
    """Bring change `index` from its pre-image to its target, or back. It may have been tried before."""

    index: int
    back: bool = False


@dataclass(frozen=True)
class Verify:
    """Read the resource again."""


@dataclass(frozen=True)
class Confirm:
    """Ask whether Defender agrees."""


@dataclass(frozen=True)
class Settle:
    """Close the incident if all of its findings allow it."""


Effect = Rest | Expire | Begin | Prepare | Write | Verify | Confirm | Settle


def decide(run: Run, now: datetime) -> Effect:
    """The next effect of a run. Pure."""
    match run.state:
        case State.AWAITING_APPROVAL | State.APPROVED if timestamp(now) >= run.plan.expires_at:
            return Expire()
        case State.APPROVED:
            return Begin()
        case State.APPLYING:
            return Write(run.cursor) if run.attempted == run.cursor else Prepare(run.cursor)
        case State.ROLLING_BACK:
            return Write(run.cursor, back=True)
        case State.APPLIED | State.UNVERIFIED:
            return Verify()
        case State.VERIFIED:
            return Confirm()
        case State.CONFIRMED:
            return Settle()
    return Rest()

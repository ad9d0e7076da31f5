"""Drives runs: load, send the outbox, decide, one effect, fold, compare-and-set; again until the run rests.

Killed at any point and started again, it converges: a write is repeated only while the resource still equals the
pre-image, and everything that leaves through the outbox has a deterministic id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from apiward_core.clock import Clock, timestamp
from apiward_core.errors import AccessError, ConflictError, GuardrailError, MissingError, RejectedDataError
from apiward_playbooks import decision, transitions
from apiward_playbooks.decision import Begin, Confirm, Expire, Prepare, Rest, Settle, Verify, Write
from apiward_playbooks.outbox import Outbox, Sender
from apiward_playbooks.remediation import Change, Evidence, Observed, Values
from apiward_playbooks.runs import Comment, Run, State
from apiward_playbooks.store import RunStore

_ATTEMPTS = 5


@dataclass(frozen=True)
class Settled:
    """Whether the run's incident is closed, and how or why not, in words."""

    done: bool
    how: str


class Effects(Sender, Protocol):
    """Everything that a run does outside its record."""

    def require_allowed(self, run: Run) -> None:
        """Nothing, while all that the run changes is within reach. Raises GuardrailError otherwise."""
        ...

    def observe(self, run: Run, change: Change) -> Observed:
        """Read the touched keys of a change."""
        ...

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        """Write the target of a change, or its pre-image when `back`, against `etag`."""
        ...

    def verify(self, run: Run) -> Evidence:
        """Read the resource again."""
        ...

    def defender_agrees(self, run: Run) -> bool:
        """Whether Defender's assessment is Healthy, in the workspace and at the source."""
        ...

    def settle(self, run: Run) -> Settled:
        """Close the run's incident if every finding in it allows that."""
        ...


class Gate(Protocol):
    """Asked before each write."""

    def permit(self, run: Run, index: int, *, back: bool) -> None:
        """Let change `index` be written now, and count it. Raises GuardrailError when it may not be."""
        ...


class Engine:
    """Advances runs. `describe` makes the comment that a state deserves, None when it deserves none."""

    def __init__(
        self,
        *,
        store: RunStore,
        effects: Effects,
        gate: Gate,
        clock: Clock,
        confirm_within: timedelta,
        describe: Callable[[Run], Comment | None],
    ) -> None:
        self._store = store
        self._effects = effects
        self._gate = gate
        self._clock = clock
        self._confirm_within = confirm_within
        self._describe = describe
        self._outbox = Outbox(store=store, effects=effects, clock=clock)

    def transition(self, run_id: str, change: Callable[[Run], Run]) -> Run:
        """Store what `change` makes of the run; on the newer record when somebody else stored one meanwhile."""
        for _ in range(_ATTEMPTS):
            run, etag = self._store.load(run_id)
            changed = self._with_comment(run, change(run))
            try:
                self._store.save(changed, etag)
            except ConflictError:
                continue
            return changed
        raise ConflictError(f"Run {run_id} keeps changing.", remedy="Try again.")

    def deliver(self, run_id: str) -> Run:
        """Send the audit rows and comments that wait in the run's outbox."""
        try:
            return self._outbox.deliver(run_id)[0]
        except ConflictError:  # somebody else has the run in hand, and sends what waits
            return self._store.load(run_id)[0]

    def advance(self, run_id: str) -> Run:
        """Do all that can be done for a run now, and return it as it rests.

        Raises TransientError and ThrottledError when the services fail; the run is then stored as far as it came.
        """
        conflicts = 0
        while True:
            try:
                run, etag = self._outbox.deliver(run_id)
                after = self._step(run)
                if after is run:
                    return run
                self._store.save(self._with_comment(run, after), etag)
                if after.state == State.UNVERIFIED or after.held:  # looked at again by the next call, not at once
                    return self.deliver(run_id)
            except ConflictError:
                conflicts += 1
                if conflicts == _ATTEMPTS:
                    raise

    def _step(self, run: Run) -> Run:
        now = self._clock.now()
        match decision.decide(run, now):
            case Rest():
                return run
            case Expire():
                return transitions.expired(run, now)
            case Begin():
                return self._begin(run)
            case Prepare() as prepare:
                return self._prepare(run, prepare)
            case Write() as write:
                return self._write(run, write)
            case Verify():
                return self._verify(run)
            case Confirm():
                return self._confirm(run)
            case Settle():
                settled = self._effects.settle(run)
                return transitions.closed(run, settled.how, now) if settled.done else run

    def _begin(self, run: Run) -> Run:
        try:
            self._effects.require_allowed(run)
            self._gate.permit(run, 0, back=False)
        except GuardrailError as error:
            return transitions.held(run, str(error), self._clock.now())
        return transitions.begun(run, self._clock.now())

    def _prepare(self, run: Run, prepare: Prepare) -> Run:
        change = run.plan.changes[prepare.index]
        try:
            if not _differs(self._observe(run, change, target=change.after, source=change.before), change.after):
                return transitions.wrote(run, prepare, already=True, now=self._clock.now())
            self._gate.permit(run, prepare.index, back=False)
        except GuardrailError as error:
            return self._refused(run, prepare, error)
        except (AccessError, RejectedDataError) as error:
            return transitions.failed(run, prepare, str(error), untouched=True, now=self._clock.now())
        return transitions.attempting(run, prepare)

    def _write(self, run: Run, write: Write) -> Run:
        change = run.plan.changes[write.index]
        target, source = (change.before, change.after) if write.back else (change.after, change.before)
        untouched = False
        try:
            seen = self._observe(run, change, target=target, source=source)
            needed = _differs(seen, target)
            if needed or _fences(run, write):
                untouched = True  # the pre-image is there, so no earlier attempt arrived; a refusal leaves it so
                self._require_valid(run, write)
                self._gate.permit(run, write.index, back=write.back)
                self._require_newest(run)
                self._effects.write(run, change, seen.etag, back=write.back)
        except GuardrailError as error:
            return self._refused(run, write, error)
        except (AccessError, RejectedDataError) as error:
            return transitions.failed(run, write, str(error), untouched=untouched, now=self._clock.now())
        return transitions.wrote(run, write, already=not needed, now=self._clock.now())

    def _refused(self, run: Run, effect: Prepare | Write, error: GuardrailError) -> Run:
        """Before the first write, and on the way back, a run waits; between two writes it stops."""
        if effect.index == 0 or (isinstance(effect, Write) and effect.back):
            return transitions.held(run, str(error), self._clock.now())
        return transitions.failed(run, effect, str(error), untouched=True, now=self._clock.now())

    def _observe(self, run: Run, change: Change, *, target: Values, source: Values) -> Observed:
        """The resource as it is before a write. Raises RejectedDataError on drift: it is neither target nor source."""
        observed = self._effects.observe(run, change)
        if _differs(observed, target) and _differs(observed, source):
            raise RejectedDataError(
                f"{change.resource_id} changed since the plan: it has {dict(observed.values)}, not {dict(source)}.",
                remedy="Make a new plan.",
            )
        return observed

    def _require_newest(self, run: Run) -> None:
        """Nothing, while the record is as it was loaded: what was observed since cannot belong to a later state."""
        if self._store.load(run.id)[0] != run:
            raise ConflictError(f"Run {run.id} was taken further by somebody else.", remedy="Load it again.")

    def _require_valid(self, run: Run, write: Write) -> None:
        if not write.back and timestamp(self._clock.now()) >= run.plan.expires_at:
            raise RejectedDataError(f"The plan expired at {run.plan.expires_at}.", remedy="Make a new plan.")

    def _verify(self, run: Run) -> Run:
        try:
            evidence = self._effects.verify(run)
        except MissingError as error:
            evidence = Evidence(False, {}, str(error))
        if run.state == State.UNVERIFIED and not evidence.healthy:
            return run
        return transitions.verified(run, evidence, confirm_within=self._confirm_within, now=self._clock.now())

    def _confirm(self, run: Run) -> Run:
        now = self._clock.now()
        if self._effects.defender_agrees(run):
            return transitions.confirmed(run, now)
        late = timestamp(now) >= run.confirm_by
        return transitions.overdue(run, now) if late and not run.overdue_told else run

    def _with_comment(self, before: Run, after: Run) -> Run:
        news = (after.state, after.overdue_told, after.held) != (before.state, before.overdue_told, before.held)
        if not news or not after.incident:
            return after
        comment = self._describe(after)
        return transitions.commented(after, comment) if comment else after


def _differs(observed: Observed, values: Values) -> bool:
    return dict(observed.values) != dict(values)


def _fences(run: Run, write: Write) -> bool:
    """Whether the way back writes even what is there already: a write of ours may still be under way.

    Writing the pre-image over itself gives the resource another ETag, so that a late write is refused by the service.
    """
    return write.back and run.attempted == write.index

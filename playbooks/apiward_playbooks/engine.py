"""Drives runs: load, send the outbox, decide, one effect, fold, compare-and-set; again until the run rests.

Killed at any point and started again, it converges: a write is repeated only while the resource still equals the
pre-image, and everything that leaves through the outbox has a deterministic id.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from apiward_core.clock import Clock, timestamp
from apiward_core.errors import AccessError, ConflictError, MissingError, RejectedDataError
from apiward_playbooks import decision, transitions
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.decision import Begin, Confirm, Expire, Prepare, Rest, Settle, Verify, Write
from apiward_playbooks.remediation import Change, Evidence, Observed, Values
from apiward_playbooks.runs import Comment, Run, State
from apiward_playbooks.store import RunStore

_ATTEMPTS = 5


@dataclass(frozen=True)
class Settled:
    """Whether the run's incident is closed, and how or why not, in words."""

    done: bool
    how: str


class Effects(Protocol):
    """Everything that a run does outside its record."""

    def send_audit(self, rows: list[AuditRow]) -> None:
        """Send audit rows to the workspace."""
        ...

    def send_comment(self, comment: Comment) -> None:
        """Put a comment on an incident; once per id."""
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


class Engine:
    """Advances runs. `describe` makes the comment that a state deserves, None when it deserves none."""

    def __init__(
        self,
        *,
        store: RunStore,
        effects: Effects,
        clock: Clock,
        confirm_within: timedelta,
        describe: Callable[[Run], Comment | None],
    ) -> None:
        self._store = store
        self._effects = effects
        self._clock = clock
        self._confirm_within = confirm_within
        self._describe = describe

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
            return self._delivered(run_id)[0]
        except ConflictError:  # somebody else has the run in hand, and sends what waits
            return self._store.load(run_id)[0]

    def advance(self, run_id: str) -> Run:
        """Do all that can be done for a run now, and return it as it rests.

        Raises TransientError and ThrottledError when the services fail; the run is then stored as far as it came.
        """
        conflicts = 0
        while True:
            try:
                run, etag = self._delivered(run_id)
                after = self._step(run)
                if after is run:
                    return run
                self._store.save(self._with_comment(run, after), etag)
                if after.state == State.UNVERIFIED:  # looked at again by the next call, not at once
                    return self.deliver(run_id)
            except ConflictError:
                conflicts += 1
                if conflicts == _ATTEMPTS:
                    raise

    def _delivered(self, run_id: str) -> tuple[Run, int]:
        run, etag = self._store.load(run_id)
        while run.outbox:
            run = self._sent(run)
            etag = self._store.save(run, etag)
        return run, etag

    def _sent(self, run: Run) -> Run:
        """The run after its audit rows are sent, or else its comments."""
        if rows := [item for item in run.outbox if isinstance(item, AuditRow)]:
            self._effects.send_audit(rows)
            return replace(run, outbox=tuple(item for item in run.outbox if isinstance(item, Comment)))
        sent = replace(run, outbox=())
        for comment in run.outbox:
            if isinstance(comment, Comment):
                try:
                    self._effects.send_comment(comment)
                except (AccessError, RejectedDataError) as error:
                    sent = transitions.comment_refused(sent, str(error), self._clock.now())
        return sent

    def _step(self, run: Run) -> Run:
        now = self._clock.now()
        match decision.decide(run, now):
            case Rest():
                return run
            case Expire():
                return transitions.expired(run, now)
            case Begin():
                return transitions.begun(run, now)
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

    def _prepare(self, run: Run, prepare: Prepare) -> Run:
        change = run.plan.changes[prepare.index]
        try:
            if not self._needs_write(run, change, target=change.after, source=change.before):
                return transitions.wrote(run, prepare, already=True, now=self._clock.now())
        except (AccessError, RejectedDataError) as error:
            return transitions.failed(run, prepare, str(error), untouched=True, now=self._clock.now())
        return transitions.attempting(run, prepare)

    def _write(self, run: Run, write: Write) -> Run:
        change = run.plan.changes[write.index]
        target, source = (change.before, change.after) if write.back else (change.after, change.before)
        untouched = False
        try:
            seen = self._needs_write(run, change, target=target, source=source)
            if seen:
                untouched = True  # the pre-image is there, so no earlier attempt arrived; a refusal leaves it so
                self._require_valid(run, write)
                self._effects.write(run, change, seen.etag, back=write.back)
        except (AccessError, RejectedDataError) as error:
            return transitions.failed(run, write, str(error), untouched=untouched, now=self._clock.now())
        return transitions.wrote(run, write, already=seen is None, now=self._clock.now())

    def _needs_write(self, run: Run, change: Change, *, target: Values, source: Values) -> Observed | None:
        """The resource as it is before the write, None when it is at its target. Raises RejectedDataError on drift."""
        observed = self._effects.observe(run, change)
        if dict(observed.values) == dict(target):
            return None
        if dict(observed.values) != dict(source):
            raise RejectedDataError(
                f"{change.resource_id} changed since the plan: it has {dict(observed.values)}, not {dict(source)}.",
                remedy="Make a new plan.",
            )
        return observed

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
        news = (after.state, after.overdue_told) != (before.state, before.overdue_told)
        if not news or not after.incident:
            return after
        comment = self._describe(after)
        return transitions.commented(after, comment) if comment else after

"""Sends what waits in a run's record: audit rows first, then comments."""

from dataclasses import replace
from typing import Protocol

from apiward_core.clock import Clock
from apiward_core.errors import AccessError, RejectedDataError
from apiward_playbooks import transitions
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.runs import Comment, Run
from apiward_playbooks.store import RunStore


class Sender(Protocol):
    """Where rows and comments go."""

    def send_audit(self, rows: list[AuditRow]) -> None:
        """Send audit rows to the workspace."""
        ...

    def send_comment(self, comment: Comment) -> None:
        """Put a comment on an incident; once per id."""
        ...


class Outbox:
    """Empties outboxes. Everything in them has a deterministic id, so that it may be sent again after a crash."""

    def __init__(self, *, store: RunStore, effects: Sender, clock: Clock) -> None:
        self._store = store
        self._effects = effects
        self._clock = clock

    def deliver(self, run_id: str) -> tuple[Run, int]:
        """The run with nothing left to send, and its etag. Raises ConflictError when somebody else has it in hand."""
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

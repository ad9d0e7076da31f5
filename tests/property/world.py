"""A small world that runs act on, and a way to be killed between any two things that happen in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from apiward_core.errors import ConflictError, GuardrailError, RejectedDataError, ThrottledError
from apiward_playbooks import transitions
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.comments import describe
from apiward_playbooks.engine import Effects, Engine, Gate, Settled
from apiward_playbooks.remediation import Change, Evidence, Observed
from apiward_playbooks.runs import Comment, Plan, Run, State, Target
from apiward_playbooks.store import RunStore

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SERVICE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
    "/providers/Microsoft.ApiManagement/service/apim"
)


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class Ticking(Protocol):
    """Hears of everything that happens, before and after it does."""

    def tick(self) -> None: ...


class Fuse:
    """Counts what happens and kills at one count; `times` says which counts, in order."""

    def __init__(self, *times: int) -> None:
        self._times = list(times)
        self.count = 0

    def tick(self) -> None:
        self.count += 1
        if self._times and self.count == self._times[0]:
            self._times.pop(0)
            self.count = 0
            raise Killed


@dataclass
class World:
    """Resources with ETags, everything that was sent, the guardrails, and what a write should not have met.

    `stopped` is the kill switch, `frozen` a freeze window; `throttled` and `refused` count calls that will fail so.
    """

    values: dict[str, dict[str, Any]]
    etags: dict[str, int] = field(default_factory=dict)
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    audit: dict[str, AuditRow] = field(default_factory=dict)
    comments: dict[str, Comment] = field(default_factory=dict)
    agrees: bool = True
    incident_closed: bool = False
    stopped: bool = False
    frozen: bool = False
    throttled: int = 0
    refused: int = 0
    tokens: set[str] = field(default_factory=set)
    offences: list[str] = field(default_factory=list)

    def drift(self, identity: str, values: Mapping[str, Any]) -> None:
        """Somebody else changes a resource."""
        self.values[identity] = dict(values)
        self.etags[identity] = self.etags.get(identity, 0) + 1

    def strain(self) -> None:
        """Fail a call, when that is due."""
        if self.throttled:
            self.throttled -= 1
            raise ThrottledError("too many requests.", remedy="Wait.")


class WorldEffects:
    """Effects on a World. The fuse burns before and after each of them."""

    def __init__(self, world: World, fuse: Ticking) -> None:
        self._world = world
        self._fuse = fuse

    def send_audit(self, rows: list[AuditRow]) -> None:
        for row in rows:
            self._fuse.tick()
            self._world.audit[row.record_id] = row
        self._fuse.tick()

    def send_comment(self, comment: Comment) -> None:
        self._fuse.tick()
        self._world.comments[comment.id] = comment
        self._fuse.tick()

    def require_allowed(self, run: Run) -> None:
        self._fuse.tick()

    def observe(self, run: Run, change: Change) -> Observed:
        self._fuse.tick()
        self._world.strain()
        identity = change.resource_id
        return Observed(dict(self._world.values[identity]), str(self._world.etags.get(identity, 0)))

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        self._fuse.tick()
        self._world.strain()
        if self._world.refused:
            self._world.refused -= 1
            raise RejectedDataError("the service said no.", remedy="Ask.")
        identity = change.resource_id
        if etag != str(self._world.etags.get(identity, 0)):
            raise ConflictError("changed in between.", remedy="Read again.")
        self._check(run, change, back=back)
        effective = self._world.values[identity] != (change.before if back else change.after)
        self._world.values[identity] = dict(change.before if back else change.after)
        self._world.etags[identity] = self._world.etags.get(identity, 0) + 1
        if effective:
            self._world.writes.append((identity, self._world.values[identity]))
        self._fuse.tick()

    def _check(self, run: Run, change: Change, *, back: bool) -> None:
        """Note what no write may ever meet."""
        token = f"{run.id}/{run.plan.changes.index(change)}"
        offences = {
            "stored as writing": run.state is (State.ROLLING_BACK if back else State.APPLYING),
            "with a token": back or token in self._world.tokens,
            "not over drift": self._world.values[change.resource_id] in (change.before, change.after),
        }
        self._world.offences += [rule for rule, kept in offences.items() if not kept]

    def verify(self, run: Run) -> Evidence:
        self._fuse.tick()
        healthy = all(self._world.values[change.resource_id] == change.after for change in run.plan.changes)
        return Evidence(healthy, {}, "looked")

    def defender_agrees(self, run: Run) -> bool:
        self._fuse.tick()
        return self._world.agrees

    def settle(self, run: Run) -> Settled:
        self._fuse.tick()
        self._world.incident_closed = True
        self._fuse.tick()
        return Settled(True, "closed")


class WorldGate:
    """The guardrails of a World."""

    def __init__(self, world: World, fuse: Ticking) -> None:
        self._world = world
        self._fuse = fuse

    def permit(self, run: Run, index: int, *, back: bool) -> None:
        self._fuse.tick()
        if self._world.stopped or (self._world.frozen and not back):
            raise GuardrailError("Not now.", remedy="Wait.")
        if not back:
            self._world.tokens.add(f"{run.id}/{index}")
        self._fuse.tick()


class FusedStore:
    """A RunStore in which the process may die before or after any save."""

    def __init__(self, store: RunStore, fuse: Ticking) -> None:
        self._store = store
        self._fuse = fuse

    def add(self, run: Run) -> None:
        self._store.add(run)

    def load(self, run_id: str) -> tuple[Run, int]:
        return self._store.load(run_id)

    def save(self, run: Run, etag: int) -> int:
        self._fuse.tick()
        saved = self._store.save(run, etag)
        self._fuse.tick()
        return saved

    def all(self) -> list[Run]:
        return self._store.all()


class MemoryStore:
    """A RunStore without a disk."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[Run, int]] = {}

    def add(self, run: Run) -> None:
        self._runs[run.id] = (run, 1)

    def load(self, run_id: str) -> tuple[Run, int]:
        return self._runs[run_id]

    def save(self, run: Run, etag: int) -> int:
        if self._runs[run.id][1] != etag:
            raise ConflictError("changed in between.", remedy="Load again.")
        self._runs[run.id] = (run, etag + 1)
        return etag + 1

    def all(self) -> list[Run]:
        return [run for run, _ in self._runs.values()]


@dataclass
class FrozenClock:
    """A clock that stands still until it is moved."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment


def engine_for(
    world: World, store: RunStore, fuse: Ticking, clock: FrozenClock | None = None, gate: Gate | None = None
) -> Engine:
    """An engine on the world, with a fuse in everything that it does."""
    effects: Effects = WorldEffects(world, fuse)
    return Engine(
        store=FusedStore(store, fuse),
        effects=effects,
        gate=gate or WorldGate(world, fuse),
        clock=clock or FrozenClock(),
        confirm_within=timedelta(hours=72),
        describe=describe,
    )


def planned(changes: int) -> tuple[World, Run]:
    """A world and a run that waits for approval, with that many changes."""
    plan = Plan(
        changes=tuple(
            Change(f"{SERVICE}/apis/api-{n}", f"api-{n}", {"protocols": ["http", "https"]}, {"protocols": ["https"]})
            for n in range(changes)
        ),
        race="none",
        breaking=None,
        irreversible=None,
        expires_at="2026-11-24T10:00:00.000000Z",
    )
    target = Target("f-1", "key", "apim-encrypted-protocols", "name", "High", f"{SERVICE}/apis/api-0", SERVICE)
    run = transitions.new_run("run-1", target, plan, requested_by="ana", incident="incident-1", now=START)
    return World({change.resource_id: dict(change.before) for change in plan.changes}), run


def approve(run: Run) -> Run:
    """The run, approved."""
    return transitions.approved(run, by="ben", why="", plan_hash_seen=run.plan_hash, now=START)


def until_done(act: Callable[[], Run]) -> Run:
    """Start again after each kill, as a supervisor would."""
    while True:
        try:
            return act()
        except Killed:
            continue


def with_irreversible(run: Run, why: str) -> Run:
    """The run with a plan that cannot be undone."""
    plan = replace(run.plan, irreversible=why)
    return replace(run, plan=plan, plan_hash=transitions.plan_hash(run.id, run.target, plan))

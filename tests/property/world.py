"""A small world that runs act on, and a way to be killed between any two things that happen in it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apiward_core.errors import ConflictError
from apiward_playbooks import transitions
from apiward_playbooks.audit import AuditRow
from apiward_playbooks.comments import describe
from apiward_playbooks.engine import Effects, Engine, Settled
from apiward_playbooks.remediation import Change, Evidence, Observed
from apiward_playbooks.runs import Comment, Plan, Run, Target
from apiward_playbooks.store import RunStore

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SERVICE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
    "/providers/Microsoft.ApiManagement/service/apim"
)


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class Fuse:
    """Counts what happens and kills at one count; `times` says which counts, in order."""

    def __init__(self, *times: int) -> None:
        self._times = list(times)
        self._count = 0

    def tick(self) -> None:
        self._count += 1
        if self._times and self._count == self._times[0]:
            self._times.pop(0)
            self._count = 0
            raise Killed


@dataclass
class World:
    """Resources with ETags, and everything that was sent."""

    values: dict[str, dict[str, Any]]
    etags: dict[str, int] = field(default_factory=dict)
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    audit: dict[str, AuditRow] = field(default_factory=dict)
    comments: dict[str, Comment] = field(default_factory=dict)
    agrees: bool = True
    incident_closed: bool = False


class WorldEffects:
    """Effects on a World. The fuse burns before and after each of them."""

    def __init__(self, world: World, fuse: Fuse) -> None:
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

    def observe(self, run: Run, change: Change) -> Observed:
        self._fuse.tick()
        identity = change.resource_id
        return Observed(dict(self._world.values[identity]), str(self._world.etags.get(identity, 0)))

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        self._fuse.tick()
        identity = change.resource_id
        if etag != str(self._world.etags.get(identity, 0)):
            raise ConflictError("changed in between.", remedy="Read again.")
        self._world.values[identity] = dict(change.before if back else change.after)
        self._world.etags[identity] = self._world.etags.get(identity, 0) + 1
        self._world.writes.append((identity, self._world.values[identity]))
        self._fuse.tick()

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


class FusedStore:
    """A RunStore in which the process may die before or after any save."""

    def __init__(self, store: RunStore, fuse: Fuse) -> None:
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


def engine_for(world: World, store: RunStore, fuse: Fuse, clock: FrozenClock | None = None) -> Engine:
    """An engine on the world, with a fuse in everything that it does."""
    effects: Effects = WorldEffects(world, fuse)
    return Engine(
        store=FusedStore(store, fuse),
        effects=effects,
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

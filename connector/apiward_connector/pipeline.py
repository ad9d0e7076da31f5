"""One run: each scope is read, compared, sent and remembered; what goes wrong in one does not stop the others.

The effects on a scope, in order: take the lease; send what an interrupted run left in the outbox; refresh the caches of
reference data; read; write the rows into the outbox; save the state that accounts for them; send them; send the health
row. A crash between any two loses nothing, and what it repeats has the same RecordId: rows are sent from the outbox,
never made again from a source that may have changed. A crash before the state is saved leaves rows that nobody has
seen, and the next run deletes them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event
from typing import Literal, Protocol
from uuid import uuid4

import orjson

from apiward_connector.delta import Pass, Told
from apiward_connector.finding import Finding, Gone
from apiward_connector.normalise import Normaliser
from apiward_connector.outbox import Outbox, OutboxWriter
from apiward_connector.reference import Reference
from apiward_connector.report import Gap, RunReport, ScopeReport, Tally
from apiward_connector.rows import RecommendationRows, type_row
from apiward_connector.sources.paging import Page
from apiward_connector.state import ScopeState
from apiward_connector.state_store import StateStore, scope_of
from apiward_core.catalogue import Catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError, ConfigurationError
from apiward_core.ingest import Batch, BatchSink, SendReport
from apiward_core.leases import HeldError, Lease
from apiward_core.tables import HEALTH, INVENTORY, RECOMMENDATIONS, TYPES, all_tables
from apiward_core.turns import Turns

Explain = Callable[[Finding], str | None]
"""Says why a finding is gone; None when that cannot be found out now."""


def unexplained(finding: Finding) -> str:
    """The StateCause of a finding that nobody looked into."""
    del finding
    return "Unexplained"


class Source(Protocol):
    """Where raw assessments come from. Pages of several subscriptions are asked for at once."""

    @property
    def name(self) -> str:
        """What the health row calls it."""
        ...

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Prepare for these subscriptions, once a run. Raises the errors of `apiward_core.errors`."""
        ...

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw assessments of a subscription, page by page. Raises the errors of `apiward_core.errors`."""
        ...


class References(Protocol):
    """Where what is joined onto findings comes from."""

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Prepare for these subscriptions, once a run."""
        ...

    def read(self, subscription_id: str, *, renew: Callable[[], None]) -> tuple[Reference, tuple[Gap, ...]]:
        """What is known about a subscription, and what of it could not be read; `renew` is called meanwhile.

        Raises the errors of `apiward_core.errors`.
        """
        ...


def _unheard(report: ScopeReport) -> None:
    del report


class Connector:
    """Brings the API findings of subscriptions into the workspace.

    `explain` says why a finding has gone, `doubts` what it could not find out so far. `on_scope` hears of each scope
    when it is done. `concurrency` is how many scopes are worked on at once; they take `turns`, which connectors of one
    process may share.
    """

    def __init__(
        self,
        *,
        source: Source,
        references: References,
        sink: BatchSink,
        states: StateStore,
        catalogue: Catalogue,
        clock: Clock,
        tenant_id: str,
        portal: str,
        first_run: Literal["raise", "baseline"] = "raise",
        explain: Explain = unexplained,
        doubts: Callable[[str], Sequence[Gap]] = lambda _: (),
        on_scope: Callable[[ScopeReport], None] = _unheard,
        concurrency: int = 1,
        turns: Turns | None = None,
    ) -> None:
        self._source = source
        self._references = references
        self._sink = sink
        self._states = states
        self._catalogue = catalogue
        self._clock = clock
        self._tenant_id = tenant_id
        self._portal = portal
        self._baseline = first_run == "baseline"
        self._explain = explain
        self._doubts = doubts
        self._on_scope = on_scope
        self._concurrency = concurrency
        self._turns = turns or Turns()

    def run(self, subscriptions: Sequence[str], *, unlisted: Sequence[Gap] = ()) -> RunReport:
        """Read each subscription (given by its id) once.

        `unlisted` are scopes of which nobody knows what is in them; they are reported as unread. Raises
        ConfigurationError before anything is read when an id is no GUID or when there is neither.
        """
        ids = list(dict.fromkeys(_subscription_id(subscription) for subscription in subscriptions))
        if not (ids or unlisted):
            raise ConfigurationError(
                "There is no subscription to read.", remedy="Name them in `subscriptions` or `management_groups`."
            )
        run = _Run(str(uuid4()), Event())
        unread = list(unlisted)
        try:
            self._source.expect(ids)
            self._references.expect(ids)
        except ApiwardError as error:
            unread += [Gap(scope_of(each), str(error)) for each in ids]
            ids = []
        return RunReport(run.id, (*(self._tell_unread(gap, run) for gap in unread), *self._run_scopes(ids, run)))

    def _run_scopes(self, ids: Sequence[str], run: "_Run") -> Iterator[ScopeReport]:
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="scope") as pool:
            futures: dict[str, Future[ScopeReport]] = {each: pool.submit(self._in_turns, each, run) for each in ids}
            try:
                for done in as_completed(futures.values()):
                    if not isinstance(done.exception(), Exception):  # a mistake of ours is raised when all are done
                        self._on_scope(done.result())
            except BaseException:
                run.stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
        return (futures[each].result() for each in ids)

    def _in_turns(self, subscription_id: str, run: "_Run") -> ScopeReport:
        with self._turns.taken():
            return self._run_scope(subscription_id, run)

    def _run_scope(self, subscription_id: str, run: "_Run") -> ScopeReport:
        scope, began, tally = scope_of(subscription_id), self._clock.now(), Tally()
        try:
            with self._states.lease(scope) as lease:
                self._work(_Job(subscription_id, scope, run, lease, tally, self._states.outbox(scope)))
        except HeldError as error:
            tally.busy = True
            tally.fail(scope, error)
            return tally.report(scope, self._source.name, 0.0)  # and no health row: the other run writes that
        except ApiwardError as error:
            tally.fail(scope, error)
        return self._tell(tally, scope, run, began)

    def _work(self, job: "_Job") -> None:
        state, etag = self._states.load(job.scope)
        job.tally.knows(state)
        etag = self._discard_strays(job, state, etag)
        self._deliver(job, state)
        if self._read(job, state):
            job.beat()
            self._states.save(job.scope, state, etag)
            job.tally.knows(state)
            self._deliver(job, state)

    def _discard_strays(self, job: "_Job", state: ScopeState, etag: str | None) -> str | None:
        """Delete the rows of runs that died before they saved, and return the etag of the state.

        Such a run may only have slept while its lease expired. The state is written anew first, so that it cannot save
        any more: it would account for rows that are gone.
        """
        if job.outbox.strays(state.outbox):
            state.fence = job.run.id
            etag = self._states.save(job.scope, state, etag)
            job.outbox.discard_all_but(state.outbox)
        return etag

    def _read(self, job: "_Job", state: ScopeState) -> bool:
        """Whether anything was read; then `state` is the new state, and the rows it accounts for are in the outbox.

        That nothing is there is something, when all of it was read.
        """
        reference, gaps = self._references.read(job.subscription_id, renew=job.beat)
        job.tally.gaps += gaps
        normaliser = Normaliser(
            reference=reference, catalogue=self._catalogue, tenant_id=self._tenant_id, portal=self._portal
        )
        reading, writer = Pass(state, baseline=self._baseline), job.outbox.writer(job.run.id)
        whole = self._read_pages(job, normaliser, reading, writer)
        job.tally.gaps += reference.late_gaps
        if not (whole or job.tally.pages):
            return False
        now = self._clock.now()
        if whole:
            self._write(job, writer, reading.miss(self._look_into(job, normaliser), now=now), now)
        self._describe(state, normaliser, writer, job.run.id, timestamp(now))
        self._take_inventory(state, reference, writer, job.run.id, timestamp(now))
        writer.close()
        reading.end(whole=whole, now=now, outbox=job.run.id if writer.rows else "")
        return True

    def _read_pages(self, job: "_Job", normaliser: Normaliser, reading: Pass, writer: OutboxWriter) -> bool:
        """Whether all of the subscription was read and understood.

        Raises what else goes wrong than the reading itself: no state may account for rows that were not written down.
        """
        for page in self._pages(job):
            job.beat()
            job.tally.pages += 1
            job.tally.read += len(page)
            now = self._clock.now()
            findings, unreadable = normaliser.findings(page)
            for item in unreadable:
                job.tally.unread(item)
            self._write(job, writer, [reading.take(findings, now=now)], now)
        return job.tally.whole

    def _pages(self, job: "_Job") -> Iterator[Page]:
        try:
            yield from self._source.pages(job.subscription_id)
        except ApiwardError as error:  # what was read before it is still good
            job.tally.unfinished(job.scope, error)

    @staticmethod
    def _write(job: "_Job", writer: OutboxWriter, told: Iterable[Told], now: datetime) -> None:
        rows = RecommendationRows(run_id=job.run.id, observed=timestamp(now))
        for changes, findings in told:
            written = rows.write(changes, findings)
            writer.add(RECOMMENDATIONS, written, list(map(str, changes.types)))

    def _look_into(self, job: "_Job", normaliser: Normaliser) -> Callable[[Gone], Finding | None]:
        known = set(self._doubts(job.subscription_id))

        def look_into(gone: Gone) -> Finding | None:
            job.beat()
            cause = self._explain(normaliser.gone(gone, cause=""))
            job.tally.gaps += [doubt for doubt in self._doubts(job.subscription_id) if doubt not in known]
            known.update(self._doubts(job.subscription_id))
            return None if cause is None else normaliser.gone(gone, cause=cause)

        return look_into

    @staticmethod
    def _describe(state: ScopeState, normaliser: Normaliser, writer: OutboxWriter, run_id: str, observed: str) -> None:
        """Tell of each type that was met what this UTC day has not been told."""
        told = dict(state.told)
        for kind in normaliser.types:
            record_id = kind.record_id(observed[:10])
            if told.get(kind.key) != record_id:
                writer.add(TYPES, [orjson.dumps(type_row(kind, observed=observed, run_id=run_id))])
                told[kind.key] = record_id
        state.told = told

    @staticmethod
    def _take_inventory(
        state: ScopeState, reference: Reference, writer: OutboxWriter, run_id: str, observed: str
    ) -> None:
        if reference.inventory_day != state.inventory_day:
            for row in reference.inventory_rows(run_id=run_id, observed=observed):
                writer.add(INVENTORY, [orjson.dumps(row)])
            state.inventory_day = reference.inventory_day

    def _deliver(self, job: "_Job", state: ScopeState) -> None:
        def count(batch: Batch, sent: SendReport) -> None:
            job.beat()
            job.tally.delivered(batch, sent)

        job.outbox.deliver(state.outbox, self._sink, without=frozenset(state.superseded), on_batch=count)

    def _tell_unread(self, gap: Gap, run: "_Run") -> ScopeReport:
        tally = Tally(failed=True, gaps=[gap])
        report = self._tell(tally, gap.what, run, self._clock.now())
        self._on_scope(report)
        return report

    def _tell(self, tally: Tally, scope: str, run: "_Run", began: datetime) -> ScopeReport:
        ended = self._clock.now()
        report = tally.report(scope, self._source.name, (ended - began).total_seconds())
        row = report.health_row(run_id=run.id, ended=timestamp(ended))
        try:
            sent = self._sink.send(all_tables()[HEALTH], [row])
        except ApiwardError as error:
            return replace(report, gaps=(*report.gaps, Gap(HEALTH, str(error))))
        return replace(report, dead=report.dead + sent.dead)


@dataclass(frozen=True, slots=True)
class _Run:
    id: str
    stopped: Event


class _Stopped(BaseException):
    """The run was interrupted while this scope was worked on."""


@dataclass(frozen=True, slots=True)
class _Job:
    subscription_id: str
    scope: str
    run: _Run
    lease: Lease
    tally: Tally
    outbox: Outbox

    def beat(self) -> None:
        """Keep the lease, unless the run was interrupted. Raises ConflictError when another run has it."""
        if self.run.stopped.is_set():
            raise _Stopped
        self.lease.renew()


def _subscription_id(text: str) -> str:
    return scope_of(text).rpartition("/")[2]

"""One run: each scope is read, compared, sent and remembered; what goes wrong in one does not stop the others.

The effects on a scope, in order: take the lease; send what an interrupted run left in the outbox; refresh the caches of
reference data; read; write the rows into the outbox; save the state that accounts for them; send them; send the health
row. A crash between any two loses nothing, and what it repeats has the same RecordId: rows are sent from the outbox,
never made again from a source that may have changed. A crash before the state is saved leaves rows that nobody has
seen, and the next run deletes them.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime
from threading import Event
from uuid import uuid4

from apiward_connector.reading import Job, Reader, Run
from apiward_connector.report import Gap, RunReport, ScopeReport, Tally
from apiward_connector.state import ScopeState
from apiward_connector.state_store import StateStore, scope_of
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError, ConfigurationError
from apiward_core.ingest import BatchSink, SendReport
from apiward_core.leases import HeldError
from apiward_core.packing import Batch
from apiward_core.tables import HEALTH, all_tables
from apiward_core.turns import Turns


def _unheard(report: ScopeReport) -> None:
    del report


class Connector:
    """Brings the API findings of subscriptions into the workspace, as `reader` reads them.

    `on_scope` hears of each scope when it is done. `concurrency` is how many scopes are worked on at once; they take
    `turns`, which connectors of one process may share.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        sink: BatchSink,
        states: StateStore,
        clock: Clock,
        on_scope: Callable[[ScopeReport], None] = _unheard,
        concurrency: int = 1,
        turns: Turns | None = None,
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._states = states
        self._clock = clock
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
        run = Run(str(uuid4()), Event())
        unread = list(unlisted)
        try:
            self._reader.expect(ids)
        except ApiwardError as error:
            unread += [Gap(scope_of(each), str(error)) for each in ids]
            ids = []
        return RunReport(run.id, (*(self._tell_unread(gap, run) for gap in unread), *self._run_scopes(ids, run)))

    def _run_scopes(self, ids: Sequence[str], run: Run) -> Iterator[ScopeReport]:
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

    def _in_turns(self, subscription_id: str, run: Run) -> ScopeReport:
        with self._turns.taken():
            return self._run_scope(subscription_id, run)

    def _run_scope(self, subscription_id: str, run: Run) -> ScopeReport:
        scope, began, tally = scope_of(subscription_id), self._clock.now(), Tally()
        try:
            with self._states.lease(scope) as lease:
                self._work(Job(subscription_id, scope, run, lease, tally, self._states.outbox(scope)))
        except HeldError as error:
            tally.busy = True
            tally.fail(scope, error)
            return tally.report(scope, self._reader.source_name, 0.0)  # and no health row: the other run writes that
        except ApiwardError as error:
            tally.fail(scope, error)
        return self._tell(tally, scope, run, began)

    def _work(self, job: Job) -> None:
        state, etag = self._states.load(job.scope)
        job.tally.knows(state)
        etag = self._discard_strays(job, state, etag)
        self._deliver(job, state)
        if self._reader.read(job, state):
            job.beat()
            self._states.save(job.scope, state, etag)
            job.tally.knows(state)
            self._deliver(job, state)

    def _discard_strays(self, job: Job, state: ScopeState, etag: str | None) -> str | None:
        """Delete the rows of runs that died before they saved, and return the etag of the state.

        Such a run may only have slept while its lease expired. The state is written anew first, so that it cannot save
        any more: it would account for rows that are gone.
        """
        if job.outbox.strays(state.outbox):
            state.fence = job.run.id
            etag = self._states.save(job.scope, state, etag)
            job.outbox.discard_all_but(state.outbox)
        return etag

    def _deliver(self, job: Job, state: ScopeState) -> None:
        def count(batch: Batch, sent: SendReport) -> None:
            job.beat()
            job.tally.delivered(batch, sent)

        job.outbox.deliver(state.outbox, self._sink, without=frozenset(state.superseded), on_batch=count)

    def _tell_unread(self, gap: Gap, run: Run) -> ScopeReport:
        tally = Tally(failed=True, gaps=[gap])
        report = self._tell(tally, gap.what, run, self._clock.now())
        self._on_scope(report)
        return report

    def _tell(self, tally: Tally, scope: str, run: Run, began: datetime) -> ScopeReport:
        ended = self._clock.now()
        report = tally.report(scope, self._reader.source_name, (ended - began).total_seconds())
        row = report.health_row(run_id=run.id, ended=timestamp(ended))
        try:
            sent = self._sink.send(all_tables()[HEALTH], [row])
        except ApiwardError as error:
            return replace(report, gaps=(*report.gaps, Gap(HEALTH, str(error))))
        return replace(report, dead=report.dead + sent.dead)


def _subscription_id(text: str) -> str:
    return scope_of(text).rpartition("/")[2]

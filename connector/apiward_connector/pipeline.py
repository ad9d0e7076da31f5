"""One run: each scope is read, compared, sent and remembered; what goes wrong in one does not stop the others.

The effects on a scope, in order: take the lease; send what an interrupted run left; read; save the new state with the
names of the rows that it owes; send them; save that they arrived; send the health row. A crash between any two loses
nothing, and what it repeats has the same RecordId: rows are written from the saved state, never from a second look at a
source that may have changed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID, uuid4

from apiward_connector.delta import Explain, advance, remember, unexplained
from apiward_connector.finding import Finding, Unreadable
from apiward_connector.normalise import Normaliser
from apiward_connector.report import Gap, RunReport, ScopeReport, Tally
from apiward_connector.rows import Row, recommendation_row
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.sources.paging import Page
from apiward_connector.state import Lease, ScopeState, StateStore
from apiward_core.catalogue import Catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError, ConfigurationError
from apiward_core.ingest import LogSink
from apiward_core.tables import HEALTH, RECOMMENDATIONS, all_tables


class Source(Protocol):
    """Where raw assessments come from."""

    @property
    def name(self) -> str:
        """What the health row calls it."""
        ...

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw assessments of a subscription, page by page. Raises the errors of `apiward_core.errors`."""
        ...


class Metadata(Protocol):
    """Where assessment metadata comes from."""

    def load(self, subscription_id: str) -> Mapping[str, AssessmentMetadata]:
        """The metadata by assessment key in lower case. Raises the errors of `apiward_core.errors`."""
        ...


def _unheard(report: ScopeReport) -> None:
    del report


class Connector:
    """Brings the API findings of subscriptions into the workspace.

    `explain` says why a finding that is removed has gone; `on_scope` hears of each scope when it is done.
    """

    def __init__(
        self,
        *,
        source: Source,
        metadata: Metadata,
        sink: LogSink,
        states: StateStore,
        catalogue: Catalogue,
        clock: Clock,
        tenant_id: str,
        first_run: Literal["raise", "baseline"] = "raise",
        explain: Explain = unexplained,
        on_scope: Callable[[ScopeReport], None] = _unheard,
    ) -> None:
        self._source = source
        self._metadata = metadata
        self._sink = sink
        self._states = states
        self._catalogue = catalogue
        self._clock = clock
        self._tenant_id = tenant_id
        self._baseline = first_run == "baseline"
        self._explain = explain
        self._on_scope = on_scope

    def run(self, subscriptions: Sequence[str]) -> RunReport:
        """Read each subscription (given by its id) once.

        Raises ConfigurationError before anything is read when an id is no GUID or when there is none.
        """
        ids = list(dict.fromkeys(_subscription_id(subscription) for subscription in subscriptions))
        if not ids:
            raise ConfigurationError("There is no subscription to read.", remedy="Name them in `subscriptions`.")
        run_id = str(uuid4())
        return RunReport(run_id, tuple(self._run_scope(subscription, run_id) for subscription in ids))

    def _run_scope(self, subscription_id: str, run_id: str) -> ScopeReport:
        scope, began, tally = f"/subscriptions/{subscription_id}", self._clock.now(), Tally()
        try:
            with self._states.lease(scope) as lease:
                self._work(_Job(subscription_id, scope, run_id, lease, tally))
        except ApiwardError as error:
            tally.fail(Gap(scope, str(error)))
        report = self._tell(tally, scope, run_id, began)
        self._on_scope(report)
        return report

    def _work(self, job: "_Job") -> None:
        state, etag = self._states.load(job.scope)
        job.tally.knows(state)
        state, etag = self._deliver(job, state, etag)
        seen = self._read(job)
        if not job.tally.pages:
            return
        whole = not job.tally.gaps
        state = advance(state, seen, now=self._clock.now(), whole=whole, baseline=self._baseline, explain=self._explain)
        job.lease.renew()
        etag = self._states.save(job.scope, state, etag)
        job.tally.knows(state)
        self._deliver(job, state, etag)

    def _read(self, job: "_Job") -> dict[str, Finding]:
        metadata = self._metadata.load(job.subscription_id)
        normaliser = Normaliser(metadata=metadata, catalogue=self._catalogue, tenant_id=self._tenant_id)
        seen: dict[str, Finding] = {}
        for page in self._pages(job):
            job.lease.renew()
            job.tally.pages += 1
            job.tally.read += len(page)
            for raw in page:
                match normaliser.normalise(raw):
                    case Finding() as finding:
                        remember(seen, finding)
                    case Unreadable() as item:
                        job.tally.unread(item)
        return seen

    def _pages(self, job: "_Job") -> Iterator[Page]:
        try:
            yield from self._source.pages(job.subscription_id)
        except ApiwardError as error:  # what was read before it is still good
            job.tally.gaps.append(Gap(job.scope, str(error)))

    def _deliver(self, job: "_Job", state: ScopeState, etag: str | None) -> tuple[ScopeState, str | None]:
        if not state.pending:
            return state, etag
        report = self._sink.send(all_tables()[RECOMMENDATIONS], self._rows(job, state))
        job.tally.delivered(report, Counter(change for _, change in state.pending))
        delivered = replace(state, pending=())
        return delivered, self._states.save(job.scope, delivered, etag)

    def _rows(self, job: "_Job", state: ScopeState) -> Iterator[Row]:
        for name, change in state.pending:
            job.lease.renew()
            yield recommendation_row(state.entries[name], change, observed=state.observed, run_id=job.run_id)

    def _tell(self, tally: Tally, scope: str, run_id: str, began: datetime) -> ScopeReport:
        ended = self._clock.now()
        report = tally.report(scope, (ended - began).total_seconds())
        row = report.health_row(run_id=run_id, source=self._source.name, ended=timestamp(ended))
        try:
            sent = self._sink.send(all_tables()[HEALTH], [row])
        except ApiwardError as error:
            return replace(report, gaps=(*report.gaps, Gap(HEALTH, str(error))))
        return replace(report, dead=report.dead + sent.dead)


@dataclass(frozen=True, slots=True)
class _Job:
    subscription_id: str
    scope: str
    run_id: str
    lease: Lease
    tally: Tally


def _subscription_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no subscription id.", remedy="Correct `subscriptions`.") from error

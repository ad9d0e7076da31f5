"""One run: each scope is read, compared, sent and remembered; what goes wrong in one does not stop the others.

The effects on a scope, in order: take the lease; send what an interrupted run left; read; save the new state with the
names of the rows that it owes; send them; save that they arrived; once a day read and send the inventory; send the
health row. A crash between any two loses nothing, and what it repeats has the same RecordId: rows about findings and
types are written from the saved state, never from a second look at a source that may have changed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID, uuid4

from apiward_connector.delta import Explain, advance, describe, remember, unexplained
from apiward_connector.finding import Finding, Unreadable
from apiward_connector.normalise import Normaliser
from apiward_connector.recommendation_types import RecommendationType, types_of
from apiward_connector.report import Gap, RunReport, ScopeReport, Tally
from apiward_connector.rows import INVENTORY, TYPES, Row, recommendation_row, type_row
from apiward_connector.sources.inventory import inventory_row
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


class Inventory(Protocol):
    """Where raw API collections come from."""

    def pages(self, subscription_id: str) -> Iterator[Page]:
        """The raw collections of a subscription, page by page. Raises the errors of `apiward_core.errors`."""
        ...


def _unheard(report: ScopeReport) -> None:
    del report


class Connector:
    """Brings the API findings of subscriptions into the workspace.

    `explain` says why a finding that is removed has gone, `doubts` what it could not find out so far. `inventory` is
    read once a day for each scope; that it cannot be read is told, and has no bearing on the findings. `on_scope` hears
    of each scope when it is done.
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
        portal: str,
        first_run: Literal["raise", "baseline"] = "raise",
        explain: Explain = unexplained,
        doubts: Callable[[], Sequence[Gap]] = tuple,
        inventory: Inventory | None = None,
        on_scope: Callable[[ScopeReport], None] = _unheard,
    ) -> None:
        self._source = source
        self._metadata = metadata
        self._sink = sink
        self._states = states
        self._catalogue = catalogue
        self._clock = clock
        self._tenant_id = tenant_id
        self._portal = portal
        self._baseline = first_run == "baseline"
        self._explain = explain
        self._doubts = doubts
        self._inventory = inventory
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
        seen, types = self._read(job)
        if not job.tally.pages:
            return
        state = describe(self._compare(job, state, seen), types)
        job.lease.renew()
        etag = self._states.save(job.scope, state, etag)
        job.tally.knows(state)
        state, etag = self._deliver(job, state, etag)
        self._take_inventory(job, state, etag)

    def _compare(self, job: "_Job", state: ScopeState, seen: Mapping[str, Finding]) -> ScopeState:
        def explain(gone: Finding) -> str:
            job.lease.renew()
            return self._explain(gone)

        whole, known = not job.tally.gaps, set(self._doubts())
        state = advance(state, seen, now=self._clock.now(), whole=whole, baseline=self._baseline, explain=explain)
        job.tally.gaps += [doubt for doubt in self._doubts() if doubt not in known]
        return state

    def _read(self, job: "_Job") -> tuple[Mapping[str, Finding], Sequence[RecommendationType]]:
        metadata = self._metadata.load(job.subscription_id)
        normaliser = Normaliser(
            metadata=metadata, catalogue=self._catalogue, tenant_id=self._tenant_id, portal=self._portal
        )
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
        return seen, types_of(seen.values(), metadata=metadata, catalogue=self._catalogue)

    def _pages(self, job: "_Job") -> Iterator[Page]:
        try:
            yield from self._source.pages(job.subscription_id)
        except ApiwardError as error:  # what was read before it is still good
            job.tally.gaps.append(Gap(job.scope, str(error)))

    def _deliver(self, job: "_Job", state: ScopeState, etag: str | None) -> tuple[ScopeState, str | None]:
        if state.pending:
            report = self._sink.send(all_tables()[RECOMMENDATIONS], self._rows(job, state))
            job.tally.delivered(report, Counter(change for _, change in state.pending))
            state = replace(state, pending=())
            etag = self._states.save(job.scope, state, etag)
        if state.types:
            rows = [type_row(kind, observed=state.observed, run_id=job.run_id) for kind in state.types]
            job.tally.delivered_types(self._sink.send(all_tables()[TYPES], rows))
            state = replace(state, types=())
            etag = self._states.save(job.scope, state, etag)
        return state, etag

    def _rows(self, job: "_Job", state: ScopeState) -> Iterator[Row]:
        for name, change in state.pending:
            job.lease.renew()
            yield recommendation_row(state.entries[name], change, observed=state.observed, run_id=job.run_id)

    def _take_inventory(self, job: "_Job", state: ScopeState, etag: str | None) -> None:
        read_at = timestamp(self._clock.now())
        if self._inventory is None or state.inventory_day == read_at[:10]:
            return
        try:
            rows = self._inventory_rows(job, self._inventory.pages(job.subscription_id), read_at)
            job.tally.delivered_inventory(self._sink.send(all_tables()[INVENTORY], rows))
            self._states.save(job.scope, replace(state, inventory_day=read_at[:10]), etag)
        except ApiwardError as error:  # the findings are read, sent and remembered by now
            job.tally.gaps.append(Gap("inventory", str(error)))

    def _inventory_rows(self, job: "_Job", pages: Iterator[Page], read_at: str) -> Iterator[Row]:
        for page in pages:
            job.lease.renew()
            for raw in page:
                match inventory_row(raw, run_id=job.run_id, read_at=read_at):
                    case Unreadable() as item:
                        job.tally.unread(Unreadable("inventory", f"{item.what}: {item.why}"))
                    case row:
                        yield row

    def _tell(self, tally: Tally, scope: str, run_id: str, began: datetime) -> ScopeReport:
        ended = self._clock.now()
        report = tally.report(scope, self._source.name, (ended - began).total_seconds())
        row = report.health_row(run_id=run_id, ended=timestamp(ended))
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

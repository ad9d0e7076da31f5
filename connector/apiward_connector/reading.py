"""One pass over a scope: what the source has becomes rows in the outbox and a new state, if anything was read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from threading import Event
from typing import Literal, Protocol

import orjson

from apiward_connector.delta import Pass, Told
from apiward_connector.finding import Finding, Gone, digest
from apiward_connector.id_index import U64
from apiward_connector.normalise import Normaliser
from apiward_connector.outbox import Outbox, OutboxWriter
from apiward_connector.reference import Reference
from apiward_connector.report import Gap, Tally
from apiward_connector.rows import RecommendationRows, type_row
from apiward_connector.sources.assessment_pages import AssessmentList
from apiward_connector.sources.paging import Page
from apiward_connector.state import ScopeState
from apiward_core.catalogue import Catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ApiwardError
from apiward_core.leases import Lease
from apiward_core.tables import INVENTORY, RECOMMENDATIONS, TYPES

_VERSION = version("apiward")

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


@dataclass(frozen=True, slots=True)
class Run:
    """A run over some scopes; once `stopped` is set, none of them is worked on any further."""

    id: str
    stopped: Event


class Stopped(BaseException):
    """The run was interrupted while this scope was worked on."""


@dataclass(frozen=True, slots=True)
class Job:
    """One scope of a run, with the lease on it, what is counted of it, and where its rows wait."""

    subscription_id: str
    scope: str
    run: Run
    lease: Lease
    tally: Tally
    outbox: Outbox

    def beat(self) -> None:
        """Keep the lease, unless the run was interrupted. Raises ConflictError when another run has it."""
        if self.run.stopped.is_set():
            raise Stopped
        self.lease.renew()


class Reader:
    """Reads scopes, each under a lease that its job holds.

    `explain` says why a finding has gone, `doubts` what it could not find out so far.
    """

    def __init__(
        self,
        *,
        source: Source,
        references: References,
        catalogue: Catalogue,
        clock: Clock,
        tenant_id: str,
        portal: str,
        first_run: Literal["raise", "baseline"] = "raise",
        explain: Explain = unexplained,
        doubts: Callable[[str], Sequence[Gap]] = lambda _: (),
    ) -> None:
        self._source = source
        self._references = references
        self._catalogue = catalogue
        self._clock = clock
        self._tenant_id = tenant_id
        self._portal = portal
        self._baseline = first_run == "baseline"
        self._explain = explain
        self._doubts = doubts

    @property
    def source_name(self) -> str:
        """What the health row calls the source."""
        return self._source.name

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Prepare for these subscriptions, once a run. Raises the errors of `apiward_core.errors`."""
        self._source.expect(subscriptions)
        self._references.expect(subscriptions)

    def read(self, job: Job, state: ScopeState) -> bool:
        """Whether anything was read; then `state` is the new state, and the rows it accounts for are in the outbox.

        That nothing is there is something, when all of it was read.
        """
        reference, gaps = self._references.read(job.subscription_id, renew=job.beat)
        job.tally.gaps += gaps
        normaliser = Normaliser(
            reference=reference, catalogue=self._catalogue, tenant_id=self._tenant_id, portal=self._portal
        )
        reading = Pass(state, baseline=self._baseline, context=self._context(reference))
        writer = job.outbox.writer(job.run.id)
        whole = self._read_pages(job, normaliser, reading, writer)
        if not (whole or job.tally.pages):
            return False
        now = self._clock.now()
        if whole:
            self._write(job, writer, reading.miss(self._look_into(job, normaliser), now=now), now)
        normaliser.meet(reading.kinds_passed_over)
        self._describe(state, normaliser, writer, job.run.id, timestamp(now))
        job.tally.gaps += reference.late_gaps
        self._take_inventory(state, reference, writer, job.run.id, timestamp(now))
        writer.close()
        reading.end(whole=whole, now=now, outbox=job.run.id if writer.rows else "")
        return True

    def _read_pages(self, job: Job, normaliser: Normaliser, reading: Pass, writer: OutboxWriter) -> bool:
        """Whether all of the subscription was read and understood.

        Raises what else goes wrong than the reading itself: no state may account for rows that were not written down.
        """
        for items, fingerprints in self._pages(job, reading):
            job.beat()
            now = self._clock.now()
            findings, unreadable = normaliser.findings(items, fingerprints)
            for item in unreadable:
                job.tally.unread(item)
            self._write(job, writer, [reading.take(findings, now=now)], now)
            del items, fingerprints, findings  # the next page is read into their memory, which is warm
        return job.tally.whole

    def _pages(self, job: Job, reading: Pass) -> Iterator[tuple[Page, U64 | None]]:
        """The items of each page that have to be looked at, with their fingerprints where there are any."""
        pages = self._source.pages(job.subscription_id)
        try:
            yield from map(partial(self._meet, job, reading), pages)  # a loop would keep each page while it reads on
        except ApiwardError as error:  # what was read before it is still good
            job.tally.unfinished(job.scope, error)

    def _meet(self, job: Job, reading: Pass, page: Page) -> tuple[Page, U64 | None]:
        looked_at = self._unlike_before(page, reading)
        job.tally.pages += 1
        job.tally.read += len(page)
        return looked_at

    def _unlike_before(self, page: Page, reading: Pass) -> tuple[Page, U64 | None]:
        if not isinstance(page, AssessmentList):
            return page, None
        fingerprints = page.fingerprints()
        others = reading.pass_over(fingerprints, now=self._clock.now())
        return page.pick(others), fingerprints[others]

    def _context(self, reference: Reference) -> str:
        """What stands for all that findings are made with besides assessments, "" when not all of that is known."""
        about = (_VERSION, self._tenant_id, self._portal, reference.digest)
        return digest("\n".join(about).encode()) if reference.digest else ""

    @staticmethod
    def _write(job: Job, writer: OutboxWriter, told: Iterable[Told], now: datetime) -> None:
        rows = RecommendationRows(run_id=job.run.id, observed=timestamp(now))
        for changes, findings in told:
            written = rows.write(changes, findings)
            writer.add(RECOMMENDATIONS, written, list(map(str, changes.types)))

    def _look_into(self, job: Job, normaliser: Normaliser) -> Callable[[Gone], Finding | None]:
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

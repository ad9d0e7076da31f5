"""Assessments as Defender lists them, and the small fakes that the connector's seams take."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from apiward_connector.delta import Pass
from apiward_connector.finding import Finding, Findings, Unreadable
from apiward_connector.normalise import Normaliser
from apiward_connector.pipeline import Connector
from apiward_connector.reading import Reader
from apiward_connector.reference import Reference
from apiward_connector.report import Gap
from apiward_connector.rows import RecommendationRows
from apiward_connector.sources.assessment_pages import AssessmentList, assessment_list
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.sources.paging import Page
from apiward_connector.state import ScopeState
from apiward_connector.state_file import decode, encode
from apiward_connector.state_store import StateStore
from apiward_core.catalogue import load_catalogue
from apiward_core.clock import Clock, timestamp
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import BatchSink, Row, SendReport
from apiward_core.packing import Batch, batch_rows
from apiward_core.tables import RECOMMENDATIONS, Table, all_tables

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TENANT = "aaaaaaaa-0000-0000-0000-000000000001"
PORTAL = "https://portal.example"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
SERVICE = f"{SCOPE}/resourceGroups/rg-api/providers/Microsoft.ApiManagement/service/contoso"
KEY = "741b141d-8111-4d86-a4e0-f74b06270a74"  # apim-encrypted-protocols
OTHER_KEY = "21300918-b2e3-0346-785f-c77ff57d243b"
HISTORY = {
    *("TimeGenerated", "ObservedAt", "RecordId", "FindingId", "Revision", "ChangeType", "RunId", "SchemaVersion"),
    *("PreviousState", "PreviousSeverity", "FirstSeen"),
}
METADATA = {
    KEY: AssessmentMetadata("API Management APIs should use only encrypted protocols", "", "High", ("Networking",))
}


def assessment(
    resource: str = f"{SERVICE}/apis/echo", *, key: str = KEY, code: str = "Unhealthy", **status: str
) -> Any:
    """An item of the list operation at 2021-06-01."""
    return {
        "id": f"{resource}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "type": "Microsoft.Security/assessments",
        "properties": {
            "resourceDetails": {"source": "Azure", "id": resource},
            "displayName": METADATA[key].display_name if key in METADATA else "Something else",
            "status": {"code": code, **status},
        },
    }


def as_listed(items: Iterable[Any]) -> AssessmentList:
    """A page of Defender's list with these items, as the service writes it."""
    page = assessment_list(orjson.dumps({"value": list(items)}), doing="listing")["value"]
    assert isinstance(page, AssessmentList)
    return page


def with_properties(raw: Any, **properties: Any) -> Any:
    """A copy of an assessment with other properties."""
    changed = copy.deepcopy(raw)
    changed["properties"].update(properties)
    return changed


def reference(metadata: Mapping[str, AssessmentMetadata] = METADATA, **known: Any) -> Reference:
    """What is known of a subscription: nothing but metadata, unless a test says more."""
    return Reference(metadata=metadata, **known)


def normaliser(metadata: Mapping[str, AssessmentMetadata] = METADATA) -> Normaliser:
    """A normaliser with the shipped catalogue."""
    return Normaliser(reference=reference(metadata), catalogue=load_catalogue(), tenant_id=TENANT, portal=PORTAL)


def finding(raw: Any, metadata: Mapping[str, AssessmentMetadata] = METADATA) -> Finding:
    """The finding in an assessment that must be one."""
    result = read(normaliser(metadata), raw)
    assert isinstance(result, Finding), result
    return result


def read(reader: Normaliser, raw: Any) -> Finding | Unreadable | None:
    """What a normaliser makes of one item."""
    findings, unreadable = reader.findings([raw])
    return next(iter([*findings, *unreadable]), None)


def columns(found: Finding) -> dict[str, Any]:
    """The columns of its row that describe a finding."""
    [row] = Scope().look([found])
    return {name: value for name, value in row.items() if name not in HISTORY}


class Scope:
    """The state of a scope, led from pass to pass; it is written and read back after each, as between two runs."""

    def __init__(self, *, baseline: bool = False) -> None:
        self.state = ScopeState()
        self._baseline = baseline

    def look(
        self,
        *pages: Sequence[Finding],
        now: datetime = START,
        whole: bool = True,
        cause: str | None = "Unexplained",
    ) -> list[dict[str, Any]]:
        """The rows of one pass over pages of findings that still hold at its end."""
        reading = Pass(self.state, baseline=self._baseline)
        told = [reading.take(Findings.of(page), now=now) for page in pages]
        if whole:
            look_into = (lambda gone: normaliser().gone(gone, cause=cause)) if cause is not None else (lambda _: None)
            told += reading.miss(look_into, now=now)
        reading.end(whole=whole, now=now, outbox="")
        self.state = decode(SCOPE, encode(SCOPE, self.state), place="memory")
        rows = RecommendationRows(run_id="run", observed=timestamp(now))
        written = [orjson.loads(row) for changes, found in told for row in rows.write(changes, found)]
        return [row for row in written if row["RecordId"] not in self.state.superseded]


class SetClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


class Estate:
    """A source and its metadata; `pages` of a subscription hold pages, and an error where reading breaks off."""

    name = "assessments"

    def __init__(self, pages: Mapping[str, Sequence[Page | Exception]], **known: Any) -> None:
        self.contents = dict(pages)
        self.known = known
        self.loads = 0

    def expect(self, subscriptions: Sequence[str]) -> None:
        self.expected = tuple(subscriptions)

    def pages(self, subscription_id: str) -> Iterator[Page]:
        for page in self.contents[subscription_id]:
            if isinstance(page, Exception):
                raise page
            yield page

    def read(self, subscription_id: str, *, renew: Callable[[], None]) -> tuple[Reference, tuple[Gap, ...]]:
        del subscription_id, renew
        self.loads += 1
        return reference(**self.known), ()


class MemorySink:
    """Keeps what is sent; `before` is called with the table before each send and may raise."""

    def __init__(self, before: Callable[[Table], object] | None = None) -> None:
        self.sent: list[tuple[str, Row]] = []
        self._before = before

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        return self.take(table, [dict(row) for row in rows])

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        rows = [orjson.loads(row) for row in batch_rows(batch)]
        report = self.take(all_tables()[batch.table], [row for row in rows if row["RecordId"] not in without])
        report.unsent += [orjson.dumps(row) for row in rows if row["RecordId"] in without]
        return report

    def take(self, table: Table, rows: list[dict[str, Any]]) -> SendReport:
        if self._before is not None:
            self._before(table)
        self.sent += [(table.name, row) for row in rows]
        return SendReport(sent=len(rows))

    def rows(self, table: str) -> list[Row]:
        return [row for name, row in self.sent if name == table]

    def changes(self) -> list[tuple[str, str]]:
        """The changes that were told, and of which API."""
        return [(row["ChangeType"], row["ApiName"]) for row in self.rows(RECOMMENDATIONS)]


def states_in(folder: Path, clock: Clock) -> StateStore:
    """The state store in a folder."""
    return StateStore(FolderObjects(folder), clock=clock)


def connector(
    folder: Path,
    estate: Estate,
    sink: BatchSink,
    clock: SetClock,
    *,
    states: StateStore | None = None,
    **options: Any,
) -> Connector:
    """A connector on fakes and a real state folder."""
    about_runs = {name: options.pop(name) for name in ("on_scope", "concurrency", "turns") if name in options}
    about_all = {"catalogue": load_catalogue(), "tenant_id": TENANT, "portal": PORTAL}
    reader = Reader(source=estate, references=estate, clock=clock, **{**about_all, **options})
    return Connector(reader, sink=sink, states=states or states_in(folder, clock), clock=clock, **about_runs)

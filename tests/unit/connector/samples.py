"""Assessments as Defender lists them, and the small fakes that the connector's seams take."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiward_connector.finding import Finding
from apiward_connector.folder_state import FolderStateStore
from apiward_connector.normalise import Normaliser
from apiward_connector.pipeline import Connector
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.sources.paging import Page
from apiward_connector.state import StateStore
from apiward_core.catalogue import load_catalogue
from apiward_core.ingest import LogSink, Row, SendReport
from apiward_core.tables import Table

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TENANT = "aaaaaaaa-0000-0000-0000-000000000001"
PORTAL = "https://portal.example"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
SERVICE = f"{SCOPE}/resourceGroups/rg-api/providers/Microsoft.ApiManagement/service/contoso"
KEY = "741b141d-8111-4d86-a4e0-f74b06270a74"  # apim-encrypted-protocols
OTHER_KEY = "21300918-b2e3-0346-785f-c77ff57d243b"
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


def with_properties(raw: Any, **properties: Any) -> Any:
    """A copy of an assessment with other properties."""
    changed = copy.deepcopy(raw)
    changed["properties"].update(properties)
    return changed


def normaliser(metadata: Mapping[str, AssessmentMetadata] = METADATA) -> Normaliser:
    """A normaliser with the shipped catalogue."""
    return Normaliser(metadata=metadata, catalogue=load_catalogue(), tenant_id=TENANT, portal=PORTAL)


def finding(raw: Any) -> Finding:
    """The finding in an assessment that must be one."""
    result = normaliser().normalise(raw)
    assert isinstance(result, Finding), result
    return result


class SetClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


class Estate:
    """A source and its metadata; `pages` of a subscription hold pages, and an error where reading breaks off."""

    name = "assessments"

    def __init__(self, pages: Mapping[str, Sequence[Page | Exception]]) -> None:
        self.contents = dict(pages)
        self.loads = 0

    def pages(self, subscription_id: str) -> Iterator[Page]:
        for page in self.contents[subscription_id]:
            if isinstance(page, Exception):
                raise page
            yield page

    def load(self, subscription_id: str) -> Mapping[str, AssessmentMetadata]:
        del subscription_id
        self.loads += 1
        return METADATA


class Collections:
    """An inventory; `pages` hold pages, and an error where reading breaks off."""

    def __init__(self, *pages: Page | Exception) -> None:
        self.contents = pages
        self.reads = 0

    def pages(self, subscription_id: str) -> Iterator[Page]:
        del subscription_id
        self.reads += 1
        for page in self.contents:
            if isinstance(page, Exception):
                raise page
            yield page


class MemorySink:
    """Keeps what is sent; `before` is called with the table before each send and may raise."""

    def __init__(self, before: Callable[[Table], object] | None = None) -> None:
        self.sent: list[tuple[str, Row]] = []
        self._before = before

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        if self._before is not None:
            self._before(table)
        taken = list(rows)
        self.sent += [(table.name, row) for row in taken]
        return SendReport(sent=len(taken))

    def rows(self, table: str) -> list[Row]:
        return [row for name, row in self.sent if name == table]


def connector(
    folder: Path,
    estate: Estate,
    sink: LogSink,
    clock: SetClock,
    *,
    states: StateStore | None = None,
    **options: Any,
) -> Connector:
    """A connector on fakes and a real state folder."""
    return Connector(
        source=estate,
        metadata=estate,
        sink=sink,
        states=states or FolderStateStore(folder, clock=clock),
        catalogue=load_catalogue(),
        clock=clock,
        tenant_id=TENANT,
        portal=PORTAL,
        **options,
    )

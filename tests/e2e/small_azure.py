"""As much of Azure as the connector calls, in memory behind the real SDK clients, so that any call can fail."""

import gzip
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import orjson
import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from tests.unit.connector.samples import START

ARM = "https://management.azure.com"
INGESTION = "https://dce-small.westeurope-1.ingest.monitor.azure.com"
CONTAINER = "https://smallazure.blob.core.windows.net/state"
_PAGE = 2
_LIST = re.compile(r"/subscriptions/([^/]+)/providers/([^/]+/[^/]+)")
_TYPES = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Request:
    """One request. `path` is decoded and in lower case, `body` is not compressed."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, prepared: requests.PreparedRequest) -> "Request":
        url = urlsplit(str(prepared.url))
        sent: Any = prepared.body or b""
        body = sent if isinstance(sent, bytes) else sent.encode() if isinstance(sent, str) else sent.read()
        if prepared.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path = "/" + unquote(url.path).lower().strip("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return cls(str(prepared.method), str(url.hostname), path, query, prepared.headers, body)


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is JSON unless it is bytes. Less of it comes than is told when `cut`."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


def refusal(status: int, code: str, headers: Mapping[str, str] = MappingProxyType({})) -> Reply:
    """An error as Azure Resource Manager and, by its header, as Storage says it."""
    error = {"error": {"code": code, "message": f"{code} was said."}}
    return Reply(status, error, {"x-ms-error-code": code, **headers})


class Time:
    """The clock of the connector and the timer of its clients: both stand still until somebody waits or moves them."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment
        self.timer = 0.0

    def pass_by(self, time: timedelta) -> None:
        """Let time pass."""
        self.moment += time
        self.timer += time.total_seconds()


class Waiting:
    """The timer of the clients."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def now(self) -> float:
        return self._time.timer

    def wait(self, seconds: float) -> None:
        self._time.pass_by(max(timedelta(seconds=seconds), timedelta.resolution))


class Clock:
    """The clock of the connector."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def now(self) -> datetime:
        return self._time.moment


@dataclass
class Subscription:
    """What one subscription holds, as the services would list it."""

    assessments: list[Any] = field(default_factory=list)
    metadata: list[Any] = field(default_factory=list)
    collections: list[Any] = field(default_factory=list)
    exemptions: list[Any] = field(default_factory=list)
    assignments: list[Any] = field(default_factory=list)
    initiatives: list[Any] = field(default_factory=list)
    pricings: list[Any] = field(default_factory=list)
    services: list[Any] = field(default_factory=list)
    graph: dict[str, list[Any]] = field(default_factory=dict)
    """Further rows of Resource Graph by their type in lower case."""


class SmallAzure:
    """Answers for some subscriptions, and keeps the rows that it is sent.

    `resources` are the ids, in lower case, of what exists besides; `documents` what their GET answers, or nothing in
    particular. `denied` are subscriptions that Resource Graph leaves out.
    """

    def __init__(self, subscriptions: Mapping[str, Subscription], *, resources: set[str]) -> None:
        self.subscriptions = dict(subscriptions)
        self.resources = resources
        self.documents: dict[str, Any] = {}
        self.denied: set[str] = set()
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.blobs: dict[str, tuple[bytes, int]] = {}

    def answer(self, request: Request) -> Reply:
        """The answer when nothing fails."""
        if request.host in CONTAINER:
            return self._blob(request)
        if request.host in INGESTION:
            stream = request.path.rpartition("/")[2].removeprefix("custom-")
            self.rows += [(stream, row) for row in orjson.loads(request.body)]
            return Reply(204)
        if request.path == "/providers/microsoft.resourcegraph/resources":
            return self._graph(request)
        if request.path.startswith("/providers/microsoft.management/managementgroups/"):
            return Reply(body={"value": [{"name": name, "type": "/subscriptions"} for name in self.subscriptions]})
        if listed := _LIST.fullmatch(request.path):
            return self._list(request, listed[1], listed[2])
        if request.path.endswith(("/governanceassignments", "/operations")):
            return Reply(body={"value": []})
        if request.path in self.resources:
            return Reply(body=self.documents.get(request.path, {}))
        return refusal(404, "ResourceNotFound")

    def _list(self, request: Request, subscription: str, kind: str) -> Reply:
        of = self.subscriptions[subscription]
        items: list[Any] = {
            "microsoft.security/assessments": of.assessments,
            "microsoft.security/assessmentmetadata": of.metadata,
            "microsoft.security/apicollections": of.collections,
            "microsoft.security/pricings": of.pricings,
            "microsoft.authorization/policyexemptions": of.exemptions,
            "microsoft.authorization/policyassignments": of.assignments,
            "microsoft.authorization/policysetdefinitions": of.initiatives,
            "microsoft.apimanagement/service": of.services,
        }[kind]
        if kind != "microsoft.security/assessments":
            return Reply(body={"value": items})
        start = int(request.query.get("$skiptoken", "0"))
        page: dict[str, Any] = {"value": items[start : start + _PAGE]}
        if start + _PAGE < len(items):
            page["nextLink"] = f"{ARM}{request.path}?api-version=2021-06-01&$skiptoken={start + _PAGE}"
        return Reply(body=page)

    def _graph(self, request: Request) -> Reply:
        asked = orjson.loads(request.body)
        subscriptions = [name for name in asked["subscriptions"] if name not in self.denied]
        found = {name: self._graph_rows(name, asked["query"]) for name in subscriptions}
        if "summarize" in asked["query"]:
            rows = [{"subscriptionId": name, "rows": len(rows)} for name, rows in found.items() if rows]
            return _graph_answer(rows, len(rows), None)
        rows = sorted((row for each in found.values() for row in each), key=lambda row: str(row["id"]))
        start = int(asked["options"].get("$skipToken", "0"))
        token = str(start + _PAGE) if start + _PAGE < len(rows) else None
        return _graph_answer(rows[start : start + _PAGE], len(rows), token)

    def _graph_rows(self, subscription: str, query: str) -> list[Any]:
        of = self.subscriptions[subscription]
        rows: list[Any] = []
        for kind in _TYPES.findall(query.partition("| project")[0]):
            if kind == "microsoft.security/assessments":
                rows += [_graph_row(raw) for raw in of.assessments]
            rows += of.graph.get(kind, [])
        return [{**row, "subscriptionId": subscription} for row in rows]

    def _blob(self, request: Request) -> Reply:
        name = request.path.removeprefix("/state").lstrip("/")
        if request.query.get("comp") == "list":
            return Reply(body=self._blob_list(request.query.get("prefix", "")), headers={"Content-Type": "text/xml"})
        stored = self.blobs.get(name)
        match request.method:
            case "PUT":
                return self._put_blob(request, name, stored)
            case _ if stored is None:
                return refusal(404, "BlobNotFound")
            case "DELETE":
                del self.blobs[name]
                return Reply(202)
        return Reply(206 if stored[0] else 200, stored[0], _blob_headers(*stored))

    def _put_blob(self, request: Request, name: str, stored: tuple[bytes, int] | None) -> Reply:
        if request.headers.get("If-None-Match") == "*" and stored is not None:
            return refusal(409, "BlobAlreadyExists")
        if (wanted := request.headers.get("If-Match")) and (stored is None or wanted != f'"{stored[1]}"'):
            return refusal(412, "ConditionNotMet")
        version = stored[1] + 1 if stored else 1
        self.blobs[name] = (request.body, version)
        return Reply(201, headers={"ETag": f'"{version}"', "Last-Modified": "Fri, 20 Nov 2026 08:00:00 GMT"})

    def _blob_list(self, prefix: str) -> bytes:
        names = sorted(name for name in self.blobs if name.startswith(prefix))
        listed = "".join(f"<Blob><Name>{quote(name)}</Name></Blob>" for name in names)
        return f"<EnumerationResults><Blobs>{listed}</Blobs><NextMarker/></EnumerationResults>".encode()


def _blob_headers(data: bytes, version: int) -> dict[str, str]:
    return {
        "ETag": f'"{version}"',
        "Last-Modified": "Fri, 20 Nov 2026 08:00:00 GMT",
        "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
        "x-ms-blob-type": "BlockBlob",
        "Content-Type": "application/octet-stream",
    }


def _graph_row(raw: Any) -> dict[str, Any]:
    return {"id": raw["id"].lower(), "name": raw["name"], **raw["properties"]}


def _graph_answer(rows: Sequence[Any], total: int, token: str | None) -> Reply:
    answer: dict[str, Any] = {
        "totalRecords": total,
        "count": len(rows),
        "data": rows,
        "facets": [],
        "resultTruncated": "false",
    }
    return Reply(body={**answer, "$skipToken": token} if token else answer)


Spoil = Callable[[Reply], Reply]


@dataclass
class Fault:
    """Spoils the answers to the calls that it `concerns`: all of them, or as many `times`; `met` counts them.

    `takes` is how long each of them takes; `spoil` may raise what a transport raises. A call that is `refused` has no
    effect, of any other only the answer is spoilt.
    """

    concerns: Callable[[Request], bool]
    spoil: Spoil
    refused: bool
    times: int | None = None
    takes: timedelta = timedelta(0)
    met: int = 0

    def apply(self, request: Request, answer: Callable[[Request], Reply], time: Time) -> Reply:
        if not self.concerns(request) or self.met == self.times:
            return answer(request)
        self.met += 1
        time.pass_by(self.takes)
        return self.spoil(Reply() if self.refused else answer(request))


class Wire(BaseAdapter):
    """What the SDKs' own transport sends by."""

    def __init__(self, azure: SmallAzure, time: Time, fault: Fault | None) -> None:
        super().__init__()
        self._azure = azure
        self._time = time
        self._fault = fault

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        asked = Request.of(request)
        answer = self._azure.answer
        reply = self._fault.apply(asked, answer, self._time) if self._fault else answer(asked)
        content = reply.content
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **reply.headers}
        raw = HTTPResponse(
            body=io.BytesIO(content[: len(content) // 2] if reply.cut else content),
            headers=headers,
            status=reply.status,
            preload_content=False,
            request_method=request.method,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None: ...


class Transport(RequestsTransport):  # type: ignore[misc]  # azure.core gives it by a module's __getattr__
    """The transport of azure-core on that wire; retries wait without waiting."""

    def __init__(self, azure: SmallAzure, time: Time, fault: Fault | None) -> None:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", Wire(azure, time, fault))
        super().__init__(session=session, session_owner=False)
        self._time = time

    def sleep(self, duration: float) -> None:
        self._time.pass_by(timedelta(seconds=duration))

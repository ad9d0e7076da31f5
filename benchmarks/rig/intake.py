"""Logs Ingestion 2023-01-01 as far as a sender sees it, and the account of what came, given when the run is over."""

import zlib
from collections import Counter, defaultdict
from threading import Lock

import orjson

from rig.wire import Answer, Request

MAX_BODY = 1_048_576
_RULES = "/dataCollectionRules/"
_ACCOUNT = "/_bench/intake"
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Intake:
    """Keeps each body as it came; looks into it only when it is asked for the account."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []
        self._lock = Lock()

    def answer(self, request: Request) -> Answer | None:
        """The answer to an upload, and to the question what came since it was asked last; None to anything else."""
        if request.path.startswith(_RULES):
            stream = request.path.rpartition("/")[2]
            body = request.body if request.headers.get("Content-Encoding") == "gzip" else zlib.compress(request.body)
            self._bodies.append((stream, body))
            return Answer(204)
        return Answer.of(self._account()) if request.path == _ACCOUNT else None

    def _account(self) -> dict[str, object]:
        with self._lock:
            bodies, self._bodies = self._bodies, []
        rows: Counter[str] = Counter()
        record_ids: defaultdict[str, set[str]] = defaultdict(set)
        largest = 0
        for stream, packed in bodies:
            body = zlib.decompress(packed, _GZIP_OR_ZLIB)
            largest = max(largest, len(body))
            listed = orjson.loads(body)
            rows[stream] += len(listed)
            record_ids[stream].update(row["RecordId"] for row in listed if "RecordId" in row)
        distinct = {stream: len(ids) for stream, ids in record_ids.items()}
        return {"rows": rows, "record_ids": distinct, "bodies": len(bodies), "largest": largest}

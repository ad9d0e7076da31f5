import gzip
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from azure.monitor.ingestion import LogsIngestionClient

from apiward_core.dead_letters import Letter, ObjectDeadLetters
from apiward_core.errors import AccessError, ApiwardError, MissingError, ThrottledError, TransientError
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import DeadLetters, Row, SendReport, WorkspaceSink
from apiward_core.replay import Replay, ReplayReport, StreamReplay
from apiward_core.tables import HEALTH, RECOMMENDATIONS, Table, all_tables
from tests.unit.connector.samples import SetClock
from tests.unit.connector.transport import Credential, Replies

STREAM = all_tables()[HEALTH].stream
OTHER = all_tables()[RECOMMENDATIONS].stream
DONE = (204, b"")
TOO_LARGE = (413, {"error": {"code": "ContentLengthLimitExceeded", "message": "too large"}})
AT = "2026-11-20T08:00:00.000000Z"


def row(number: int) -> bytes:
    return orjson.dumps({"RecordId": str(number), "ObservedAt": "2026-09-01T00:00:00.000000Z"})


class Bench:
    """Dead letters in a folder, and a workspace that gives prepared answers."""

    def __init__(self, folder: Path) -> None:
        self.letters = ObjectDeadLetters(FolderObjects(folder), clock=SetClock())
        self.transport = Replies()

    def replay(self, *replies: tuple[int, Any]) -> ReplayReport:
        self.transport = Replies(*replies)
        with LogsIngestionClient(
            "https://contoso.ingest.monitor.azure.com", Credential(), transport=self.transport, retry_total=0
        ) as client:
            rule = "dcr-00000000000000000000000000000000"
            return Replay(
                self.letters, lambda letters: WorkspaceSink(client, dcr_immutable_id=rule, dead_letters=letters)
            ).run()

    def sent(self) -> list[bytes]:
        return [gzip.decompress(request.content.getvalue()) for request in self.transport.requests]  # type: ignore[attr-defined]

    def kept(self) -> list[Letter]:
        return [letter for bundle in self.letters.bundles() for letter in self.letters.read(bundle)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_is_acknowledged_was_sent_as_it_was_and_is_kept_no_longer(bench: Bench) -> None:
    bench.letters.add_all(STREAM, [row(1), row(2)], "too large")
    bench.letters.add(OTHER, row(3), "too large")
    report = bench.replay(DONE, DONE)
    assert bench.sent() == [b"[" + row(1) + b"," + row(2) + b"]", b"[" + row(3) + b"]"]
    assert [STREAM in bench.transport.requests[0].url, OTHER in bench.transport.requests[1].url] == [True, True]
    assert report == ReplayReport((StreamReplay(STREAM, 2, 0, ()), StreamReplay(OTHER, 1, 0, ())))
    assert (bench.kept(), report.exit_code) == ([], 0)


def test_nothing_kept_is_nothing_sent(bench: Bench) -> None:
    assert bench.replay() == ReplayReport(())


def test_what_fails_again_is_kept_with_the_new_reason_and_counted(bench: Bench) -> None:
    bench.letters.add_all(STREAM, [row(1), row(2)], "the row alone has 2000000 bytes")
    report = bench.replay(TOO_LARGE, DONE, TOO_LARGE)
    [letter] = bench.kept()
    assert (letter.at, letter.row, letter.tried) == (AT, row(2), 1)
    assert "HTTP 413" in letter.reason
    assert report.streams == (StreamReplay(STREAM, 1, 1, (letter.reason,)),)
    assert (report.exit_code, bench.letters.counts()) == (4, {STREAM: 1})
    bench.replay(TOO_LARGE)
    assert [letter.tried for letter in bench.kept()] == [2]


def test_a_row_that_is_kept_twice_is_counted_twice(bench: Bench) -> None:
    bench.letters.add_all(STREAM, [row(1), row(1)], "too large")
    [stream] = bench.replay(TOO_LARGE, TOO_LARGE, TOO_LARGE).streams
    assert (stream.sent, stream.kept, bench.letters.counts()) == (0, 2, {STREAM: 2})


def test_a_refused_stream_does_not_hold_up_the_next(bench: Bench) -> None:
    bench.letters.add(STREAM, row(1), "old reason")
    bench.letters.add(OTHER, row(2), "old reason")
    report = bench.replay((400, {"error": {"code": "InvalidStream", "message": "no such stream"}}), DONE)
    [letter] = bench.kept()
    assert (letter.row, letter.tried) == (row(1), 1)
    assert "HTTP 400" in letter.reason
    assert [(stream.sent, stream.kept) for stream in report.streams] == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("status", "error"), [(403, AccessError), (404, MissingError), (429, ThrottledError), (503, TransientError)]
)
def test_what_would_fail_for_all_ends_it_and_keeps_the_rest(
    bench: Bench, status: int, error: type[ApiwardError]
) -> None:
    for number in range(3):
        bench.letters.add(STREAM, row(number), "too large")
    with pytest.raises(error):
        bench.replay(DONE, (status, {"error": {"code": "X", "message": "no"}}))
    assert [(letter.reason, letter.tried) for letter in bench.kept()] == [("too large", 0)] * 2


def test_rows_of_a_stream_without_a_table_are_named_and_kept(bench: Bench) -> None:
    bench.letters.add("Custom-Retired_CL", row(1), "too large")
    report = bench.replay()
    assert report.streams == (StreamReplay("custom-retired_cl", 0, 1, ("no table has this stream any more",)),)
    assert (report.exit_code, bench.kept()) == (4, [Letter(AT, "too large", row(1))])


def test_a_damaged_object_is_named_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.letters.add_all(STREAM, [row(1), row(2)], "too large")
    [bundle] = bench.letters.bundles()
    FolderObjects(tmp_path).put(bundle.name, b"damaged")
    [stream] = bench.replay().streams
    assert (stream.sent, stream.kept) == (0, 2)
    assert bundle.name in stream.reasons[0]
    assert bench.letters.bundles() == [bundle]


def test_what_is_no_row_is_kept_and_the_rest_is_sent(bench: Bench) -> None:
    bench.letters.keep(STREAM, [Letter(AT, "cut", b'"half a row'[:5] + b'"'), Letter(AT, "too large", row(1))])
    report = bench.replay(DONE)
    assert bench.sent() == [b"[" + row(1) + b"]"]
    assert bench.kept() == [Letter(AT, "cut", b'"half"')]
    assert report.streams == (StreamReplay(STREAM, 1, 1, ("cut",)),)


class Acknowledging:
    """A sink that does something in the middle of each sending, and returns the rows for which `returns` is true."""

    def __init__(self, between: Callable[[], None], returns: Callable[[Row], bytes | None]) -> None:
        self.between = between
        self.returns = returns
        self.rows: list[Row] = []

    def to(self, dead_letters: DeadLetters) -> "Acknowledging":
        self.dead_letters = dead_letters
        return self

    def send(self, table: Table, rows: Iterable[Row]) -> SendReport:
        for sent in rows:
            self.rows.append(sent)
            if (returned := self.returns(sent)) is not None:
                self.dead_letters.add(table.stream, returned, "again")
        self.between()
        return SendReport()


def test_what_is_buried_meanwhile_waits_for_the_next_replay(bench: Bench) -> None:
    bench.letters.add(STREAM, row(1), "too large")
    sink = Acknowledging(lambda: bench.letters.add(STREAM, row(9), "too large"), lambda _: None)
    report = Replay(bench.letters, sink.to).run()
    assert [sent["RecordId"] for sent in sink.rows] == ["1"]
    assert ([letter.row for letter in bench.kept()], report.exit_code) == ([row(9)], 0)


def test_a_row_that_the_sink_wrote_otherwise_is_kept_all_the_same(bench: Bench) -> None:
    bench.letters.add(STREAM, row(1), "too large")
    Replay(bench.letters, Acknowledging(lambda: None, lambda _: b'{"RecordId":"1","cut":true}').to).run()
    assert bench.kept() == [Letter(AT, "again", b'{"RecordId":"1","cut":true}', tried=1)]


def test_a_crash_between_sending_and_deleting_sends_again_and_loses_nothing(bench: Bench) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    bench.letters.add(STREAM, row(1), "too large")
    with pytest.raises(KeyboardInterrupt):
        Replay(bench.letters, Acknowledging(crash, lambda _: None).to).run()
    bench.replay(DONE)
    assert (bench.sent(), bench.kept()) == ([b"[" + row(1) + b"]"], [])

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from azure.monitor.ingestion import LogsIngestionClient

from apiward_core.errors import (
    AccessError,
    ApiwardError,
    MissingError,
    RejectedDataError,
    ThrottledError,
    TransientError,
)
from apiward_core.ingest import SendReport, WorkspaceSink
from apiward_core.packing import CUT_MARKER, MAX_BODY, MAX_FIELD, Batch, Packer, batch_rows, shortened
from apiward_core.tables import HEALTH, TYPES, all_tables
from tests.unit.connector.transport import Credential, Replies

TABLE = all_tables()[HEALTH]
RULE = "dcr-00000000000000000000000000000000"
DONE = (204, b"")
TOO_LARGE = (413, {"error": {"code": "ContentLengthLimitExceeded", "message": "too large"}})


class Kept:
    """Dead letters in a list."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, Any, str]] = []

    def add(self, stream: str, row: bytes, reason: str) -> None:
        self.letters.append((stream, orjson.loads(row), reason))


class Workspace:
    """A sink on a real client whose service gives prepared answers."""

    def __init__(self, *replies: tuple[int, Any]) -> None:
        self.transport = Replies(*replies)
        self.kept = Kept()

    def send(self, rows: list[dict[str, Any]]) -> SendReport:
        with self.sink() as sink:
            return sink.send(TABLE, rows)

    def deliver(self, batch: Batch, *without: str) -> SendReport:
        with self.sink() as sink:
            return sink.deliver(batch, without=frozenset(without))

    @contextmanager
    def sink(self) -> Iterator[WorkspaceSink]:
        endpoint = "https://contoso.ingest.monitor.azure.com"
        with LogsIngestionClient(endpoint, Credential(), transport=self.transport, retry_total=0) as client:
            yield WorkspaceSink(client, dcr_immutable_id=RULE, dead_letters=self.kept)

    def bodies(self) -> list[Any]:
        return [orjson.loads(gzip.decompress(request.content.getvalue())) for request in self.transport.requests]  # type: ignore[attr-defined]


def test_rows_go_in_one_compressed_call_to_the_stream_of_the_table() -> None:
    workspace = Workspace(DONE)
    report = workspace.send([{"Pages": 1}, {"Pages": 2}])
    assert (report.sent, report.dead) == (2, 0)
    [request] = workspace.transport.requests
    assert request.url.startswith(
        f"https://contoso.ingest.monitor.azure.com/dataCollectionRules/{RULE}/streams/{TABLE.stream}?"
    )
    assert request.headers["Content-Encoding"] == "gzip"
    assert workspace.bodies() == [[{"Pages": 1}, {"Pages": 2}]]


def test_nothing_to_send_is_no_call() -> None:
    workspace = Workspace()
    assert workspace.send([]) == SendReport()


def test_rows_that_do_not_fit_one_call_take_more() -> None:
    rows = [{"Pages": number, "Unread": ["x" * 60_000]} for number in range(40)]
    workspace = Workspace(DONE, DONE, DONE)
    assert workspace.send(rows).sent == 40
    assert len(workspace.bodies()) == 3
    assert [row for body in workspace.bodies() for row in body] == rows
    assert all(len(orjson.dumps(body)) <= MAX_BODY for body in workspace.bodies())


def test_a_refused_batch_is_halved_until_one_row_is_left_which_is_kept() -> None:
    workspace = Workspace(TOO_LARGE, TOO_LARGE, DONE, TOO_LARGE, DONE)
    report = workspace.send([{"Pages": number} for number in range(4)])
    assert [len(body) for body in workspace.bodies()] == [4, 2, 1, 1, 2]
    assert (report.sent, report.dead, report.unsent) == (3, 1, [b'{"Pages":1}'])
    [(stream, row, reason)] = workspace.kept.letters
    assert (stream, row) == (TABLE.stream, {"Pages": 1})
    assert "HTTP 413" in reason


def test_a_row_beyond_the_limit_is_kept_and_not_sent() -> None:
    wide = {f"Column{number}": "x" * 60_000 for number in range(20)}
    workspace = Workspace(DONE)
    report = workspace.send([wide, {"Pages": 1}])
    assert (report.sent, report.dead) == (1, 1)
    assert workspace.kept.letters[0][1] == wide


MALFORMED = (400, {"error": {"code": "InvalidPayload", "message": "no"}})


def test_a_row_that_is_refused_while_others_are_taken_is_kept_and_does_not_hold_them_up() -> None:
    workspace = Workspace(MALFORMED, DONE, MALFORMED, DONE)
    report = workspace.send([{"Pages": number} for number in range(3)])
    assert [[row["Pages"] for row in body] for body in workspace.bodies()] == [[0, 1, 2], [0], [1], [2]]
    assert (report.sent, report.dead) == (2, 1)
    [(stream, row, reason)] = workspace.kept.letters
    assert (stream, row) == (TABLE.stream, {"Pages": 1})
    assert "HTTP 400" in reason


def test_a_rule_that_takes_no_row_is_to_blame_and_no_row_is_buried() -> None:
    workspace = Workspace(*[MALFORMED] * 4)
    with pytest.raises(RejectedDataError, match="HTTP 400 while sending 3 rows"):
        workspace.send([{"Pages": number} for number in range(3)])
    assert [len(body) for body in workspace.bodies()] == [3, 1, 1, 1]
    assert workspace.kept.letters == []


def test_a_row_alone_is_kept_once_others_of_its_table_were_taken() -> None:
    workspace = Workspace(DONE, MALFORMED)
    with workspace.sink() as sink:
        sink.deliver(packed({"Pages": 1}))
        assert sink.deliver(packed({"Pages": 2})) == SendReport(dead=1, unsent=[b'{"Pages":2}'])


def test_that_rows_of_another_table_were_taken_says_nothing_of_a_rule() -> None:
    workspace = Workspace(DONE, MALFORMED)
    with workspace.sink() as sink:
        sink.send(all_tables()[TYPES], [{"RecordId": "a"}])
        with pytest.raises(RejectedDataError, match="HTTP 400"):
            sink.deliver(packed({"Pages": 1}))
    assert workspace.kept.letters == []


def test_a_row_that_is_too_large_alone_is_told_apart_like_any_other() -> None:
    workspace = Workspace(MALFORMED, DONE, TOO_LARGE, DONE)
    report = workspace.send([{"Pages": number} for number in range(3)])
    assert (report.sent, report.unsent) == (2, [b'{"Pages":1}'])
    assert "HTTP 413" in workspace.kept.letters[0][2]


def test_what_fails_while_refused_rows_are_told_apart_buries_none() -> None:
    workspace = Workspace(MALFORMED, DONE, MALFORMED, (503, {}))
    with pytest.raises(TransientError):
        workspace.send([{"Pages": number} for number in range(3)])
    assert workspace.kept.letters == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedDataError),
        (403, AccessError),
        (404, MissingError),
        (429, ThrottledError),
        (503, TransientError),
    ],
)
def test_a_failed_call_ends_the_sending(status: int, error: type[ApiwardError]) -> None:
    workspace = Workspace((status, {"error": {"code": "X", "message": "no"}}), DONE)
    with pytest.raises(error, match=f"HTTP {status} while sending 1 rows to {TABLE.name}"):
        workspace.send([{"Pages": 1}])
    assert len(workspace.transport.requests) == 1
    assert workspace.kept.letters == []


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_of_the_rule_says_how_to_mend_the_rule(status: int) -> None:
    workspace = Workspace((status, {"error": {"code": "InvalidStream", "message": "no"}}))
    with pytest.raises(RejectedDataError) as refused:
        workspace.send([{"Pages": 1}])
    assert "dcr_immutable_id" in refused.value.remedy
    assert "apiward infra deploy" in refused.value.remedy


def test_a_missing_role_is_named_with_its_scope() -> None:
    workspace = Workspace((403, {"error": {"code": "OperationFailed", "message": "The token has no access."}}))
    with pytest.raises(AccessError) as refused:
        workspace.send([{"Pages": 1}])
    assert "Monitoring Metrics Publisher on the data collection rule" in refused.value.remedy
    assert "apiward infra deploy --publisher" in refused.value.remedy


def test_a_refused_sign_in_is_not_taken_for_a_missing_role() -> None:
    workspace = Workspace(*[(401, {"error": {"code": "InvalidToken", "message": "no"}})] * 2)
    with pytest.raises(AccessError) as refused:
        workspace.send([{"Pages": 1}])
    assert "credential" in refused.value.remedy


def packed(*rows: Any) -> Batch:
    packer = Packer(TABLE)
    assert not list(packer.add([orjson.dumps(row) for row in rows], ["label"] * len(rows)))
    [batch] = packer.flush()
    return batch


def test_a_batch_is_sent_as_it_was_packed() -> None:
    batch, workspace = packed({"RecordId": "a"}, {"RecordId": "b"}), Workspace(DONE)
    assert (batch.rows, batch.labels) == (2, {"label": 2})
    assert workspace.deliver(batch, "c") == SendReport(sent=2)
    assert workspace.transport.requests[0].content.getvalue() == batch.body  # type: ignore[attr-defined]


def test_rows_that_are_no_longer_true_are_left_out_of_a_batch() -> None:
    workspace = Workspace(DONE)
    left_out = [b'{"RecordId":"a"}']
    assert workspace.deliver(packed({"RecordId": "a"}, {"RecordId": "b"}), "a") == SendReport(sent=1, unsent=left_out)
    assert workspace.bodies() == [[{"RecordId": "b"}]]


def test_a_batch_of_which_nothing_is_left_is_no_call() -> None:
    assert Workspace().deliver(packed({"RecordId": "a"}), "a").sent == 0


def test_cut_fields_are_counted_when_the_batch_arrives() -> None:
    workspace = Workspace(DONE)
    assert workspace.deliver(packed({"a": "x" * (MAX_FIELD + 1)})) == SendReport(sent=1, cut=1)
    [[row]] = workspace.bodies()
    assert row["a"].endswith(CUT_MARKER)


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u4e2d", "\U0001f600"], ids=ascii)
def test_cut_fields_of_rows_that_are_left_out_do_not_count(letter: str) -> None:
    long, marked = letter * (MAX_FIELD + 1), f"quoted {CUT_MARKER}"
    rows = [{"RecordId": "a", "one": long, "two": [long], "short": marked}, {"RecordId": "b", "one": long}]
    batch = packed(*rows)
    assert batch.cut == 3
    assert Workspace(DONE).deliver(batch, "a").cut == 1
    assert Workspace(DONE).deliver(batch, "b").cut == 2
    assert Workspace().deliver(batch, "a", "b").cut == 0


def test_a_cut_field_counts_in_the_batch_that_it_is_in() -> None:
    rows = [orjson.dumps({"a": "x" * 60_000})] * 20 + [orjson.dumps({"a": "x" * (MAX_FIELD + 1)})]
    packer = Packer(TABLE)
    assert [batch.cut for batch in (*packer.add(rows), *packer.flush())] == [0, 1]


def test_the_rows_of_a_batch_can_be_had_again() -> None:
    rows = [{"RecordId": "a", "Text": "\u00e9\u4e2d"}, {"RecordId": "b", "Object": {"n": [1.5, None]}}]
    assert [orjson.loads(row) for row in batch_rows(packed(*rows))] == rows


def cut(row: Any) -> tuple[Any, int]:
    data, count = shortened(orjson.dumps(row))
    return orjson.loads(data), count


def test_a_long_text_is_cut_to_the_limit_of_a_field_and_counted() -> None:
    row, count = cut({"a": "é" * MAX_FIELD, "b": "short"})
    assert count == 1
    assert row["b"] == "short"
    assert row["a"].endswith(CUT_MARKER)
    assert MAX_FIELD - 2 <= len(row["a"].encode()) <= MAX_FIELD


def test_a_long_object_is_cut_as_the_text_it_is_stored_as() -> None:
    row, count = cut({"a": {"list": ["x" * 1000] * 100}})
    assert count == 1
    assert row["a"].startswith('{"list":["xxx')
    assert row["a"].endswith(CUT_MARKER)


def test_a_field_of_exactly_the_limit_is_whole() -> None:
    row, count = cut({"a": "x" * MAX_FIELD})
    assert (count, len(row["a"])) == (0, MAX_FIELD)


def test_times_are_written_in_utc() -> None:
    workspace = Workspace(DONE)
    workspace.send([{"at": datetime(2026, 11, 23, 1, tzinfo=UTC)}])
    assert workspace.bodies() == [[{"at": "2026-11-23T01:00:00Z"}]]

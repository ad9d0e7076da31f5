from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson
import pytest

from apiward_connector.outbox import Outbox
from apiward_core.errors import ConfigurationError, TransientError
from apiward_core.folder_objects import FolderObjects
from apiward_core.ingest import SendReport
from apiward_core.packing import Batch
from apiward_core.tables import RECOMMENDATIONS, TYPES
from tests.unit.connector.samples import MemorySink

FOLDER = "subscriptions/s/outbox"


def outbox(folder: Path) -> Outbox:
    return Outbox(FolderObjects(folder), FOLDER)


def row(number: int, text: str = "") -> bytes:
    return orjson.dumps({"RecordId": str(number), "Text": text})


def write(box: Outbox, name: str, *rows: bytes, table: str = RECOMMENDATIONS) -> None:
    writer = box.writer(name)
    writer.add(table, rows, ["New"] * len(rows))
    writer.close()


def deliver(box: Outbox, name: str, sink: Any, *without: str) -> list[tuple[Batch, SendReport]]:
    heard: list[tuple[Batch, SendReport]] = []
    box.deliver(name, sink, without=frozenset(without), on_batch=lambda batch, sent: heard.append((batch, sent)))
    return heard


def test_what_is_written_is_delivered_once_by_whoever_comes(tmp_path: Path) -> None:
    writer = outbox(tmp_path).writer("p")
    writer.add(RECOMMENDATIONS, [row(1), row(2)], ["New", "Changed"])
    writer.add(TYPES, [row(3)])
    writer.close()
    assert writer.rows == {RECOMMENDATIONS: 2, TYPES: 1}
    assert outbox(tmp_path).owed("p") == 3
    sink = MemorySink()
    heard = deliver(outbox(tmp_path), "p", sink)
    assert [(batch.table, batch.labels, sent.sent) for batch, sent in heard] == [
        (RECOMMENDATIONS, {"New": 1, "Changed": 1}, 2),
        (TYPES, {}, 1),
    ]
    assert [found["RecordId"] for found in sink.rows(RECOMMENDATIONS)] == ["1", "2"]
    assert (outbox(tmp_path).owed("p"), deliver(outbox(tmp_path), "p", sink)) == (0, [])


def test_nothing_written_is_no_object(tmp_path: Path) -> None:
    outbox(tmp_path).writer("p").close()
    assert FolderObjects(tmp_path).names("") == []


def test_a_pass_without_name_owes_nothing(tmp_path: Path) -> None:
    write(outbox(tmp_path), "p", row(1))
    assert (outbox(tmp_path).owed(""), deliver(outbox(tmp_path), "", MemorySink())) == (0, [])


def test_rows_that_are_no_longer_true_are_not_delivered(tmp_path: Path) -> None:
    write(outbox(tmp_path), "p", row(1), row(2))
    sink = MemorySink()
    deliver(outbox(tmp_path), "p", sink, "1")
    assert [found["RecordId"] for found in sink.rows(RECOMMENDATIONS)] == ["2"]


def test_what_other_passes_left_is_discarded_unsent(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    for name in ("p", "pp", "q"):
        write(box, name, row(1))
    FolderObjects(tmp_path).put("subscriptions/s/state", b"beside it")
    box.discard_all_but("p")
    assert FolderObjects(tmp_path).names("") == [f"{FOLDER}/p/000001", "subscriptions/s/state"]
    box.discard_all_but("")
    assert FolderObjects(tmp_path).names("") == ["subscriptions/s/state"]


class Breaking(MemorySink):
    """A sink that takes some batches and then none."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def deliver(self, batch: Batch, *, without: frozenset[str] = frozenset()) -> SendReport:
        self.left -= 1
        if self.left < 0:
            raise TransientError("HTTP 503.", remedy="Try again.")
        return super().deliver(batch, without=without)


def incompressible(number: int) -> bytes:
    return row(number, token_hex(30_000))


def test_what_did_not_arrive_stays_and_what_did_is_not_sent_again(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    rows = [incompressible(number) for number in range(200)]
    write(box, "p", *rows)
    segments = FolderObjects(tmp_path).names(FOLDER)
    assert len(segments) > 1
    sink = Breaking(batches=9)
    with pytest.raises(TransientError):
        deliver(box, "p", sink)
    first = [found["RecordId"] for found in sink.rows(RECOMMENDATIONS)]
    assert FolderObjects(tmp_path).names(FOLDER) == segments[1:]
    again = MemorySink()
    deliver(box, "p", again)
    second = [found["RecordId"] for found in again.rows(RECOMMENDATIONS)]
    assert set(first) | set(second) == {str(number) for number in range(200)}
    assert len(first) + len(second) < 2 * len(rows)


@pytest.mark.parametrize("length", [2, 30, -1], ids=["in a length", "in a header", "in the rows"])
def test_a_segment_that_is_not_whole_is_named_and_stays(tmp_path: Path, length: int) -> None:
    box, objects, segment = outbox(tmp_path), FolderObjects(tmp_path), f"{FOLDER}/p/000001"
    write(box, "p", row(1))
    stored = objects.read(segment)
    assert stored
    objects.put(segment, stored.data[:length])
    sink = MemorySink()
    with pytest.raises(ConfigurationError, match=f"{segment}, .* is damaged"):
        deliver(box, "p", sink)
    assert (sink.sent, objects.names("")) == ([], [segment])

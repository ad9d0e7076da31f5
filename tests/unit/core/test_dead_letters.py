from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from apiward_core.dead_letter_files import adopt_dead_letter_files
from apiward_core.dead_letters import Bundle, Letter, ObjectDeadLetters
from apiward_core.errors import ConfigurationError, RejectedDataError
from apiward_core.folder_objects import FolderObjects
from apiward_core.tables import HEALTH, RECOMMENDATIONS, all_tables
from tests.unit.connector.samples import SetClock

STREAM = all_tables()[HEALTH].stream
OTHER = all_tables()[RECOMMENDATIONS].stream
ROW = b'{"RecordId":"1","Text":"line\\nfeed, \xc3\xa9","Number":1.5}'


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def letters(objects: FolderObjects, clock: SetClock) -> ObjectDeadLetters:
    return ObjectDeadLetters(objects, clock=clock)


def kept(letters: ObjectDeadLetters) -> list[Letter]:
    return [letter for bundle in letters.bundles() for letter in letters.read(bundle)]


def test_a_row_is_kept_as_it_was_with_time_and_reason(letters: ObjectDeadLetters, clock: SetClock) -> None:
    letters.add(STREAM, ROW, 'HTTP 413, "too large"')
    clock.moment += timedelta(seconds=1)
    letters.add(STREAM, b"{}", "again")
    assert kept(letters) == [
        Letter("2026-11-20T08:00:00.000000Z", 'HTTP 413, "too large"', ROW),
        Letter("2026-11-20T08:00:01.000000Z", "again", b"{}"),
    ]


def test_many_rows_are_one_object(letters: ObjectDeadLetters) -> None:
    letters.add_all(STREAM, [b"1", b"2", b"3"], "refused")
    assert [bundle.rows for bundle in letters.bundles()] == [3]
    assert [letter.row for letter in kept(letters)] == [b"1", b"2", b"3"]


def test_no_rows_are_no_object(letters: ObjectDeadLetters) -> None:
    letters.add_all(STREAM, [], "refused")
    assert letters.bundles() == []


def test_rows_are_counted_by_stream_without_being_read(objects: FolderObjects, letters: ObjectDeadLetters) -> None:
    letters.add_all(STREAM, [b"1", b"2"], "refused")
    letters.add(STREAM, b"3", "refused")
    letters.add("Custom-Retired_CL", b"4", "refused")
    for bundle in letters.bundles():
        objects.put(bundle.name, b"damaged")
    assert letters.counts() == {STREAM: 3, "custom-retired_cl": 1}


def test_another_object_beside_them_is_no_dead_letter(objects: FolderObjects, letters: ObjectDeadLetters) -> None:
    objects.put("dead-letters/readme.txt", b"")
    assert (letters.bundles(), letters.counts()) == ([], {})


def test_what_remains_of_a_bundle_takes_its_place(letters: ObjectDeadLetters) -> None:
    letters.add_all(STREAM, [b"1", b"2"], "refused")
    [bundle] = letters.bundles()
    letters.settle(bundle, letters.read(bundle)[1:])
    assert ([letter.row for letter in kept(letters)], letters.counts()) == ([b"2"], {STREAM: 1})
    [smaller] = letters.bundles()
    letters.settle(smaller, [])
    assert letters.bundles() == []


def test_a_crash_while_a_bundle_is_settled_loses_nothing(tmp_path: Path, clock: SetClock) -> None:
    class Crashing(FolderObjects):
        def delete(self, name: str) -> None:
            raise KeyboardInterrupt

    letters = ObjectDeadLetters(Crashing(tmp_path), clock=clock)
    letters.add_all(STREAM, [b"1", b"2"], "refused")
    [bundle] = letters.bundles()
    with pytest.raises(KeyboardInterrupt):
        letters.settle(bundle, letters.read(bundle)[1:])
    assert sorted(letter.row for letter in kept(letters)) == [b"1", b"2", b"2"]


def test_a_bundle_that_somebody_else_settled_is_empty(letters: ObjectDeadLetters) -> None:
    letters.add(STREAM, ROW, "refused")
    [bundle] = letters.bundles()
    letters.settle(bundle, [])
    assert letters.read(bundle) == ()


@pytest.mark.parametrize("data", [b"{", b"[]\n", b'{"at":"","reason":"","tried":0}\n', b"1\n"])
def test_a_damaged_object_is_named(objects: FolderObjects, letters: ObjectDeadLetters, data: bytes) -> None:
    letters.add(STREAM, ROW, "refused")
    [bundle] = letters.bundles()
    objects.put(bundle.name, data)
    with pytest.raises(RejectedDataError, match=bundle.name):
        letters.read(bundle)


def test_a_bundle_is_its_name() -> None:
    bundle = Bundle(OTHER, "20261120t080000.000000z", 12, "0a1b")
    assert bundle.name == f"dead-letters/{OTHER.lower()}/20261120t080000.000000z-12-0a1b"
    assert Bundle.parse(bundle.name) == bundle


# ---- the files of earlier versions


def old_file(folder: Path, stream: str, lines: Iterable[bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{stream}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def old_line(row: bytes, reason: str = "too large") -> bytes:
    return orjson.dumps({"at": "2026-10-01T00:00:00.000000Z", "reason": reason, "row": orjson.Fragment(row)})


def test_the_files_of_earlier_versions_are_taken_in(
    tmp_path: Path, letters: ObjectDeadLetters, clock: SetClock
) -> None:
    many = [old_line(b'{"RecordId":"%d"}' % number) for number in range(1001)]
    files = [old_file(tmp_path, STREAM, [old_line(ROW)]), old_file(tmp_path, OTHER, many)]
    adopt_dead_letter_files(tmp_path, letters, clock=clock)
    assert letters.counts() == {STREAM: 1, OTHER: 1001}
    assert Letter("2026-10-01T00:00:00.000000Z", "too large", ROW) in kept(letters)
    assert not any(path.exists() for path in files)


def test_a_row_of_before_keeps_its_time_in_a_column_of_its_own(
    tmp_path: Path, letters: ObjectDeadLetters, clock: SetClock
) -> None:
    old_file(
        tmp_path, STREAM, [old_line(b'{"TimeGenerated":"a"}'), old_line(b'{"TimeGenerated":"a","ObservedAt":"b"}')]
    )
    adopt_dead_letter_files(tmp_path, letters, clock=clock)
    assert [orjson.loads(letter.row)["ObservedAt"] for letter in kept(letters)] == ["a", "b"]


def test_a_line_that_was_cut_is_kept_as_it_is(tmp_path: Path, letters: ObjectDeadLetters, clock: SetClock) -> None:
    cut = old_line(ROW)[:-9]
    old_file(tmp_path, STREAM, [old_line(b"{}"), b"", cut])
    adopt_dead_letter_files(tmp_path, letters, clock=clock)
    assert [orjson.loads(letter.row) for letter in kept(letters)] == [{}, cut.decode(errors="replace")]


def test_a_crash_while_files_are_taken_in_loses_nothing(tmp_path: Path, clock: SetClock) -> None:
    class Full(FolderObjects):
        room = 1

        def put(self, name: str, data: bytes) -> None:
            if not self.room:
                raise ConfigurationError("The disk is full.", remedy="Make room.")
            self.room -= 1
            super().put(name, data)

    path = old_file(tmp_path / "old", STREAM, [old_line(b'{"RecordId":"%d"}' % number) for number in range(501)])
    full = Full(tmp_path / "objects")
    with pytest.raises(ConfigurationError):
        adopt_dead_letter_files(path.parent, ObjectDeadLetters(full, clock=clock), clock=clock)
    assert path.exists()
    full.room = 9
    letters = ObjectDeadLetters(full, clock=clock)
    adopt_dead_letter_files(path.parent, letters, clock=clock)
    assert len({letter.row for letter in kept(letters)}) == 501


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, letters: ObjectDeadLetters, clock: SetClock) -> None:
    (tmp_path / f"{STREAM}.jsonl").mkdir()
    with pytest.raises(ConfigurationError, match=rf"{STREAM}\.jsonl cannot be moved"):
        adopt_dead_letter_files(tmp_path, letters, clock=clock)


def test_where_there_are_no_files_nothing_is_made(tmp_path: Path, letters: ObjectDeadLetters, clock: SetClock) -> None:
    adopt_dead_letter_files(tmp_path / "none", letters, clock=clock)
    assert list(tmp_path.iterdir()) == []

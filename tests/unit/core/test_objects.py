"""What every object store promises."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from apiward_core.blob_objects import BlobObjects
from apiward_core.errors import ConflictError
from apiward_core.folder_objects import FolderObjects
from apiward_core.leases import Leases
from apiward_core.objects import MAX_NAME, ObjectStore, Stored
from tests.azurite import Azurite
from tests.unit.connector.samples import SetClock

NAME = "subscriptions/11111111-1111-1111-1111-111111111111/state"
BIG = hashlib.shake_256(b"big").digest(20_000_000)


@pytest.fixture(params=["folder", "blob"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield FolderObjects(tmp_path / "objects")
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    with azurite.made_container(hashlib.sha256(str(tmp_path).encode()).hexdigest()[:32]) as container:
        yield BlobObjects(container)


def test_where_nothing_is_there_is_nothing_to_read_list_or_delete(store: ObjectStore) -> None:
    store.delete(NAME)
    assert (store.read(NAME), store.names("")) == (None, [])


@pytest.mark.parametrize(
    "data", [b"", b"\x00\xff\r\n\x1a", b"\x1f\x8b\x08", BIG], ids=["empty", "odd", "gzip", "20 MB"]
)
def test_what_was_written_is_read_with_its_etag(store: ObjectStore, data: bytes) -> None:
    etag = store.write(NAME, data, etag=None)
    assert store.read(NAME) == Stored(data, etag)


def test_only_what_was_read_is_replaced(store: ObjectStore) -> None:
    first = store.write(NAME, b"1", etag=None)
    with pytest.raises(ConflictError, match=NAME):
        store.write(NAME, b"2", etag=None)
    second = store.write(NAME, b"2", etag=first)
    with pytest.raises(ConflictError, match=NAME):
        store.write(NAME, b"3", etag=first)
    assert store.read(NAME) == Stored(b"2", second)


def test_what_was_deleted_meanwhile_is_not_written_again(store: ObjectStore) -> None:
    etag = store.write(NAME, b"1", etag=None)
    store.delete(NAME)
    with pytest.raises(ConflictError, match=NAME):
        store.write(NAME, b"2", etag=etag)
    assert store.read(NAME) is None


def test_a_write_of_what_is_there_is_done(store: ObjectStore) -> None:
    first = store.write(NAME, b"1", etag=None)
    etag = store.write(NAME, b"2", etag=first)
    assert store.write(NAME, b"2", etag=first) == etag
    assert store.write(NAME, b"2", etag=None) == etag


def test_put_asks_for_nothing(store: ObjectStore) -> None:
    etag = store.write(NAME, b"1", etag=None)
    store.put(NAME, b"2")
    store.put("new", b"3")
    with pytest.raises(ConflictError):
        store.write(NAME, b"4", etag=etag)
    assert [stored.data for name in (NAME, "new") if (stored := store.read(name))] == [b"2", b"3"]


def test_names_are_listed_by_prefix(store: ObjectStore) -> None:
    for name in ("b/2", "b/10", "a", "b/1.x_y-z", "ba", "b/2/deep"):
        store.put(name, b"")
    store.delete("b/2/deep")
    assert store.names("") == ["a", "b/1.x_y-z", "b/10", "b/2", "ba"]
    assert store.names("b/") == ["b/1.x_y-z", "b/10", "b/2"]
    assert store.names("b/1") == ["b/1.x_y-z", "b/10"]
    assert store.names("c") == []


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "..", "a/../b", "a/.b", "a.", "A", "a b", "a\\b", "a+b", "\N{MICRO SIGN}", "a" * 201],
)
def test_what_is_no_name_is_refused(store: ObjectStore, name: str) -> None:
    for use in (store.read, store.delete, lambda it: store.put(it, b""), lambda it: store.write(it, b"", etag=None)):
        with pytest.raises(ValueError, match="is no name"):
            use(name)


def test_the_longest_name_is_kept(store: ObjectStore) -> None:
    store.put("a/" + "n" * (MAX_NAME - 2), b"")
    assert store.names("a/") == ["a/" + "n" * (MAX_NAME - 2)]


def test_a_prefix_leads_nowhere_else(store: ObjectStore) -> None:
    with pytest.raises(ValueError, match="no name"):
        store.names("*")


def test_of_many_who_create_an_object_one_does(store: ObjectStore) -> None:
    def create(number: int) -> bool:
        try:
            store.write(NAME, str(number).encode(), etag=None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(create, range(8))) == 1


def test_no_change_of_many_threads_is_lost(store: ObjectStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: append(store, f"{number} "), range(20)))
    assert sorted(words(store), key=int) == [str(number) for number in range(20)]


def append(store: ObjectStore, text: str) -> None:
    """What competes for an object writes bytes of its own."""
    while True:
        stored = store.read(NAME)
        try:
            store.write(NAME, (stored.data if stored else b"") + text.encode(), etag=stored.etag if stored else None)
        except ConflictError:
            continue
        return


def words(store: ObjectStore) -> list[str]:
    stored = store.read(NAME)
    return stored.data.decode().split() if stored else []


def test_it_carries_leases(store: ObjectStore) -> None:
    clock = SetClock()
    leases = Leases(store, clock=clock)
    with leases.hold(NAME) as lost:
        with pytest.raises(ConflictError, match="holds"), leases.hold(NAME):
            pytest.fail("a second holder")
        clock.moment += timedelta(minutes=15)
        with leases.hold(NAME), pytest.raises(ConflictError, match="took over"):
            lost.renew()
    with leases.hold(NAME):
        pass

"""What the folder adds to the promises of an object store."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apiward_core.errors import ConfigurationError, TransientError
from apiward_core.file_lock import locked
from apiward_core.folder_objects import FolderObjects
from tests.unit.core.test_objects import NAME, words

APPEND = """
import sys
from pathlib import Path
from apiward_core.folder_objects import FolderObjects
from tests.unit.core.test_objects import append
for number in range(20):
    append(FolderObjects(Path(sys.argv[1])), f"{sys.argv[2]}{number} ")
"""
LOCK = """
import sys
from pathlib import Path
from apiward_core.file_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_no_change_of_two_processes_is_lost(tmp_path: Path) -> None:
    with python(APPEND, tmp_path, "a") as one, python(APPEND, tmp_path, "b") as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert sorted(words(FolderObjects(tmp_path))) == sorted(f"{who}{number}" for who in "ab" for number in range(20))


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with python(LOCK, path) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(TransientError, match=f"held {path}"), locked(path, patience=0):
            pytest.fail("a second holder")
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
        with locked(path, patience=0):
            pass


def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "objects"
    store = FolderObjects(folder)
    store.put(NAME, b"1")
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}


def test_what_a_crash_left_half_written_is_not_there_and_not_in_the_way(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    store.put(NAME, b"first ")
    for number in range(16):
        (tmp_path / f".draft-{number}").write_bytes(b"half of the second, longer than what comes next")
    assert store.names("") == [NAME]
    store.put(NAME, b"second")
    assert words(store) == ["second"]


def test_a_reader_makes_no_folder(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "objects")
    store.read(NAME)
    store.delete(NAME)
    store.names("")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "use",
    [lambda store: store.read("a"), lambda store: store.put("a", b""), lambda store: store.delete("a")],
    ids=["read", "put", "delete"],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, use: Callable[[FolderObjects], object]) -> None:
    (tmp_path / "objects").touch()
    with pytest.raises(ConfigurationError, match=r"objects.*state_dir"):
        use(FolderObjects(tmp_path / "objects"))


def test_an_object_that_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigurationError, match=r"Nothing can be kept in .*state_dir"):
        FolderObjects(tmp_path).read("a")

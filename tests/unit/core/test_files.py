"""What apiward keeps is for its owner alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from apiward_core.clock import SystemClock
from apiward_core.dead_letters import FolderDeadLetters
from apiward_core.errors import ConfigurationError
from apiward_core.files import private_file, private_folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_made_for_its_owner_with_its_parents(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "state" / "connector")
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert mode(private_folder(tmp_path)) == 0o750


def test_a_file_is_made_once_for_its_owner(tmp_path: Path) -> None:
    path = private_file(tmp_path / "state" / "runs")
    path.write_text("kept")
    assert private_file(path).read_text() == "kept"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("make", "name", "named"),
    [
        (private_folder, "file", "folder .*/file "),
        (private_folder, "file/state", "folder .*/file/state "),
        (private_file, "file/state", "folder .*/file "),
        (private_file, "x" * 300, "file .*/x{300} "),
    ],
)
def test_what_cannot_be_made_is_named_with_the_setting(
    tmp_path: Path, make: Callable[[Path], Path], name: str, named: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=rf"The {named}cannot be made.*state_dir"):
        make(tmp_path / name)


def test_dead_letters_are_private(tmp_path: Path) -> None:
    letters = FolderDeadLetters(tmp_path / "dead-letters", clock=SystemClock())
    letters.add("Custom-X", b'{"a":1}', "too large")
    letters.add("Custom-X", b'{"a":2}', "too large")
    path = tmp_path / "dead-letters" / "Custom-X.jsonl"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert len(path.read_text().splitlines()) == 2

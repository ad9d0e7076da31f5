"""Report files: whole or not at all, and never over something that is no file."""

from pathlib import Path

import pytest

from apiward_core.errors import ConfigurationError
from apiward_workbooks.output import check_target, render, write_whole
from tests.unit.workbooks.samples import report


def test_a_file_is_replaced_whole_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("an older report that was longer")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("keep")
    link = tmp_path / "report.html"
    link.symlink_to(other)
    with pytest.raises(ConfigurationError, match="no plain file"):
        write_whole(link, b"new")
    assert link.is_symlink()
    assert other.read_text() == "keep"


@pytest.mark.parametrize("name", [".", "/dev/null", "missing/report.html"])
def test_a_place_that_is_no_file_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--out") as caught:
        check_target(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) or "no folder" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        write_whole(tmp_path / "file" / "report.html", b"new")


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no format 'docx'. Use html"):
        render(report(), "docx")
    assert render(report(), "html").startswith(b"<!DOCTYPE html>")

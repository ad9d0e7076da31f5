"""Generated files: written when stale, compared with a diff, and the pages that exist say what they are made from."""

from pathlib import Path

import pytest

from apiward_core.tables import all_tables
from tools.generate import GENERATED, Generated, main, tables_page

ONE: Generated = (("docs/one.md", lambda: "new\n"),)


def test_a_missing_file_is_written_and_then_fresh(tmp_path: Path) -> None:
    assert main(["--check"], root=tmp_path, generated=ONE) == 1
    assert main([], root=tmp_path, generated=ONE) == 0
    assert (tmp_path / "docs/one.md").read_text("utf-8") == "new\n"
    assert main(["--check"], root=tmp_path, generated=ONE) == 0


def test_check_shows_the_difference_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs/one.md"
    page.parent.mkdir()
    page.write_text("old\n", "utf-8")
    assert main(["--check"], root=tmp_path, generated=ONE) == 1
    assert page.read_text("utf-8") == "old\n"
    shown = capsys.readouterr().out.splitlines()
    assert {"-old", "+new", "docs/one.md is stale: run make fmt"} <= set(shown)


def test_only_stale_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two: Generated = (*ONE, ("docs/two.md", lambda: "two\n"))
    main([], root=tmp_path, generated=ONE)
    capsys.readouterr()
    main([], root=tmp_path, generated=two)
    assert capsys.readouterr().out == "wrote docs/two.md\n"


def test_an_empty_file_that_ought_to_be_is_written(tmp_path: Path) -> None:
    empty: Generated = (("empty.txt", lambda: ""),)
    assert main(["--check"], root=tmp_path, generated=empty) == 1
    main([], root=tmp_path, generated=empty)
    assert (tmp_path / "empty.txt").exists()


def test_every_path_is_generated_once() -> None:
    paths = [path for path, _ in GENERATED]
    assert sorted(set(paths)) == sorted(paths)


def test_the_page_of_tables_has_a_row_for_each_column() -> None:
    sections = {section.split("\n", 1)[0]: section for section in tables_page().split("\n## ")}
    for table in all_tables().values():
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} | " in sections[table.name]

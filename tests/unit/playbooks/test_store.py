"""Runs in SQLite: compare-and-set, one open run per finding, nothing lost on the way to disk and back."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from apiward_core.errors import ConfigurationError, ConflictError, MissingError
from apiward_playbooks.comments import describe
from apiward_playbooks.remediation import Evidence
from apiward_playbooks.runs import State
from apiward_playbooks.store import SqliteRunStore
from apiward_playbooks.transitions import commented
from tests.property.world import planned


def test_a_run_reads_back_as_it_was(tmp_path: Path) -> None:
    _, run = planned(2)
    comment = describe(run)
    assert comment is not None
    whole = commented(replace(run, evidence=Evidence(True, {"a": [1]}, "é <b>")), comment)
    store = SqliteRunStore(tmp_path / "runs.sqlite")
    store.add(whole)
    assert SqliteRunStore(tmp_path / "runs.sqlite").load(run.id)[0] == whole


def test_a_write_against_an_old_etag_is_refused(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path / "runs.sqlite")
    _, run = planned(1)
    store.add(run)
    etag = store.load(run.id)[1]
    store.save(replace(run, problem="first"), etag)
    with pytest.raises(ConflictError, match="changed by somebody else"):
        store.save(replace(run, problem="second"), etag)
    assert store.load(run.id)[0].problem == "first"


def test_a_finding_has_one_open_run(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path / "runs.sqlite")
    _, run = planned(1)
    store.add(run)
    with pytest.raises(ConflictError, match="has an open run already"):
        store.add(replace(run, id="run-2"))
    store.save(replace(run, state=State.CLOSED), 1)
    store.add(replace(run, id="run-2"))
    assert [stored.id for stored in store.all()] == ["run-1", "run-2"]
    with pytest.raises(ConflictError, match="has an open run already"):
        store.save(replace(run, state=State.ROLLING_BACK), 2)


def test_an_unknown_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="'nope'"):
        SqliteRunStore(tmp_path / "runs.sqlite").load("nope")


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_bytes(b"this is somebody's letter, not a database" * 20)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        SqliteRunStore(path).all()
    assert path.read_bytes() == before


def test_a_damaged_record_is_refused_without_showing_it(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path / "runs.sqlite")
    store.add(planned(1)[1])
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET record = ?", (b'{"id": "a-secret-name"}',))
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        store.all()
    assert "a-secret-name" not in str(refused.value)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path / "state" / "runs.sqlite")
    store.add(planned(1)[1])
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0

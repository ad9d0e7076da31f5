import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from apiward_connector.folder_state import FolderStateStore
from apiward_connector.recommendation_types import types_of
from apiward_connector.state import ChangeType, Entry, ScopeState
from apiward_core.catalogue import load_catalogue
from apiward_core.errors import ConfigurationError, ConflictError
from tests.unit.connector.samples import METADATA, SCOPE, SetClock, assessment, finding

FOUND = finding(assessment())
STATE = ScopeState(
    entries={
        FOUND.finding_id: Entry(FOUND, first_seen="2026-11-20T08:00:00.000000Z", row_day="2026-11-20", revision=4)
    },
    pending=((FOUND.finding_id, ChangeType.REGRESSED),),
    types=types_of([FOUND], metadata=METADATA, catalogue=load_catalogue()),
    told={FOUND.recommendation_key: "record"},
    observed="2026-11-20T08:00:00.000000Z",
    watermark="2026-11-19T08:00:00.000000Z",
    inventory_day="2026-11-20",
)
OTHER = SCOPE.replace("1111-1111-1111", "2222-2222-2222")


def store(folder: Path, clock: SetClock | None = None) -> FolderStateStore:
    return FolderStateStore(folder, clock=clock or SetClock())


def state_file(folder: Path) -> Path:
    [path] = folder.glob("*.state")
    return path


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    etag = store(tmp_path).save(SCOPE, STATE, None)
    assert store(tmp_path).load(SCOPE) == (STATE, etag)


def test_a_scope_without_state_is_empty(tmp_path: Path) -> None:
    store(tmp_path).save(SCOPE, STATE, None)
    assert store(tmp_path).load(OTHER) == (ScopeState(), None)


def test_only_the_state_that_was_read_is_replaced(tmp_path: Path) -> None:
    states = store(tmp_path)
    first = states.save(SCOPE, STATE, None)
    with pytest.raises(ConflictError):
        states.save(SCOPE, ScopeState(), None)
    second = states.save(SCOPE, ScopeState(), first)
    with pytest.raises(ConflictError):
        states.save(SCOPE, STATE, first)
    assert states.load(SCOPE) == (ScopeState(), second)


def damage(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage, "checksum"),
        (lambda data: data[:-1], "checksum"),
        (lambda data: data.replace(b"-state 1 ", b"-state 9 ", 1), "version 9"),
        (lambda data: b"{" + data, "no connector state"),
        (lambda data: data[:0], "no connector state"),
    ],
    ids=["damaged", "cut", "of a later version", "foreign", "empty"],
)
def test_a_file_that_is_no_good_state_is_refused_and_kept(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    states = store(tmp_path)
    states.save(SCOPE, STATE, None)
    path = state_file(tmp_path)
    spoilt = change(path.read_bytes())
    path.write_bytes(spoilt)
    with pytest.raises(ConfigurationError, match=f"{path.name}.*{reason}"):
        states.load(SCOPE)
    with pytest.raises(ConflictError):
        states.save(SCOPE, STATE, None)
    assert path.read_bytes() == spoilt


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: next(iter(state["entries"].values()))["finding"].update(new_field=1),
        lambda state: next(iter(state["entries"].values())).pop("first_seen"),
        lambda state: state.pop("watermark"),
        lambda state: state.update(pending=[["f", "Vanished"]]),
    ],
    ids=["another field", "one field less", "one part less", "another kind of change"],
)
def test_a_state_of_another_build_is_refused_by_name(tmp_path: Path, spoil: Callable[[Any], object]) -> None:
    states = store(tmp_path)
    states.save(SCOPE, STATE, None)
    path = state_file(tmp_path)
    path.write_bytes(rewritten(path.read_bytes(), spoil))
    with pytest.raises(ConfigurationError, match=f"{path.name}.*another build"):
        states.load(SCOPE)


def rewritten(data: bytes, change: Callable[[Any], object]) -> bytes:
    head, _, body = data.partition(b"\n")
    document = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    change(document["state"])
    body = zstandard.ZstdCompressor().compress(orjson.dumps(document))
    return b" ".join((*head.split()[:2], hashlib.sha256(body).hexdigest().encode())) + b"\n" + body


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    states = store(tmp_path / "state" / "connector")
    states.save(SCOPE, STATE, states.save(SCOPE, ScopeState(), None))
    kept = sorted((tmp_path / "state" / "connector").iterdir())
    assert {path.suffix for path in kept} == {".state", ".sqlite"}
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in list(kept[0].parents)[:2]} == {0o700}


def test_a_state_under_the_name_of_another_scope_is_refused(tmp_path: Path) -> None:
    states = store(tmp_path)
    states.save(SCOPE, STATE, None)
    data = state_file(tmp_path).read_bytes()
    state_file(tmp_path).unlink()
    states.save(OTHER, ScopeState(), None)
    state_file(tmp_path).write_bytes(data)
    with pytest.raises(ConfigurationError, match=f"belongs to {SCOPE}"):
        states.load(OTHER)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="state_dir"):
        store(tmp_path / "file" / "state").save(SCOPE, STATE, None)


def test_a_scope_has_one_holder(tmp_path: Path) -> None:
    with store(tmp_path).lease(SCOPE):
        with pytest.raises(ConflictError, match=SCOPE), store(tmp_path).lease(SCOPE):
            pytest.fail("a second holder")
        with store(tmp_path).lease(OTHER):
            pass
    with store(tmp_path).lease(SCOPE):
        pass


def test_a_lease_that_is_not_renewed_expires_and_is_lost(tmp_path: Path) -> None:
    clock = SetClock()
    with store(tmp_path, clock).lease(SCOPE) as dead:
        clock.moment += timedelta(minutes=16)
        with store(tmp_path, clock).lease(SCOPE), pytest.raises(ConflictError, match="took over"):
            dead.renew()
    with store(tmp_path, clock).lease(SCOPE):
        pass


def test_a_renewed_lease_does_not_expire(tmp_path: Path) -> None:
    clock = SetClock()
    with store(tmp_path, clock).lease(SCOPE) as lease:
        for _ in range(4):
            clock.moment += timedelta(minutes=6)
            lease.renew()
        with pytest.raises(ConflictError), store(tmp_path, clock).lease(SCOPE):
            pytest.fail("a second holder")


def test_the_end_of_a_lost_lease_does_not_end_the_next_one(tmp_path: Path) -> None:
    clock = SetClock()
    lost = store(tmp_path, clock).lease(SCOPE)
    lost.__enter__()
    clock.moment += timedelta(minutes=16)
    with store(tmp_path, clock).lease(SCOPE):
        lost.__exit__(None, None, None)
        with pytest.raises(ConflictError), store(tmp_path, clock).lease(SCOPE):
            pytest.fail("a second holder")

import hashlib
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from apiward_connector.ledger import COLUMNS, Ledger
from apiward_connector.state import ScopeState
from apiward_connector.state_file import encode
from apiward_connector.state_store import StateStore
from apiward_core.errors import ConfigurationError, ConflictError
from apiward_core.folder_objects import FolderObjects
from tests.unit.connector.samples import SCOPE, SERVICE, Scope, SetClock, assessment, finding, states_in

OTHER = SCOPE.replace("1111-1111-1111", "2222-2222-2222")
NAME = f"{SCOPE[1:]}/state"
FOUND = [finding(assessment(f"{SERVICE}/apis/{name}")) for name in ("a", "b", "\u4e2d")]


def some_state() -> ScopeState:
    scope = Scope()
    scope.look(FOUND)
    scope.look(FOUND[:2])
    state = scope.state
    state.told, state.inventory_day, state.outbox, state.superseded = {"key": "record"}, "2026-11-20", "p", ("r", "s")
    return state


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = some_state()
    etag = states_in(tmp_path, SetClock()).save(SCOPE, state, None)
    loaded, found = states_in(tmp_path, SetClock()).load(SCOPE)
    assert found == etag
    for name in COLUMNS:
        assert np.array_equal(loaded.ledger[name], state.ledger[name]), name
    assert loaded.ledger["missed"].tolist() == [0, 0, 1]
    assert list(loaded.ledger.gone([0, 1, 2])) == list(state.ledger.gone([0, 1, 2]))
    assert [gone.resource_id for gone in loaded.ledger.gone([2])] == [f"{SERVICE}/apis/\u4e2d".lower()]
    assert loaded.told == state.told
    times = (loaded.observed, loaded.watermark, loaded.inventory_day)
    assert times == (state.observed, state.watermark, state.inventory_day)
    assert (loaded.outbox, loaded.superseded) == ("p", ("r", "s"))


def test_equal_states_give_equal_bytes() -> None:
    assert encode(SCOPE, some_state()) == encode(SCOPE, some_state())


def test_to_make_the_bytes_takes_the_memory_of_one_copy() -> None:
    random = np.random.default_rng(0)  # so that they are as long as what they are made of
    columns = {name: np.frombuffer(random.bytes(800_000), dtype)[:100_000] for name, dtype in COLUMNS.items()}
    ledger = Ledger(columns)
    tracemalloc.start()
    try:
        data = encode(SCOPE, ScopeState(ledger=ledger))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * len(data)


def test_a_scope_without_state_is_empty(tmp_path: Path) -> None:
    states = states_in(tmp_path, SetClock())
    states.save(SCOPE, some_state(), None)
    state, etag = states.load(OTHER)
    assert (state.current, state.watermark, etag) == (0, "", None)
    assert states.subscriptions() == [SCOPE.removeprefix("/subscriptions/")]


def test_only_the_state_that_was_read_is_replaced(tmp_path: Path) -> None:
    states = states_in(tmp_path, SetClock())
    first = states.save(SCOPE, some_state(), None)
    with pytest.raises(ConflictError):
        states.save(SCOPE, ScopeState(), None)
    second = states.save(SCOPE, ScopeState(), first)
    with pytest.raises(ConflictError):
        states.save(SCOPE, some_state(), first)
    assert states.load(SCOPE)[1] == second


def damage(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def recounted(data: bytes) -> bytes:
    """The same file, its header changed, with a checksum that fits."""
    body = data.partition(b"\n")[2].replace(b'"count":3', b'"count":9', 1)
    return b"apiward-connector-state 3 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage, "checksum"),
        (lambda data: data[:-1], "checksum"),
        (lambda data: data.replace(b"-state 3 ", b"-state 9 ", 1), "version 9"),
        (lambda data: data.replace(b"-state 3 ", b"-state 1 ", 1), "version 1.*ingest rebuild"),
        (lambda data: b"{" + data, "no connector state"),
        (lambda data: data[:0], "no connector state"),
        (recounted, "another build"),
    ],
    ids=["damaged", "cut", "of a later version", "of an earlier version", "foreign", "empty", "of another build"],
)
def test_a_file_that_is_no_good_state_is_refused_and_kept(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    states, objects = states_in(tmp_path, SetClock()), FolderObjects(tmp_path)
    states.save(SCOPE, some_state(), None)
    stored = objects.read(NAME)
    assert stored
    spoilt = change(stored.data)
    objects.put(NAME, spoilt)
    with pytest.raises(ConfigurationError, match=f"{NAME}.*{reason}"):
        states.load(SCOPE)
    with pytest.raises(ConflictError):
        states.save(SCOPE, some_state(), None)
    kept = objects.read(NAME)
    assert kept
    assert kept.data == spoilt


def test_a_state_under_the_name_of_another_scope_is_refused(tmp_path: Path) -> None:
    FolderObjects(tmp_path).put(f"{OTHER[1:]}/state", encode(SCOPE, some_state()))
    with pytest.raises(ConfigurationError, match=f"belongs to {SCOPE}"):
        states_in(tmp_path, SetClock()).load(OTHER)


def test_what_is_forgotten_is_gone_with_all_that_is_beside_it(tmp_path: Path) -> None:
    clock = SetClock()
    states, objects = states_in(tmp_path, clock), FolderObjects(tmp_path)
    for scope in (SCOPE, OTHER):
        states.save(scope, ScopeState(), None)
        objects.put(f"{scope[1:]}/outbox/p/000001", b"rows")
    with states.lease(SCOPE):
        states.forget(SCOPE)
        with pytest.raises(ConflictError), states.lease(SCOPE):
            pytest.fail("a second holder")
    assert [name for name in objects.names("") if "lease" not in name] == [
        f"{OTHER[1:]}/outbox/p/000001",
        f"{OTHER[1:]}/state",
    ]


def test_a_scope_has_one_holder_until_its_lease_expires(tmp_path: Path) -> None:
    clock = SetClock()

    def store() -> StateStore:
        return states_in(tmp_path, clock)

    with store().lease(SCOPE) as dead:
        with pytest.raises(ConflictError, match=SCOPE[1:]), store().lease(SCOPE):
            pytest.fail("a second holder")
        with store().lease(OTHER):
            pass
        clock.moment += timedelta(minutes=16)
        with store().lease(SCOPE), pytest.raises(ConflictError, match="took over"):
            dead.renew()

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from apiward_core.errors import ConflictError, TransientError
from apiward_core.folder_objects import FolderObjects
from apiward_core.leases import HeldError, Leases
from apiward_core.objects import ObjectStore, Stored
from tests.unit.connector.samples import SetClock

NAME = "leases/one"
OTHER = "leases/other"


class Watched(FolderObjects):
    """A folder that counts what is written, and refuses writes while it is out of reach."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writes = 0
        self.reachable = True

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        if not self.reachable:
            raise TransientError("Out of reach.", remedy="Wait.")
        self.writes += 1
        return super().write(name, data, etag=etag)


@pytest.fixture
def objects(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def leases(objects: Watched, clock: SetClock) -> Leases:
    return Leases(objects, clock=clock)


def is_free(leases: Leases, name: str = NAME) -> bool:
    with suppress(ConflictError), leases.hold(name):
        return True
    return False


def test_a_name_has_one_holder_at_a_time(leases: Leases) -> None:
    with leases.hold(NAME):
        assert not is_free(leases)
        assert is_free(leases, OTHER)
    assert is_free(leases)


def test_a_refusal_says_what_is_held_and_until_when(leases: Leases) -> None:
    with leases.hold(NAME), pytest.raises(ConflictError, match=f"{NAME} until 2026-11-20T08:15:00"), leases.hold(NAME):
        pytest.fail("a second holder")


def test_a_lease_ends_with_the_error_of_its_holder(leases: Leases) -> None:
    with pytest.raises(KeyError), leases.hold(NAME):
        raise KeyError
    assert is_free(leases)


def test_a_dead_holder_keeps_others_out_until_the_lease_expires(leases: Leases, clock: SetClock) -> None:
    dead = leases.hold(NAME)
    dead.__enter__()
    clock.moment += timedelta(minutes=15) - timedelta(microseconds=1)
    assert not is_free(leases)
    clock.moment += timedelta(microseconds=1)
    assert is_free(leases)


def test_a_renewed_lease_does_not_expire(leases: Leases, clock: SetClock) -> None:
    with leases.hold(NAME) as lease:
        for _ in range(6):
            clock.moment += timedelta(minutes=7)
            lease.renew()
        assert not is_free(leases)


def test_renewing_writes_only_after_a_third_of_the_time(leases: Leases, objects: Watched, clock: SetClock) -> None:
    with leases.hold(NAME) as lease:
        before = objects.writes
        clock.moment += timedelta(minutes=5) - timedelta(microseconds=1)
        lease.renew()
        assert objects.writes == before
        clock.moment += timedelta(microseconds=1)
        lease.renew()
        lease.renew()
        assert objects.writes == before + 1


def test_whoever_lost_a_lease_learns_of_it_and_ends_nothing(leases: Leases, clock: SetClock) -> None:
    with leases.hold(NAME) as lost:
        clock.moment += timedelta(minutes=15)
        with leases.hold(NAME):
            with pytest.raises(ConflictError, match=f"took over {NAME}"):
                lost.renew()
            with pytest.raises(ConflictError, match=f"took over {NAME}"):
                lost.renew()
            assert not is_free(leases)


def test_the_end_of_a_lost_lease_does_not_end_the_next_one(leases: Leases, clock: SetClock) -> None:
    lost = leases.hold(NAME)
    lost.__enter__()
    clock.moment += timedelta(minutes=15)
    with leases.hold(NAME):
        lost.__exit__(None, None, None)
        assert not is_free(leases)


def test_a_holder_whose_clock_was_set_back_still_renews(leases: Leases, objects: Watched, clock: SetClock) -> None:
    with leases.hold(NAME) as lease:
        before = objects.writes
        clock.moment -= timedelta(days=1)
        lease.renew()
        assert objects.writes == before + 1


def test_a_holder_whose_clock_jumped_ahead_keeps_what_nobody_took(leases: Leases, clock: SetClock) -> None:
    with leases.hold(NAME) as lease:
        clock.moment += timedelta(days=1)
        lease.renew()
        assert not is_free(leases)


def test_a_machine_whose_clock_is_behind_waits_longer_and_one_ahead_is_found_out(objects: Watched) -> None:
    now, behind, ahead = SetClock(), SetClock(), SetClock()
    behind.moment -= timedelta(minutes=10)
    ahead.moment += timedelta(minutes=20)
    with Leases(objects, clock=now).hold(NAME) as lease:
        assert not is_free(Leases(objects, clock=behind))
        with Leases(objects, clock=ahead).hold(NAME):
            now.moment += timedelta(minutes=5)
            with pytest.raises(ConflictError):
                lease.renew()


def test_a_lease_that_was_given_back_is_free_whatever_the_clock_says(objects: Watched, clock: SetClock) -> None:
    behind = SetClock()
    behind.moment -= timedelta(minutes=10)
    with Leases(objects, clock=clock).hold(NAME):
        pass
    assert is_free(Leases(objects, clock=behind))


def test_of_two_who_take_a_free_lease_at_once_one_gets_it(tmp_path: Path, clock: SetClock) -> None:
    class Overtaken(FolderObjects):
        """Between its read and its write somebody else takes the lease."""

        def read(self, name: str) -> Stored | None:
            stored = super().read(name)
            if stored is None:
                quick.__enter__()
            return stored

    quick = Leases(FolderObjects(tmp_path), clock=clock).hold(NAME)
    with pytest.raises(HeldError, match="Another run holds"), Leases(Overtaken(tmp_path), clock=clock).hold(NAME):
        pytest.fail("a second holder")
    quick.__exit__(None, None, None)


def test_a_store_out_of_reach_at_the_end_does_not_undo_what_was_done(objects: Watched, clock: SetClock) -> None:
    leases = Leases(objects, clock=clock)
    with leases.hold(NAME):
        objects.reachable = False
    objects.reachable = True
    assert not is_free(leases)
    clock.moment += timedelta(minutes=15)
    assert is_free(leases)


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b'{"holder": "a"}', b'{"holder": "a", "expires": 7}', b"\xff"])
def test_a_damaged_lease_holds_nothing(leases: Leases, objects: ObjectStore, data: bytes) -> None:
    objects.put(NAME, data)
    assert is_free(leases)


def test_a_store_that_refuses_to_write_a_free_lease_is_not_taken_for_another_holder(tmp_path: Path) -> None:
    class Immutable(FolderObjects):
        def write(self, name: str, data: bytes, *, etag: str | None) -> str:
            raise ConflictError("HTTP 409: the blob is immutable.", remedy="Look at the container.")

    with pytest.raises(ConflictError) as refused, Leases(Immutable(tmp_path), clock=SetClock()).hold(NAME):
        pytest.fail("a holder without a lease")
    assert not isinstance(refused.value, HeldError)

"""Threads that take turns compute one at a time while all behave, and never wait for each other forever."""

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import pytest

from apiward_core.turns import Turns, aside, held

LONG = 60.0  # the patience where nobody should need it
SOON = 20.0  # what a test waits for what happens at once, unless it is broken


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def another_gets_a_turn(turns: Turns, pool: ThreadPoolExecutor) -> bool:
    """Whether another thread can take its turn, by giving way and not by losing patience."""

    def compute() -> None:
        with turns.taken():
            pass

    return not wait([pool.submit(compute)], SOON).not_done


def test_one_thread_computes_at_a_time(pool: ThreadPoolExecutor) -> None:
    turns, computing, most = Turns(patience=LONG), set[int](), 0

    def compute(number: int) -> None:
        nonlocal most
        with turns.taken():
            for _ in range(50):
                computing.add(number)
                zlib.compress(bytes(100_000))  # lets go of the interpreter
                most = max(most, len(computing))
                computing.remove(number)
                with aside():
                    pass

    list(pool.map(compute, range(4)))
    assert most == 1


def test_who_steps_aside_lets_another_in(pool: ThreadPoolExecutor) -> None:
    turns = Turns(patience=LONG)
    with turns.taken(), aside():
        assert another_gets_a_turn(turns, pool)


def test_who_is_aside_already_stays_there(pool: ThreadPoolExecutor) -> None:
    turns = Turns(patience=LONG)
    with turns.taken(), aside():
        with aside():
            pass
        assert another_gets_a_turn(turns, pool)


def test_who_takes_a_turn_twice_gives_it_up_once(pool: ThreadPoolExecutor) -> None:
    turns, other = Turns(patience=LONG), Turns(patience=LONG)
    with turns.taken():
        with turns.taken(), other.taken():
            pass
        with aside():
            assert another_gets_a_turn(turns, pool)
    assert another_gets_a_turn(turns, pool)


def test_who_had_a_turn_does_not_get_it_back_by_waiting(pool: ThreadPoolExecutor) -> None:
    turns = Turns(patience=LONG)

    def compute_and_wait() -> None:
        with turns.taken():
            pass
        with aside():
            pass

    with ThreadPoolExecutor(1) as fresh:  # a thread that took no turns before
        fresh.submit(compute_and_wait).result()
    assert another_gets_a_turn(turns, pool)


def test_who_takes_no_turns_does_not_wait_for_one(pool: ThreadPoolExecutor) -> None:
    def step_aside() -> None:
        with aside():
            pass

    with Turns(patience=LONG).taken():
        assert not wait([pool.submit(step_aside)], SOON).not_done


@pytest.mark.parametrize("waiting", [nullcontext, aside])
def test_an_error_gives_the_turn_back(
    pool: ThreadPoolExecutor, waiting: Callable[[], AbstractContextManager[None]]
) -> None:
    turns = Turns(patience=LONG)
    with suppress(ZeroDivisionError), turns.taken(), waiting():
        raise ZeroDivisionError
    assert another_gets_a_turn(turns, pool)


@contextmanager
def simply(lock: threading.Lock) -> Iterator[None]:
    with lock:
        yield


@pytest.mark.parametrize(
    ("hold", "patience"), [(simply, 0.01), (held, LONG)], ids=["goes ahead without its turn", "waits aside"]
)
def test_who_has_a_lock_and_who_has_the_turn_both_finish(
    pool: ThreadPoolExecutor, hold: Callable[[threading.Lock], AbstractContextManager[None]], patience: float
) -> None:
    turns, lock = Turns(patience=patience), threading.Lock()
    locked, taken = threading.Event(), threading.Event()

    def call_under_the_lock() -> None:
        with turns.taken(), hold(lock), aside():
            locked.set()
            assert taken.wait(SOON)

    def want_the_lock() -> None:
        assert locked.wait(SOON)
        with turns.taken():
            taken.set()
            with hold(lock):
                pass

    for done in [pool.submit(call_under_the_lock), pool.submit(want_the_lock)]:
        done.result(SOON)

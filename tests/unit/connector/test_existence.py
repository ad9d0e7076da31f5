"""Asking once, from several threads."""

import threading
from collections.abc import Iterator

import pytest

from apiward_connector.existence import Once
from apiward_core.errors import AccessError

PATIENCE = 10


def test_who_asks_for_what_is_being_asked_waits_and_others_do_not() -> None:
    asked: list[str] = []
    entered, release, answers = threading.Event(), threading.Event(), []

    def ask(key: str) -> str:
        asked.append(key)
        if key == "slow":
            entered.set()
            assert release.wait(PATIENCE)
        return key.upper()

    once = Once(ask)
    threads = [threading.Thread(target=lambda: answers.append(once("slow"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.wait(PATIENCE)
    assert once("fast") == "FAST"
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert (answers, sorted(asked)) == (["SLOW", "SLOW"], ["fast", "slow"])


def test_an_error_of_ours_is_remembered_and_a_bug_is_not() -> None:
    answers: Iterator[str | Exception] = iter([AccessError("No role.", remedy="Grant it."), KeyError("bug"), "fine"])

    def ask(_key: str) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    once = Once(ask)
    for _ in range(3):
        with pytest.raises(AccessError):
            once("refused")
    with pytest.raises(KeyError):
        once("other")
    assert once("other") == "fine"

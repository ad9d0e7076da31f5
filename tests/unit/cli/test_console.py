"""Tables for people, in terminals of any width."""

import pytest

from apiward import console

GUID = "11111111-1111-1111-1111-111111111111"
STATUS = (GUID, "Complete", "119 min", "119 min", "60 min", "389000")
COLUMNS = ("subscription", "outcome", "run", "whole", "due in", "findings")


@pytest.fixture(params=[100, 80, 60, 40], ids=str)
def width(request: pytest.FixtureRequest) -> int:
    """How many characters a line of the terminal has."""
    return int(request.param)


def printed(capsys: pytest.CaptureFixture[str], width: int, *row: str) -> list[str]:
    """The lines of a table of one row."""
    before, console.out.width = console.out.width, width
    try:
        console.table("", COLUMNS[: len(row)], [row])
    finally:
        console.out.width = before
    return capsys.readouterr().out.splitlines()


def test_nothing_is_cut_off(capsys: pytest.CaptureFixture[str], width: int) -> None:
    lines = printed(capsys, width, *STATUS)
    shown = "".join("".join(lines).split())
    assert max(map(len, lines)) <= width
    assert sorted(shown.replace("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "")) == sorted(
        "".join((*COLUMNS, *STATUS)).replace(" ", "")
    )


def test_a_subscription_can_be_copied_from_a_terminal_of_80_characters(capsys: pytest.CaptureFixture[str]) -> None:
    assert any(line.split()[:2] == [GUID, "Complete"] for line in printed(capsys, 80, *STATUS))


def test_columns_stay_apart_while_there_is_room(capsys: pytest.CaptureFixture[str]) -> None:
    assert f" {GUID}   Complete " in printed(capsys, 80, *STATUS[:2])

"""Every command of the README is run as it is printed there."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apiward.lab_process import DESCRIPTOR, LabProcess
from tests.e2e.conftest import ROOT
from tests.e2e.shell import Shell

README = (ROOT / "README.md").read_text("utf-8")
TRY, STEPS = "## Try it", "## Step by step"
PRINTED = {"RUN": re.compile(r"^Run ([0-9a-f-]{36})", re.MULTILINE), "HASH": re.compile(r"--plan ([0-9a-f]{64})")}


def section(heading: str) -> str:
    """The text below a heading, up to the next one of its level."""
    [_, after] = README.split(f"\n{heading}", 1)
    return after.split("\n## ", 1)[0]


def commands(text: str) -> list[str]:
    """The lines of its sh blocks without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = (re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines())
    return [line for line in lines if line.strip()]


def test_all_commands_are_in_the_two_sections_that_are_run() -> None:
    assert commands(README) == [*commands(section(TRY)), *commands(section(STEPS))]


def test_the_first_screen_shows_the_two_commands_and_the_report() -> None:
    first_screen = "\n".join(README.splitlines()[:60])
    assert commands(first_screen)[:2] == ["make demo", "make test"]
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", first_screen)
    assert (ROOT / picture).is_file()


def test_make_demo_prints_what_is_shown_of_it() -> None:
    wide = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        ["make", "demo"], cwd=ROOT, env=wide, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    [shown] = re.findall(r"^```text\n(.*?)^```", section(TRY), re.DOTALL | re.MULTILINE)
    printed = timeless(done.stdout)
    assert [line for line in shown.splitlines() if line != " ..." and timeless(line) not in printed] == []


def timeless(text: str) -> str:
    """The words without how long the demo took, however the lines are folded."""
    return re.sub(r"Done in [0-9.]+ s", "Done", " ".join(text.split()))


PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_make_test_is_what_ci_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == "make test"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which `apiward lab up` serves."""
    descriptor = tmp_path / DESCRIPTOR
    descriptor.parent.mkdir()
    with LabProcess(descriptor=descriptor):
        yield tmp_path


@pytest.fixture
def shell(folder: Path) -> Iterator[Shell]:
    """Another terminal in that folder."""
    with Shell(folder) as typed:
        yield typed


def test_the_steps_lead_where_they_say(shell: Shell, folder: Path) -> None:
    [path, start, *steps] = commands(section(STEPS))
    assert (path, start) == ('PATH="$PWD/.venv/bin:$PATH"', "apiward lab up")
    names = {"RUN": "", "HASH": ""}
    closed: list[str] = []
    for step in steps:
        code, printed = shell.run(step.replace("RUN", names["RUN"]).replace("HASH", names["HASH"]))
        assert code == 0, f"{step}\n{printed}"
        names |= {name: found[1] for name, pattern in PRINTED.items() if (found := pattern.search(printed))}
        if step == "apiward incidents reconcile":
            closed = re.findall(r"^ (\d+) +closed", printed, re.MULTILINE)
    assert closed == ["1", "17"]
    assert (folder / "api-posture-leadership.html").is_file()

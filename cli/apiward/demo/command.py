"""The demo command: a lab, the story, its figures; and the lab left open for whoever wants to go on."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from apiward import console
from apiward.commands.lab import require_no_lab
from apiward.commands.options import AsJson
from apiward.demo.story import Demo
from apiward.lab_process import DESCRIPTOR, LabProcess
from apiward_core.files import private_folder

_GO_ON = """
The lab stays up until Ctrl-C. To go on, in another terminal and in this folder:

eval "$(apiward lab env playbooks)"
apiward incidents list
apiward findings list --severity High
apiward remediate list
"""


def demo(
    as_json: AsJson = False,
    keep_open: Annotated[
        bool, typer.Option("--keep-open", help="Leave the lab up at the end, and say how to go on with it.")
    ] = False,
    reports: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("apiward-demo"),
) -> None:
    """Run the whole loop against a local Azure: ingest, raise, plan, apply, verify, roll back, close, report."""
    started = time.monotonic()
    private_folder(reports)
    with _quiet(as_json), _state_folder(keep_open) as state:
        process = LabProcess(descriptor=DESCRIPTOR if keep_open else None)
        with process as lab:
            story = Demo(lab, state, reports=reports)
            figures = {**story.play(), "seconds": round(time.monotonic() - started, 1)}
            if as_json:
                console.emit(figures)
            else:
                _show_end(figures)
            if keep_open:
                lab.write(DESCRIPTOR, deployed=story.more_settings, state=state)
                console.err.print(_GO_ON, markup=False)
                process.wait()


def _show_end(figures: Mapping[str, Any]) -> None:
    console.say(
        f"\n[bold]Done[/] in {figures['seconds']} s: {sum(figures['incidents'].values())} incidents raised, "
        f"{figures['closed']} closed, {figures['open']} still open; {figures['remediated']} findings remediated, "
        f"{figures['rolled_back']} rolled back."
    )
    for report in figures["reports"]:
        console.unfolded(f"The report for leadership: {report}")


@contextmanager
def _quiet(as_json: bool) -> Iterator[None]:
    console.out.quiet = as_json
    try:
        yield
    finally:
        console.out.quiet = False


@contextmanager
def _state_folder(keep_open: bool) -> Iterator[Path]:
    """A folder for runs and connector state that goes with the lab; beside its descriptor when that is written."""
    if keep_open:
        require_no_lab(DESCRIPTOR)
    parent = private_folder(DESCRIPTOR.parent).resolve() if keep_open else None
    try:
        with tempfile.TemporaryDirectory(prefix="apiward-demo-", dir=parent) as folder:
            yield Path(folder)
    finally:
        if keep_open:
            DESCRIPTOR.unlink(missing_ok=True)

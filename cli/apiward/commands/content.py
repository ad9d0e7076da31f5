"""apiward content: the rules, functions and workbooks that apiward ships, in the workspace."""

from collections.abc import Sequence
from typing import Annotated

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.shipped import content_items
from apiward.wiring import open_app
from apiward_core.content import State, Step
from apiward_core.errors import IncompleteError
from apiward_core.settings import load_settings

app = typer.Typer(help="Analytics rules, functions and workbooks.", no_args_is_help=True)


@app.command()
def plan(as_json: AsJson = False) -> None:
    """Show what apply would do. Reads only."""
    with open_app(load_settings()) as opened, console.err.status("comparing"):
        steps = opened.content().plan(content_items())
    show_steps(steps, as_json=as_json)


@app.command()
def apply(
    overwrite: Annotated[bool, typer.Option(help="Replace what an analyst edited, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create and update; what an analyst edited is kept and reported (exit code 4) unless told otherwise."""
    with open_app(load_settings()) as opened, console.err.status("deploying"):
        steps = opened.content().apply(content_items(), overwrite=overwrite)
    show_steps(steps, as_json=as_json)
    if kept := [step.item.id for step in steps if step.state is State.EDITED and not step.written]:
        raise IncompleteError(
            f"Edited in the workspace and kept: {', '.join(kept)}.", remedy="Use --overwrite to replace them."
        )


def show_steps(steps: Sequence[Step], *, as_json: bool = False) -> None:
    """How the workspace stands to each item."""
    if as_json:
        console.emit(
            [
                {
                    "kind": step.item.kind.name,
                    "id": step.item.id,
                    "version": step.item.version,
                    "state": step.state,
                    "found": step.found,
                    "differs": step.differs,
                    "written": step.written,
                }
                for step in steps
            ]
        )
        return
    rows = [
        (step.item.kind.name, step.item.id, step.item.version, step.state, "yes" if step.written else "")
        for step in steps
    ]
    console.table("Content", ("kind", "id", "version", "state", "written"), rows)

"""apiward workbook: the posture workbooks, as reports."""

from pathlib import Path
from typing import Annotated

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.wiring import open_app
from apiward_core.errors import IncompleteError
from apiward_core.settings import load_settings
from apiward_workbooks.load import load_workbooks, open_workbook, report_name
from apiward_workbooks.output import FORMATS, check_target, write_whole
from apiward_workbooks.output import render as rendered
from apiward_workbooks.time_range import parse_time_range

app = typer.Typer(help="The posture workbooks, and reports made from them.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The workbooks that apiward ships."""
    shipped = [(one.name, one.version, one.title, one.description) for one in load_workbooks().values()]
    if as_json:
        console.emit([dict(zip(("name", "version", "title", "description"), one, strict=True)) for one in shipped])
        return
    console.table("Workbooks", ("name", "version", "title", "shows"), shipped)


@app.command()
def render(
    name: Annotated[str, typer.Argument(help="A shipped workbook, or the path of a workbook's .json file.")],
    form: Annotated[str, typer.Option("--format", help=f"One of: {', '.join(FORMATS)}.")] = "html",
    out: Annotated[Path | None, typer.Option(help="File to write; NAME.html in this folder when not given.")] = None,
    time_range: Annotated[
        str | None, typer.Option(help="In the place of the workbook's own, e.g. 30d or P30D.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a workbook's queries and write one file. Exit code 4 when a query failed or was answered in part."""
    workbook = open_workbook(name)
    span = parse_time_range(time_range) if time_range else None
    target = out or Path(f"{report_name(name)}.{form}")
    check_target(target)
    with open_app(load_settings()) as opened, console.err.status("reading") as status:
        report = opened.reports().run(
            workbook, time_range=span, on_query=lambda title: status.update(f"reading: {title}")
        )
    write_whole(target, rendered(report, form))
    if as_json:
        console.emit({"file": str(target), "complete": not report.problems, "problems": report.problems})
    else:
        console.say(f"Data: {console.plain(report.freshness.text)}.")
        console.unfolded(str(target))
    if report.problems:
        raise IncompleteError(
            f"{target} is not complete: {' '.join(report.problems)}", remedy="Settle what is named, then render again."
        )

"""apiward lab: the local Azure."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.lab_process import DESCRIPTOR, LabHandle, LabProcess
from apiward_core.errors import ApiwardError, ConfigurationError
from apiward_core.files import private_folder

app = typer.Typer(help="A local Azure that the real SDKs talk to.", no_args_is_help=True)

_YEAR = 366 * 24 * 60  # minutes

Descriptor = Annotated[Path, typer.Option("--descriptor", help="The running lab's descriptor file.")]


class Estate(StrEnum):
    """Sizes of the lab's tenant."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    estate: Annotated[Estate, typer.Option(help="How much the tenant holds.")] = Estate.SMALL,
    descriptor: Descriptor = DESCRIPTOR,
) -> None:
    """Start a lab and serve until Ctrl-C."""
    private_folder(descriptor.parent)
    require_no_lab(descriptor)
    process = LabProcess(estate=estate, port=port, descriptor=descriptor)
    try:
        with process as lab:
            console.say(f"The lab is up at {lab.descriptor['base_url']}. In another terminal:")
            console.say('eval "$(apiward lab env admin)"')
            code = process.wait()
    finally:
        descriptor.unlink(missing_ok=True)
    raise typer.Exit(code)


@app.command()
def env(
    identity: Annotated[str, typer.Argument(help="connector, playbooks, operator, admin or stranger.")],
    descriptor: Descriptor = DESCRIPTOR,
    as_json: AsJson = False,
) -> None:
    """Print the APIWARD_* variables for one of the lab's identities, with the lab clock's present offset."""
    variables = LabHandle.load(descriptor).variables(identity)
    if as_json:
        console.emit(variables)
        return
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@app.command("id")
def id_(
    identity: Annotated[str, typer.Argument(help="connector, playbooks, operator, admin or stranger.")],
    descriptor: Descriptor = DESCRIPTOR,
) -> None:
    """Print the object id of one of the lab's identities."""
    sys.stdout.write(LabHandle.load(descriptor).object_id(identity) + "\n")


@app.command()
def clock(
    advance: Annotated[float, typer.Option(help="Minutes to move forward.", min=0, max=_YEAR, metavar="MINUTES")] = 0,
    descriptor: Descriptor = DESCRIPTOR,
    as_json: AsJson = False,
) -> None:
    """Show the lab's clock, or move it forward; everything that falls due happens before this returns."""
    lab = LabHandle.load(descriptor)
    state = lab.advance(advance * 60)
    if as_json:
        console.emit(dict(state))
    else:
        console.say(f"{state['now']}  (APIWARD_CLOCK_OFFSET={state['offset_seconds']:.3f})")


@app.command()
def fault(
    kind: Annotated[
        str, typer.Argument(help="401, 403, 409, 412, 413, 429, 500, 503, slow, reset, truncated or malformed.")
    ] = "",
    path: Annotated[str, typer.Argument(help="Path of the calls that fail; * stands for any text.")] = "*",
    *,
    method: Annotated[str, typer.Option(help="Only calls by this method.")] = "",
    rate: Annotated[float, typer.Option(help="Share of these calls that fails.", min=0, max=1)] = 1,
    times: Annotated[int | None, typer.Option(help="How many of them fail; without end if not given.", min=1)] = None,
    seconds: Annotated[float, typer.Option(help="Retry-After of 429, or how slow it is.", min=0)] = 1,
    clear: Annotated[bool, typer.Option("--clear", help="Switch all faults off first.")] = False,
    descriptor: Descriptor = DESCRIPTOR,
    as_json: AsJson = False,
) -> None:
    """Make the lab's answers fail by route, rate and kind, and show which faults are on."""
    lab = LabHandle.load(descriptor)
    if clear:
        lab.clear_faults()
    if kind:
        lab.add_fault(kind=kind, path=path, method=method, rate=rate, times=times, seconds=seconds)
    found = lab.faults()
    if as_json:
        console.emit(list(found))
    else:
        rows = [(each["kind"], each["method"] or "any", each["path"], each["rate"], each["met"]) for each in found]
        console.table("Faults", ("kind", "method", "path", "rate", "met"), rows)


def require_no_lab(descriptor: Path) -> None:
    """Raises ConfigurationError when the lab of this descriptor file answers."""
    try:
        LabHandle.load(descriptor).offset()
    except ApiwardError:
        return
    raise ConfigurationError(
        f"The lab of {descriptor} is running.", remedy="Use it, or choose another folder or --descriptor."
    )

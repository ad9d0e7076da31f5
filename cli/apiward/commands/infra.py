"""apiward infra: what has to exist in the workspace."""

import shlex
import sys
from typing import Annotated

import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward.infra import workspace
from apiward.wiring import open_app
from apiward_core.settings import load_settings

app = typer.Typer(help="Tables, data collection rule and roles.", no_args_is_help=True)


@app.command()
def deploy(
    publisher: Annotated[
        list[str] | None, typer.Option(help="Object id of an identity that may send rows; repeat for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create or update the tables, the data collection rule and the publisher role. Needs rights on the workspace."""
    settings = load_settings()
    with open_app(settings) as deployed, console.err.status("deploying") as status:
        made = workspace.deploy(
            deployed.clients.arm(), workspace=settings.workspace, publishers=publisher or [], on_step=status.update
        )
    if as_json:
        console.emit(made)
        return
    sys.stdout.write(shell_exports(made))


def shell_exports(made: workspace.Ingestion) -> str:
    """Lines for a shell that set what `apiward ingest` needs."""
    return (
        f"export APIWARD_INGESTION_ENDPOINT={shlex.quote(made.ingestion_endpoint)}\n"
        f"export APIWARD_DCR_IMMUTABLE_ID={shlex.quote(made.dcr_immutable_id)}\n"
    )

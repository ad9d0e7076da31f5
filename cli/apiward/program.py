"""The tree of commands below `apiward`."""

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from apiward import console
from apiward.commands import content, findings, incidents, infra, ingest, lab, remediate, rules, workbook
from apiward.demo import demo
from apiward_core.clients import USER_AGENT
from apiward_core.errors import ApiwardError, ConfigurationError

app = typer.Typer(
    name="apiward",
    help="API security posture from Microsoft Defender for Cloud as a closed loop in Microsoft Sentinel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
for name, group in (
    ("lab", lab.app),
    ("infra", infra.app),
    ("rules", rules.app),
    ("content", content.app),
    ("ingest", ingest.app),
    ("findings", findings.app),
    ("incidents", incidents.app),
    ("remediate", remediate.app),
    ("workbook", workbook.app),
):
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Print the version when asked to."""
    if version:
        console.say(USER_AGENT.replace("/", " "))
        raise typer.Exit


def main() -> None:
    """Do what the command line says; an error of ours is told in two lines and sets the exit code."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # what the SDKs log of a failure, the error says again
    try:
        _require_text(sys.argv[1:])
        app()
    except ApiwardError as error:
        console.complain(error)
        sys.exit(error.exit_code)


def _require_text(arguments: Sequence[str]) -> None:
    """Bytes that are no text come as lone surrogates, which can be neither sent nor stored."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise ConfigurationError(
                f"The argument {argument!r} is not UTF-8.", remedy="Type it again; is the terminal set to UTF-8?"
            ) from error

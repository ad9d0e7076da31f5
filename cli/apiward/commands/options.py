"""Options that several commands share."""

import getpass
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help="Who asks or decides, as the audit trail will name them.",
        default_factory=getpass.getuser,
        show_default="your login",
    ),
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the audit trail.")]

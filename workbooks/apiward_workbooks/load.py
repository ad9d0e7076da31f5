"""The shipped workbooks: documents as the portal imports them, and what WorkbooksMetadata.json says of each.

The metadata has the format of Azure-Sentinel's file of that name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from apiward_core.errors import ConfigurationError
from apiward_workbooks.model import Workbook


@dataclass(frozen=True)
class Shipped:
    """A workbook of this package; `text` is its document."""

    name: str
    title: str
    description: str
    version: str
    text: str

    @property
    def workbook(self) -> Workbook:
        """The document as data."""
        return Workbook.parse(self.text, title=self.title)


@cache
def load_workbooks() -> Mapping[str, Shipped]:
    """The shipped workbooks by name."""
    folder = files("apiward_workbooks") / "content"
    entries: list[dict[str, Any]] = json.loads((folder / "WorkbooksMetadata.json").read_text("utf-8"))
    return {
        entry["workbookKey"]: Shipped(
            name=entry["workbookKey"],
            title=entry["title"],
            description=entry["description"],
            version=entry["version"],
            text=(folder / entry["templateRelativePath"]).read_text("utf-8"),
        )
        for entry in sorted(entries, key=lambda entry: str(entry["workbookKey"]))
    }


def open_workbook(name: str) -> Workbook:
    """The shipped workbook of that name, or the one in the .json file that `name` is the path of.

    Raises ConfigurationError when there is neither, or the file is no workbook.
    """
    if shipped := load_workbooks().get(name):
        return shipped.workbook
    path = Path(name)
    if path.suffix != ".json":
        raise ConfigurationError(
            f"There is no workbook {name!r}.",
            remedy=f"Name one of {', '.join(load_workbooks())}, or a workbook's .json file.",
        )
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The workbook {path} cannot be read: {error}.", remedy="Name a workbook's .json file that is readable."
        ) from error
    return Workbook.parse(text, title=report_name(name))


def report_name(name: str) -> str:
    """What a report of the workbook `name` is called: its name, or that of its file without the extensions."""
    return name if name in load_workbooks() else Path(name).name.removesuffix(".json").removesuffix(".workbook")

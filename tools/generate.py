"""Writes every generated file of the repository.

`python tools/generate.py` writes those that are stale; with `--check` it writes nothing, prints a diff of each stale
file and ends with 1. To add one, add its path and the function that returns its text to GENERATED.
"""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from pydantic.fields import FieldInfo

from apiward_core.settings import Settings
from apiward_core.tables import Table, all_tables
from apiward_rules.items import updated_lock as rules_lock
from apiward_workbooks.items import updated_lock as workbooks_lock

Generated: TypeAlias = Sequence[tuple[str, Callable[[], str]]]

ROOT = Path(__file__).parents[1]


def tables_page() -> str:
    """docs/tables.md: every custom table with its columns."""
    head = (
        "# Tables\n\n"
        "The custom tables that apiward fills. Each has a data collection rule stream of its name with `Custom-` before"
        " it.\n"
        "This page is generated from `core/apiward_core/tables/*.yaml`.\n"
    )
    return "\n".join([head, *(_table_section(table) for table in all_tables().values())])


def _table_section(table: Table) -> str:
    rows = [f"| `{column.name}` | {column.type} | {_cell(column.description)} |" for column in table.columns]
    lines = [f"## {table.name}", "", table.description.strip(), "", "| column | type | holds |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def settings_page() -> str:
    """docs/settings.md: every setting with its variable, default and meaning."""
    head = (
        "# Settings\n\n"
        "Settings are read from `apiward.toml` in the working folder, and overridden by environment variables. They are"
        " checked as a whole\nbefore anything is done; a wrong or unknown one is named. In the environment, lists are"
        " written with commas.\n"
        "This page is generated from `core/apiward_core/settings.py`.\n\n"
        "| setting | variable | default | means |\n|---|---|---|---|\n"
    )
    rows = [
        f"| `{name}` | `APIWARD_{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return head + "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value in (None, []) else f"`{value}`"


GENERATED: Generated = (
    ("docs/tables.md", tables_page),
    ("docs/settings.md", settings_page),
    ("analytics_rules/apiward_rules/content.lock.json", rules_lock),
    ("workbooks/apiward_workbooks/content.lock.json", workbooks_lock),
)


def stale(root: Path, generated: Generated) -> Iterator[tuple[Path, str, str]]:
    """(file, text now, text wanted) of each file that is missing or differs."""
    for name, make in generated:
        path = root / name
        now = path.read_text("utf-8") if path.exists() else ""
        wanted = make()
        if now != wanted or not path.exists():
            yield path, now, wanted


def main(arguments: Sequence[str], *, root: Path = ROOT, generated: Generated = GENERATED) -> int:
    """Run the command line. Returns the exit code: 1 when `--check` found a stale file, else 0."""
    parser = argparse.ArgumentParser(description="write every generated file")
    parser.add_argument("--check", action="store_true", help="write nothing; fail with a diff where a file is stale")
    check = parser.parse_args(arguments).check
    found = list(stale(root, generated))
    for path, now, wanted in found:
        name = path.relative_to(root).as_posix()
        if check:
            diff = difflib.unified_diff(now.splitlines(True), wanted.splitlines(True), name, f"{name} (generated)")
            print("".join(diff), f"{name} is stale: run make fmt", sep="")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, "utf-8")
            print(f"wrote {name}")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

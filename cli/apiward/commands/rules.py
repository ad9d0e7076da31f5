"""apiward rules: the analytics rules checked without a workspace. Needs no settings and no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from apiward import console
from apiward.commands.options import AsJson
from apiward_core.errors import ApiwardError, ConfigurationError
from apiward_core.kql_check import PACKAGE, KqlChecker
from apiward_core.kql_engine import KqlEngine, Row
from apiward_core.tables import all_tables
from apiward_rules.functions import function_schemas
from apiward_rules.inspection import Inspected, inspect_functions, inspect_rules
from apiward_rules.load import load_folder, load_rules, rule_texts, shipped_texts
from apiward_rules.model import AnalyticsRule
from apiward_rules.trial import SampleResult, try_rule

app = typer.Typer(help="Analytics rules: run their samples, check their limits and KQL.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Argument(help="Folder of your own rules (.yaml); without it, the shipped ones.")]
_SHOWN = 10  # of the alerts of a failed sample
Results = Mapping[str, Sequence[SampleResult]]


@app.command("test")
def run_samples(
    folder: Folder = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule: its file's name without .yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the samples in each rule's file through its query, in-process. Exit code 1 when one fails."""
    rules = _chosen(load_folder(folder) if folder else load_rules(), rule)
    engine = _local_engine()
    with console.err.status("running samples") as status:
        results: dict[str, Sequence[SampleResult]] = {}
        for name, chosen in rules.items():
            status.update(f"running the samples of {name}")
            results[name] = list(try_rule(chosen, engine))
    if as_json:
        console.emit({"rules": [_as_json(name, tried) for name, tried in results.items()]})
    else:
        _show(results)
    if any(_failed(tried) for tried in results.values()):
        raise typer.Exit(ApiwardError.exit_code)


@app.command()
def validate(folder: Folder = None, as_json: AsJson = False) -> None:
    """Check every limit of the service and the KQL, by Microsoft's parser. Exit code 1 when something is wrong.

    Queries may use the tables and functions of apiward.
    """
    texts = rule_texts(folder) if folder else shipped_texts()
    functions = function_schemas()
    with console.err.status("checking"):
        schema = {name: table.kusto_schema() for name, table in all_tables().items()}
        checker = KqlChecker(_language_service(), schema, functions)
        found = {
            "rules": inspect_rules(texts, checker, beside=load_rules()),
            "functions": [] if folder else inspect_functions([*functions], checker),
        }
    if as_json:
        console.emit(found)
    else:
        for title, inspected in found.items():
            _show_inspected(title, inspected)
    if any(one.faults for inspected in found.values() for one in inspected):
        raise typer.Exit(ApiwardError.exit_code)


def _chosen(rules: Mapping[str, AnalyticsRule], name: str | None) -> Mapping[str, AnalyticsRule]:
    if name is None:
        return rules
    if name not in rules:
        raise ConfigurationError(f"There is no rule {name}.", remedy=f"Name one of {', '.join(rules)}.")
    return {name: rules[name]}


def _local_engine() -> KqlEngine:
    try:
        from apiward.local_kql import LocalKql  # noqa: PLC0415 - optional: only samples need the lab's engine
    except ImportError as error:
        raise ConfigurationError(
            f"Samples cannot be run: the local KQL engine is not installed ({error}).", remedy="Install apiward[lab]."
        ) from error
    return LocalKql(all_tables(), function_schemas())


def _language_service() -> Path:
    """Where npm put the parser: in the working folder, above it, or in the checkout that this file is part of."""
    places = [folder / PACKAGE for start in (Path.cwd(), Path(__file__).parent) for folder in (start, *start.parents)]
    return next((place for place in places if place.is_dir()), places[0])


def _failed(results: Sequence[SampleResult]) -> list[SampleResult]:
    return [result for result in results if not result.passed]


def _as_json(name: str, results: Sequence[SampleResult]) -> dict[str, Any]:
    failed = _failed(results)
    return {"name": name, "samples": len(results), "passed": len(results) - len(failed), "failed": failed}


def _show(results: Results) -> None:
    rows = [(name, len(tried), len(tried) - len(_failed(tried))) for name, tried in results.items()]
    console.table("Samples", ("rule", "samples", "passed"), rows)
    for name, tried in results.items():
        for result in _failed(tried):
            console.say(f"[bold red]failed:[/] {console.plain(name)}: {console.plain(result.sample)}")
            if result.problem:
                console.say(console.plain(result.problem))
            else:
                console.table("", ("expected", "got"), [(_lines(result.expected), _lines(result.got))])


def _lines(rows: Sequence[Row]) -> str:
    shown = [orjson.dumps(dict(row)).decode() for row in rows[:_SHOWN]]
    more = [f"and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return "\n".join([*shown, *more]) or "no alert"


def _show_inspected(title: str, inspected: Sequence[Inspected]) -> None:
    if inspected:
        rows = [(one.name, "\n".join(one.faults) or "ok") for one in inspected]
        console.table(title.capitalize(), (title.removesuffix("s"), "faults"), rows)

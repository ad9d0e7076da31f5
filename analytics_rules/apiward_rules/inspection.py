"""Every fault of rules and functions, file by file: limits, then Microsoft's KQL parser."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from apiward_core.errors import ConfigurationError
from apiward_core.kql_check import Diagnostic, KqlChecker
from apiward_rules.load import parse_rule
from apiward_rules.model import AnalyticsRule
from apiward_rules.validate import columns_of, set_faults


@dataclass(frozen=True)
class Inspected:
    """A rule (by the stem of its file) or a function (by its alias), and what is wrong with it."""

    name: str
    faults: tuple[str, ...]


def inspect_rules(
    texts: Mapping[str, str], checker: KqlChecker, *, beside: Mapping[str, AnalyticsRule]
) -> list[Inspected]:
    """Each file of `texts`, by name, with all its faults.

    `beside` are rules that the workspace has as well: ids and names must not be theirs.
    """
    rules: dict[str, AnalyticsRule] = {}
    refused: dict[str, str] = {}
    for name, text in texts.items():
        stem = name.removesuffix(".yaml")
        try:
            rules[stem] = parse_rule(name, text)
        except ConfigurationError as error:
            refused[stem] = error.message
    others = {stem: rule for stem, rule in beside.items() if rule not in rules.values()}
    twice = list(set_faults({**others, **rules}))
    found = [Inspected(stem, (fault,)) for stem, fault in refused.items()]
    for stem, rule in rules.items():
        own = (fault for owner, fault in twice if owner == stem)
        found.append(Inspected(stem, (*own, *_query_faults(rule, checker))))
    return sorted(found, key=attrgetter("name"))


def inspect_functions(aliases: Sequence[str], checker: KqlChecker) -> list[Inspected]:
    """Each function that `checker` knows by one of `aliases`, with all its faults."""
    return [Inspected(alias, tuple(_errors("", checker.check_function(alias)))) for alias in aliases]


def _query_faults(rule: AnalyticsRule, checker: KqlChecker) -> Iterator[str]:
    if faults := list(_errors("query ", checker.check(rule.query))):
        yield from faults
        return
    returned = {name for name, _ in checker.columns(rule.query)}  # empty when the parser cannot tell
    if returned and (missing := columns_of(rule) - returned):
        yield f"query: it does not return {', '.join(sorted(missing))}, which entities, details or texts name"


def _errors(place: str, found: Sequence[Diagnostic]) -> Iterator[str]:
    return (f"{place}{diagnostic}" for diagnostic in found if diagnostic.severity == "Error")

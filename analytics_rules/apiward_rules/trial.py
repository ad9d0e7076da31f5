"""Runs the samples of a rule: the very text that is deployed, over the sample's rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, gt, lt, ne

from apiward_core.errors import RejectedDataError
from apiward_core.kql_engine import KqlEngine, Row
from apiward_rules.model import AnalyticsRule
from apiward_rules.samples import Sample, Samples

MOST_ALERTS = 150
"""That one run raises (Microsoft Sentinel service limits, analytics rules)."""

_TRIGGERS: Mapping[str, Callable[[int, int], bool]] = {"GreaterThan": gt, "LessThan": lt, "Equal": eq, "NotEqual": ne}


@dataclass(frozen=True)
class SampleResult:
    """What a sample expects and what it got, in the columns that it names; all of them when it expects no alert.

    `problem` says why there is nothing to compare: the query failed, or a row does not fit its table.
    """

    sample: str
    expected: tuple[Row, ...]
    got: tuple[Row, ...]
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the run raised exactly the expected alerts, in any order."""
        return not self.problem and _same(self.expected, self.got)


def try_rule(rule: AnalyticsRule, engine: KqlEngine) -> Iterator[SampleResult]:
    """The result of each sample of `rule` as it is run; none when it has no samples."""
    if (tests := rule.tests) is not None:
        yield from (_try(rule, tests, sample, engine) for sample in tests.samples)


def _try(rule: AnalyticsRule, tests: Samples, sample: Sample, engine: KqlEngine) -> SampleResult:
    expected = tuple(alert.columns for alert in sample.alerts for _ in range(alert.repeat))
    try:
        rows = engine.query(rule.query, tests.arrivals(sample), now=tests.run_time(sample), period=rule.query_period)
    except RejectedDataError as error:
        return SampleResult(sample.name, expected, (), error.message)
    alerts = _alerts(rule, rows)
    if len(alerts) > MOST_ALERTS:
        problem = f"{len(alerts)} alerts, of which the service raises {MOST_ALERTS} and puts the rest into the last."
        return SampleResult(sample.name, expected, (), problem)
    named = {name for alert in expected for name in alert}
    got = tuple({name: row[name] for name in row if not named or name in named} for row in alerts)
    return SampleResult(sample.name, expected, got)


def _alerts(rule: AnalyticsRule, rows: Sequence[Row]) -> Sequence[Row]:
    """The row of each alert; one for all rows shows the first."""
    if not _TRIGGERS[rule.trigger_operator](len(rows), rule.trigger_threshold):
        return []
    return rows if rule.event_grouping_settings.aggregation_kind == "AlertPerResult" else [*rows[:1]] or [{}]


def _same(expected: Sequence[Row], got: Sequence[Row]) -> bool:
    """Whether each expectation has a row of its own and no row is left. Those that name most columns choose first."""
    left = list(got)
    for wanted in sorted(expected, key=len, reverse=True):
        match = next((row for row in left if wanted.items() <= row.items()), None)
        if match is None:
            return False
        left.remove(match)
    return not left

"""What is measured, in which order, and the figures that come out of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from rig.estate import Estate
from rig.processes import serving
from rig.trial import Run, Trial, fresh, trial

SUBSCRIPTIONS = 50
ROUNDS = 3
_BASELINE_ROWS = 20_000  # enough: its rate does not depend on the number
_GRAPH_ROWS = 180_000  # a minute within the quota, which is twelve of its windows
_MILLION = 1_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the benchmark says: ratios to the baseline, memory in MB. None is what was too short to be measured."""

    rows_per_cpu_second_ratio: float
    rows_per_second_ratio: float
    az_rows_per_cpu_second_ratio: float | None
    peak_mb: float
    peak_ratio_1m_to_100k: float
    state_bytes_per_finding: float
    state_load_seconds: float
    second_run_rows: int
    second_run_cpu_ratio: float
    quota_use: float | None


@dataclass(frozen=True, slots=True)
class _Round:
    baseline: Run
    az: Run | None
    first: Run
    second: Run


@dataclass(frozen=True, slots=True)
class _Kept:
    """What two runs of one estate leave: their peak of memory in MB, bytes of state a finding, seconds to load it."""

    peak_mb: float
    state_bytes: float
    load_seconds: float


def measure_all(rows: int, *, rounds: int, say: Say) -> Figures:
    """Measure everything with `rows` assessments; `say` hears of each run when it is done."""
    compared, wide = _compare(Estate.of(rows, subscriptions=SUBSCRIPTIONS), rounds, say)
    with trial(Estate.of(rows // 10, subscriptions=SUBSCRIPTIONS // 10)) as few:
        small = _keep(few, _both(few, "a tenth, over 5", say))
    with trial(Estate.of(rows, subscriptions=1)) as single:
        deep = _keep(single, _both(single, "in one subscription", say))
    return Figures(
        rows_per_cpu_second_ratio=median(each.first.per_cpu_second / each.baseline.per_cpu_second for each in compared),
        rows_per_second_ratio=median(each.first.per_second / each.baseline.per_second for each in compared),
        az_rows_per_cpu_second_ratio=_against_az(compared),
        peak_mb=max(wide.peak_mb, deep.peak_mb),
        peak_ratio_1m_to_100k=wide.peak_mb / small.peak_mb,
        state_bytes_per_finding=max(wide.state_bytes, deep.state_bytes),
        state_load_seconds=deep.load_seconds * _MILLION / rows,
        second_run_rows=compared[-1].second.sent,
        second_run_cpu_ratio=median(each.second.usage.cpu / each.first.usage.cpu for each in compared),
        quota_use=_quota_use(Estate.of(min(rows, _GRAPH_ROWS), subscriptions=9), say),
    )


def _compare(estate: Estate, rounds: int, say: Say) -> tuple[Sequence[_Round], _Kept]:
    done = []
    with serving(estate) as service:
        for number in range(1, rounds + 1):
            with fresh(service) as attempt:
                done.append(_round(attempt, number, say))
                kept = _keep(attempt, [run for each in done for run in (each.first, each.second)])
    return done, kept


def _round(attempt: Trial, number: int, say: Say) -> _Round:
    baseline = attempt.baseline(rows=min(attempt.estate.rows, _BASELINE_ROWS))
    say(_line(f"baseline, round {number}", baseline))
    if az := attempt.azure_cli():
        say(_line(f"az, reading only, round {number}", az))
    first, second = _both(attempt, f"over {attempt.estate.subscriptions}, round {number}", say)
    return _Round(baseline, az, first, second)


def _against_az(rounds: Sequence[_Round]) -> float | None:
    ratios = [each.first.per_cpu_second / each.az.per_cpu_second for each in rounds if each.az]
    return median(ratios) if ratios else None


def _both(attempt: Trial, where: str, say: Say) -> tuple[Run, Run]:
    first = attempt.first()
    say(_line(f"first run, {where}", first))
    second = attempt.second()
    say(_line(f"second run, {where}", second))
    return first, second


def _keep(attempt: Trial, runs: Sequence[Run]) -> _Kept:
    return _Kept(max(run.usage.peak_mb for run in runs), attempt.state_bytes / attempt.estate.rows, attempt.load())


def _quota_use(estate: Estate, say: Say) -> float | None:
    with trial(estate) as attempt:
        say(_line("by Resource Graph", attempt.first(source="resource_graph")))
        quota = attempt.service.quota()
    say(f"Resource Graph: {quota['used']:.0f} of {quota['allowed']:.1f} queries, {quota['refused']} refused")
    return quota["used"] / quota["allowed"] if quota["allowed"] else None


def _line(what: str, run: Run) -> str:
    usage = run.usage
    return (
        f"{what:40} {run.read:>9,} read {run.sent:>9,} sent {usage.wall:7.1f} s {usage.cpu:7.1f} CPU s "
        f"{usage.cpu / run.read * 1e6:6.1f} us/row {usage.peak_mb:6.0f} MB"
    )

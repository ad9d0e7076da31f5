"""How fast the connector is, what it takes, and whether that is what it should be.

    python benchmarks/connector.py [--rows N] [--rounds N] [--json]

docs/benchmarks.md says what is measured and how. Everything happens on 127.0.0.1.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from time import monotonic

from rig.estate import Estate
from rig.plan import ROUNDS, SUBSCRIPTIONS, measure_all

_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Target:
    """What a figure should be: at least `least`, at most `most`."""

    figure: str
    meaning: str
    least: float = -inf
    most: float = inf

    def line(self, value: float | None) -> str:
        """The figure beside its target, for people."""
        shown = "not measured" if value is None else f"{value:,.2f}".removesuffix(".00")
        return f"{self.meaning:53}{shown:>13}  {self._wanted:18}{self._verdict(value)}".rstrip()

    @property
    def _wanted(self) -> str:
        if self.least > -inf:
            return f"at least {self.least:,g}"
        return f"at most {self.most:,g}" if self.most < inf else ""

    def _verdict(self, value: float | None) -> str:
        return "missed" if value is not None and not self.least <= value <= self.most else ""


def _targets(rows: int) -> tuple[_Target, ...]:
    wide = Estate.of(rows, subscriptions=SUBSCRIPTIONS)
    return (
        _Target("rows_per_cpu_second_ratio", "rows per CPU-second, times the baseline's", least=12),
        _Target("rows_per_second_ratio", "rows per second, times the baseline's", least=8),
        _Target("az_rows_per_cpu_second_ratio", "rows per CPU-second, times those that az only reads"),
        _Target("peak_mb", "memory, MB", most=350),
        _Target("peak_ratio_1m_to_100k", "memory, times that of a tenth of the assessments", most=1.3),
        _Target("state_bytes_per_finding", "state, bytes a finding", most=64),
        _Target("state_load_seconds", "loading the state of a million findings, seconds", most=1),
        _Target("second_run_rows", "rows of the second run, 1 % changed", most=wide.changed + wide.subscriptions),
        _Target("second_run_cpu_ratio", "CPU of the second run, times the first run's", most=0.6),
        _Target("quota_use", "Resource Graph's quota, share used", least=0.95),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="How fast the connector is, and what it takes.")
    parser.add_argument("--rows", type=int, default=_ROWS, help=f"assessments; fewer than {_ROWS:,} for a quick look")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often the comparison is repeated")
    parser.add_argument("--json", action="store_true", help="print the figures alone, as JSON")
    options = parser.parse_args(arguments)
    began = monotonic()
    figures = asdict(measure_all(options.rows, rounds=options.rounds, say=_progress))
    _progress(f"all of it took {monotonic() - began:.0f} s")
    if options.json:
        print(json.dumps(figures))
    else:
        print("\n".join(target.line(figures[target.figure]) for target in _targets(options.rows)))
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

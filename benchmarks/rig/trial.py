"""The connector on one estate: a first run, a second one of the same day, and what they left behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rig.azure_cli import is_installed
from rig.estate import Estate
from rig.intake import MAX_BODY
from rig.processes import Service, Usage, measure, serving

FINDINGS = "Custom-DefenderApiRecommendations_CL"
_BASELINE = "Custom-Baseline"


class InvalidRunError(Exception):
    """What ran did something else than what was to be measured, so that figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: assessments read, rows of every kind sent, and what it took."""

    read: int
    sent: int
    usage: Usage

    @property
    def per_cpu_second(self) -> float:
        """Assessments in a second of processor time."""
        return self.read / self.usage.cpu

    @property
    def per_second(self) -> float:
        """Assessments in a second of wall clock."""
        return self.read / self.usage.wall


@dataclass(frozen=True, slots=True)
class Trial:
    """A service, and the folder of a connector that has not run yet. `offset` is in seconds.

    It is added to the clock so that it is about noon: no run begins before midnight and ends, or is followed, after it.
    """

    service: Service
    state: Path
    offset: float

    @property
    def estate(self) -> Estate:
        """What the service gives out."""
        return self.service.estate

    def baseline(self, *, rows: int) -> Run:
        """What a user would write, on at least so many assessments."""
        chosen = self.estate.subscription_ids[: -(-rows // self.estate.rows_each)]
        usage = measure("baseline", **self._address, subscriptions=chosen)
        return self._run(usage, _BASELINE, read=len(chosen) * self.estate.rows_each)

    def azure_cli(self) -> Run | None:
        """The reading half by Azure CLI, on the first subscription; None where it is not installed."""
        if not is_installed():
            return None
        first, *_ = self.estate.subscription_ids
        with TemporaryDirectory(prefix="apiward-bench-") as folder:
            usage = measure("az", **self._address, subscription=first, folder=folder)
        return Run(self.estate.rows_each, 0, usage)

    def first(self, *, source: str = "assessments") -> Run:
        """The connector's first run."""
        self.service.show(0)
        return self._run(self._ingest(source), FINDINGS, read=self.estate.rows)

    def second(self) -> Run:
        """Its second run on the same day, one assessment in a hundred changed."""
        self.service.show(1)
        return self._run(self._ingest("assessments"), FINDINGS, read=self.estate.rows, changed=self.estate.changed)

    def load(self) -> float:
        """The seconds that it takes to read the state of the first subscription."""
        usage = measure("load", state=str(self.state), subscription=self.estate.subscription_ids[0])
        return usage.wall

    @property
    def state_bytes(self) -> int:
        """What the runs have left on disk, leases aside."""
        kept = (file for file in self.state.rglob("*") if "lease" not in str(file.relative_to(self.state)))
        return sum(file.stat().st_size for file in kept if file.is_file())

    @property
    def _address(self) -> Mapping[str, str]:
        return {"url": self.service.url, "ca": self.service.ca}

    def _ingest(self, source: str) -> Usage:
        about = {"subscriptions": self.estate.subscription_ids, "state": str(self.state), "offset": self.offset}
        usage = measure("connector", **self._address, **about, source=source)
        if gaps := usage.said["gaps"]:
            raise InvalidRunError(f"The run has gaps: {'; '.join(gaps)}")
        return usage

    def _run(self, usage: Usage, stream: str, *, read: int, changed: int | None = None) -> Run:
        came = self.service.intake()
        rows, sent = came["rows"].get(stream, 0), sum(came["rows"].values())
        if rows != (read if changed is None else changed):
            raise InvalidRunError(
                f"{rows} rows came in {stream}, of {read} assessments, {changed or 'all'} of them new."
            )
        if stream == FINDINGS and came["record_ids"].get(stream, 0) != rows:
            raise InvalidRunError(
                f"Of {rows} rows only {came['record_ids'].get(stream, 0)} have a RecordId of their own."
            )
        if stream == FINDINGS and came["largest"] > MAX_BODY:
            raise InvalidRunError(f"A body had {came['largest']} bytes, which Azure refuses.")
        return Run(read, sent, usage)


@contextmanager
def trial(estate: Estate) -> Iterator[Trial]:
    """A trial on an estate, with a service of its own."""
    with serving(estate) as service, fresh(service) as made:
        yield made


@contextmanager
def fresh(service: Service) -> Iterator[Trial]:
    """A trial with a service that runs already."""
    with TemporaryDirectory(prefix="apiward-bench-") as state:
        now = datetime.now(UTC)
        yield Trial(service, Path(state), (now.replace(hour=12, minute=0) - now).total_seconds())

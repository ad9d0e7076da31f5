"""The rows behind Resource Graph are copied when they are asked for and have changed, not for every page."""

from collections.abc import Iterator, Sequence
from typing import Any

from apiward_lab.defender.ledger import Assessment
from apiward_lab.estate import build
from apiward_lab.resourcegraph import Inventory
from apiward_lab.resourcegraph.filters import Types
from apiward_lab.resourcegraph.mirror import Mirror
from apiward_lab.resourcegraph.visibility import Readable

ASSESSMENTS, PRICINGS = "microsoft.security/assessments", "microsoft.security/pricings"


class Rows(Sequence[Assessment]):
    """No assessments, which tells each time that they are read."""

    def __init__(self, reads: list[str]) -> None:
        self._reads = reads

    def __iter__(self) -> Iterator[Assessment]:
        self._reads.append(ASSESSMENTS)
        return iter(())

    def __getitem__(self, _index: Any) -> Any:
        raise IndexError

    def __len__(self) -> int:
        return 0


class Counted:
    """A mirror of an inventory that notes which of its sources are read."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.rows = Rows(self.reads)
        self._mirror = Mirror(
            Inventory(
                build(),
                assessments=lambda: self.rows,
                seen_endpoints=lambda: (),
                pricings=self._pricings,
                collections=lambda _subscription: (),
                governance=lambda _subscription: (),
            )
        )

    def _pricings(self, _subscription: str) -> Sequence[Any]:
        self.reads.append(PRICINGS)
        return ()

    def show(self, types: Types | None) -> list[str]:
        """The types that are read in order to show these types of securityresources."""
        self.reads.clear()
        self._mirror.show({"securityresources": types}, lambda _type: Readable((), ())).close()
        return sorted(set(self.reads))


def test_rows_of_one_version_are_read_once() -> None:
    counted = Counted()
    assert counted.show(frozenset({ASSESSMENTS})) == [ASSESSMENTS]
    assert counted.show(frozenset({ASSESSMENTS})) == []
    counted.rows = Rows(counted.reads)
    assert counted.show(frozenset({ASSESSMENTS})) == [ASSESSMENTS]


def test_rows_without_a_version_are_read_each_time() -> None:
    counted = Counted()
    assert counted.show(frozenset({PRICINGS})) == [PRICINGS]
    assert counted.show(frozenset({PRICINGS})) == [PRICINGS]


def test_every_row_is_read_for_a_query_that_may_need_any() -> None:
    assert Counted().show(None) == [ASSESSMENTS, PRICINGS]

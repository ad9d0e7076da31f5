"""All findings of a scope with their history as far as the next comparison needs it.

Each has a position, and each thing that is known of it is a column: a million objects would take a gigabyte and half a
minute to load, a million positions take 60 MB and a moment.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from apiward_connector.finding import Findings, Gone, Kind, Statement, distinct
from apiward_connector.id_index import U64, IdIndex, Positions
from apiward_connector.identities import Identities
from apiward_core.errors import RejectedDataError

SETTLED = 1
"""Flag: it was resolved or removed since it was last Unhealthy, so Unhealthy again is a regression."""
REMOVED = 2
"""Flag: it is gone. Its entry stays, so that a return is seen."""

UNKNOWN_DIGEST = 0
"""The digest of a finding whose content nobody remembers, because its state was rebuilt from the workspace."""

COLUMNS: Mapping[str, type[np.generic]] = {
    "high": np.uint64,  # FindingId in two halves
    "low": np.uint64,
    "digest": np.uint64,
    "fingerprint": np.uint64,  # of the assessment that confirmed it last
    "first_seen": np.int64,  # times: see `moments`
    "first_evaluated": np.int64,
    "state_changed": np.int64,
    "revision": np.uint32,
    "row_day": np.uint16,  # the day of its latest row, counted from 1970
    "kind": np.uint16,  # a number of `kinds`; the next five are numbers of `words`
    "state": np.uint16,
    "previous_state": np.uint16,
    "previous_severity": np.uint16,
    "risk_level": np.uint16,
    "location": np.uint16,
    "flags": np.uint8,
    "missed": np.uint8,  # whole passes in a row that did not find it
}
_FIRST_CAPACITY = 1024
_MOST_DISTINCT = 2**16

Value = TypeVar("Value", bound=Hashable)


class Numbering(Generic[Value]):
    """Gives each distinct value a number, counted from 0."""

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.values = list(values)
        self._numbers = {value: number for number, value in enumerate(self.values)}

    def number(self, value: Value) -> int:
        """The number of `value`, a new one where it has none. Raises RejectedDataError beyond 65,536 values."""
        known = self._numbers.get(value)
        if known is not None:
            return known
        if len(self.values) == _MOST_DISTINCT:
            raise RejectedDataError(
                f"The scope has more than {_MOST_DISTINCT} different values of one kind; the next is {value!r:.300}.",
                remedy="Report it, with this value: no estate is known that comes near it.",
            )
        self.values.append(value)
        return self._numbers.setdefault(value, len(self.values) - 1)


class Ledger:
    """The columns, grown as needed, with the texts that their numbers stand for."""

    def __init__(
        self,
        columns: Mapping[str, NDArray[Any]] | None = None,
        *,
        kinds: Iterable[Kind] = (),
        words: Iterable[str] = ("",),
        identities: Identities | None = None,
    ) -> None:
        self._columns = dict(columns) if columns else {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
        self._count = len(self._columns["high"])
        self.kinds = Numbering(kinds)
        self.words = Numbering(words)
        self.identities = identities or Identities()
        self._index = IdIndex()
        self._index.add(self["high"])

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column, to read or to write in place."""
        return self._columns[column][: self._count]

    @property
    def current(self) -> int:
        """How many findings there are, those that were removed left out."""
        return int(np.count_nonzero((self["flags"] & REMOVED) == 0))

    def find(self, ids: U64) -> Positions:
        """The position of each id (see `Findings`), ABSENT for one that is not known."""
        return self._index.find(*ids.T, lows=self["low"])

    def append(self, findings: Findings, *, first_seen: int, day: int) -> int:
        """Add findings at revision 1 and return the position of the first of them."""
        start = self._count
        self._grow(len(findings))
        self["high"][start:], self["low"][start:] = findings.ids.T
        self["digest"][start:] = findings.digests
        self["fingerprint"][start:] = findings.fingerprints
        self["first_seen"][start:] = first_seen
        self["revision"][start:] = 1
        self["row_day"][start:] = day
        for name in ("previous_state", "previous_severity", "flags", "missed"):
            self[name][start:] = 0
        self.describe(slice(start, None), findings)
        self.identities.extend(
            [(at.resource_id, at.site.apim_service, at.site.api) for at in (here.place for here in findings.located)]
        )
        self._index.add(self["high"][start:])
        return start

    def describe(self, positions: Positions | slice, findings: Findings) -> None:
        """Write what findings say, but for ids and digests, at `positions`."""
        numbers = self._numbers_of(findings.statements)
        for name, column in zip(("kind", "state", "location", "risk_level"), numbers.T, strict=True):
            self[name][positions] = column
        self["first_evaluated"][positions] = findings.first_evaluated
        self["state_changed"][positions] = findings.state_changed

    def ids_at(self, positions: NDArray[np.int64]) -> bytes:
        """The FindingIds at some positions, 16 bytes each."""
        both = np.empty((len(positions), 2), dtype=">u8")
        both[:, 0], both[:, 1] = self["high"][positions], self["low"][positions]
        return both.tobytes()

    def word_at(self, column: str, position: int) -> str:
        """The text in one of the columns that number texts."""
        return self.words.values[int(self[column][position])]

    def kind_at(self, position: int) -> Kind:
        """What the finding at a position shares with others of its assessment key."""
        return self.kinds.values[int(self["kind"][position])]

    def gone(self, positions: Sequence[int]) -> Iterator[Gone]:
        """What is known of the findings at `positions`, which ascend."""
        identities = self.identities.at(positions)
        for position, (resource_id, apim_service, api) in zip(positions, identities, strict=True):
            yield Gone(
                kind=self.kind_at(position),
                resource_id=resource_id,
                apim_service=apim_service,
                api=api,
                state=self.word_at("state", position),
                first_evaluated=int(self["first_evaluated"][position]),
                state_changed=int(self["state_changed"][position]),
                location=self.word_at("location", position),
            )

    def risks_of(self, statements: Sequence[Statement]) -> NDArray[np.uint16]:
        """The numbers of their risk levels."""
        return self._numbers_of(statements)[:, 3]

    def _numbers_of(self, statements: Sequence[Statement]) -> NDArray[np.uint16]:
        """Kind, state, location and risk level of each."""
        kind, word = self.kinds.number, self.words.number
        said = distinct(statements)
        table = np.array(
            [(kind(each.kind), word(each.state), word(each.location), word(each.risk_level)) for each in said],
            np.uint16,
        ).reshape(-1, 4)
        rows = {id(each): row for row, each in enumerate(said)}
        return table[[rows[each] for each in map(id, statements)]]

    def _grow(self, more: int) -> None:
        self._count += more
        capacity = len(self._columns["high"])
        if self._count <= capacity:
            return
        wanted = max(self._count, capacity + capacity // 2, _FIRST_CAPACITY)
        for name, column in self._columns.items():  # one at a time: two copies of all of them would be the peak
            self._columns[name] = np.empty(wanted, column.dtype)
            self._columns[name][:capacity] = column

"""To pass over what was read before makes no difference to what is told and remembered."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.sources.paging import Page
from apiward_core.errors import TransientError
from apiward_core.ingest import Row
from apiward_core.tables import HEALTH
from tests.unit.connector.samples import (
    KEY,
    METADATA,
    OTHER_KEY,
    SCOPE,
    SERVICE,
    SUBSCRIPTION,
    Estate,
    MemorySink,
    SetClock,
    as_listed,
    assessment,
    connector,
    states_in,
    with_properties,
)

OTHER_METADATA = {
    KEY: AssessmentMetadata("API endpoints should be otherwise", "", "Low", ()),
    OTHER_KEY: AssessmentMetadata("API security", "", "High", ()),
}
KNOWN = (  # what is known of the subscription besides its assessments, and its digest; "" when not all of it is known
    *((METADATA, "this"), (METADATA, "this"), (METADATA, "this")),
    *((OTHER_METADATA, "other"), (METADATA, ""), (OTHER_METADATA, "")),
)


class Look(NamedTuple):
    """What one run finds, `hours` after the run before."""

    pages: Sequence[Sequence[Any]]
    known: tuple[Mapping[str, AssessmentMetadata], str]
    hours: int
    breaks_off: bool


def _item(api: str, key: str, code: str, day: int, name: str) -> Any:
    resource = f"{SERVICE}/apis/{api}" if api else "nonsense"
    found = assessment(resource, key=key, code=code, statusChangeDate=f"2026-11-{day:02}T00:00:00Z")
    return with_properties(found, displayName=name) if name else found


ITEMS = st.builds(
    _item,
    st.sampled_from(("a", "a", "b", "")),
    st.sampled_from((KEY, KEY, OTHER_KEY)),
    st.sampled_from(("Unhealthy", "Healthy", "NotApplicable")),
    st.integers(1, 2),
    st.sampled_from(("", "", "API endpoints should be known by another name")),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Look]:
    """Looks at a few assessments that come, go and return."""
    some = st.sampled_from(draw(st.lists(ITEMS, min_size=1, max_size=4)))
    looks = st.builds(
        Look,
        pages=st.lists(st.lists(some, max_size=3), max_size=2),
        known=st.sampled_from(KNOWN),
        hours=st.sampled_from((0, 1, 1, 1, 30)),
        breaks_off=st.sampled_from((False, False, False, True)),
    )
    return draw(st.lists(looks, min_size=2, max_size=6))


class Life:
    """A connector from run to run; pages have fingerprints, or are lists of items that have none."""

    def __init__(self, folder: str, *, fingerprints: bool) -> None:
        self._folder = Path(folder)
        self._clock = SetClock()
        self._fingerprints = fingerprints

    def run(self, look: Look) -> tuple[list[str], Any]:
        """The rows that it makes, in any order, and what is remembered then."""
        self._clock.moment += timedelta(hours=look.hours)
        pages: list[Page | Exception] = [as_listed(page) if self._fingerprints else page for page in look.pages]
        if look.breaks_off:
            pages.append(TransientError("reset", remedy="again"))
        metadata, digest = look.known
        estate = Estate({SUBSCRIPTION: pages}, metadata=metadata, digest=digest)
        sink = MemorySink()
        connector(self._folder, estate, sink, self._clock).run([SUBSCRIPTION])
        return sorted(repr((table, _comparable(table, row))) for table, row in sink.sent), self._remembered()

    def _remembered(self) -> Any:
        state, _ = states_in(self._folder, self._clock).load(SCOPE)
        ledger = state.ledger
        words = ledger.words.values
        findings = {
            ledger.ids_at(np.array([at])).hex(): [
                *(
                    int(ledger[name][at])
                    for name in ("digest", "first_seen", "first_evaluated", "state_changed", "revision", "row_day")
                ),
                *(words[ledger[name][at]] for name in ("state", "previous_state", "previous_severity", "location")),
                *(int(ledger[name][at]) for name in ("flags", "missed")),
                ledger.kind_at(at),
            ]
            for at in range(len(ledger))
        }
        return findings, state.told, state.observed, state.watermark, state.superseded


def _comparable(table: str, row: Row) -> dict[str, Any]:
    """A row without what is new in each run."""
    new = {"RunId", "RecordId"} if table == HEALTH else {"RunId"}
    return {name: value for name, value in row.items() if name not in new}


@settings(max_examples=150, deadline=None)
@given(histories())
def test_fingerprints_change_nothing_that_is_told_or_remembered(looks: list[Look]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        marked, plain = Life(one, fingerprints=True), Life(other, fingerprints=False)
        for look in looks:
            assert marked.run(look) == plain.run(look)

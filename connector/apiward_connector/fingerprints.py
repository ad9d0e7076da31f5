"""What tells, before an assessment is decoded, that it is the one that was read before.

A fingerprint is the first 64 bits of the SHA-256 of an assessment as the service wrote it. An assessment with the same
bytes makes the same finding, as long as nothing else that goes into findings has changed: see `ScopeState.context`.
"""

import numpy as np

from apiward_connector.finding import NO_FINGERPRINT
from apiward_connector.id_index import ABSENT, U64, Positions


class FingerprintIndex:
    """The positions of fingerprints; `fingerprints` has one for each position, or NO_FINGERPRINT."""

    def __init__(self, fingerprints: U64) -> None:
        known = np.flatnonzero(fingerprints != NO_FINGERPRINT).astype(np.int32)
        order = known[np.argsort(fingerprints[known], kind="stable")]
        self._sorted = fingerprints[order]
        self._positions = order

    def find(self, sought: U64) -> Positions:
        """The position of each, ABSENT for one that is not known. NO_FINGERPRINT is never known."""
        found = np.full(len(sought), ABSENT, np.int64)
        if len(self._sorted):
            at = np.minimum(np.searchsorted(self._sorted, sought), len(self._sorted) - 1)
            same = self._sorted[at] == sought
            found[same] = self._positions[at[same]]
        return found

"""What apiward knows of assessments."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

import numpy as np
from msgspec import Struct

from apiward_connector.id_index import U64
from apiward_connector.moments import Moments
from apiward_connector.place import Place

UNHEALTHY = "Unhealthy"
HEALTHY = "Healthy"
NOT_APPLICABLE = "NotApplicable"

# 128 bits keep the odds of one collision among a billion findings below 1e-20, at half the bytes of a whole SHA-256
# in two columns of every row. ID_LENGTH counts hexadecimal digits, in which rows spell ids.
ID_LENGTH = 32

NO_FINGERPRINT = 0
"""The fingerprint where none was taken."""


class Kind(Struct, frozen=True, gc=False, cache_hash=True):
    """What the findings of one assessment key share; `recommendation` is the slug in the catalogue."""

    key: str
    recommendation: str
    name: str
    category: str
    severity: str
    policy_definition_id: str


class Part(Struct, frozen=True, gc=False):
    """Members that the rows of many findings share, as JSON; `digest` is of those that make a finding Changed."""

    columns: bytes = b""
    digest: bytes = b""


class Statement(Struct, frozen=True, gc=False):
    """What a source says of one assessment and of many others alike; texts are "" where it is silent.

    `risk_level` is what only Resource Graph lists; for the members of its rows see `Part`.
    """

    kind: Kind
    state: str
    risk_level: str = ""
    location: str = ""
    columns: bytes = b""
    digest: bytes = b""


class Located(Struct, frozen=True, gc=False):
    """A place, and what the findings there share: `owner` is what they have in common in their identity."""

    place: Place
    owner: bytes = b""
    columns: bytes = b""
    digest: bytes = b""


class Finding(Struct, frozen=True, gc=False):
    """One assessment as the table DefenderApiRecommendations_CL describes it; for times see `moments`.

    It holds nothing that depends on when or how often it was read, nor on the source, but for the risk level.
    `governed` says who has to clear it, `additional_data` is JSON. `digest`, a number of 64 bits, hashes what makes a
    finding Changed: all that but RiskLevel, LastTraffic and what follows from its identity. `fingerprint` stands for
    the assessment as the service wrote it, see `fingerprints`.
    """

    id: bytes
    statement: Statement
    located: Located
    first_evaluated: int
    state_changed: int
    digest: int = 0
    governed: Part = Part()
    additional_data: bytes = b"{}"
    fingerprint: int = NO_FINGERPRINT

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return self.statement.kind

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.located.place


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Findings as columns, with a place in each for each of them: a pass may have a million.

    `ids` are in two halves, the high ones first.
    """

    ids: U64
    statements: Sequence[Statement]
    located: Sequence[Located]
    first_evaluated: Moments
    state_changed: Moments
    digests: U64
    governed: Sequence[Part]
    additional_data: Sequence[bytes]
    fingerprints: U64

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Self:
        """Findings that are known one by one."""
        return cls(
            halves(b"".join(each.id for each in findings)),
            [each.statement for each in findings],
            [each.located for each in findings],
            np.array([each.first_evaluated for each in findings], np.int64),
            np.array([each.state_changed for each in findings], np.int64),
            np.array([each.digest for each in findings], np.uint64),
            [each.governed for each in findings],
            [each.additional_data for each in findings],
            np.array([each.fingerprint for each in findings], np.uint64),
        )

    def __len__(self) -> int:
        return len(self.statements)

    def __getitem__(self, index: int) -> Finding:
        return Finding(
            self.ids[index].astype(">u8").tobytes(),
            self.statements[index],
            self.located[index],
            int(self.first_evaluated[index]),
            int(self.state_changed[index]),
            int(self.digests[index]),
            self.governed[index],
            self.additional_data[index],
            int(self.fingerprints[index]),
        )

    def __iter__(self) -> Iterator[Finding]:
        return map(self.__getitem__, range(len(self)))

    def pick(self, chosen: list[int]) -> "Findings":
        """Those at some indices, in that order."""
        if len(chosen) == len(self) and chosen == list(range(len(self))):
            return self
        return Findings(
            self.ids[chosen],
            [self.statements[i] for i in chosen],
            [self.located[i] for i in chosen],
            self.first_evaluated[chosen],
            self.state_changed[chosen],
            self.digests[chosen],
            [self.governed[i] for i in chosen],
            [self.additional_data[i] for i in chosen],
            self.fingerprints[chosen],
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """What is still known of a finding that is absent; `apim_service` and `api` where the resource id lacks them."""

    kind: Kind
    resource_id: str
    apim_service: str
    api: str
    state: str
    first_evaluated: int
    state_changed: int
    location: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An assessment that may be about APIs and could not be read: which one, and the reason."""

    what: str
    why: str


def owner_of_findings(*, tenant_id: str, resource_id: str) -> bytes:
    """What the findings of a resource have in common in their identity; both ids are in lower case.

    Raises UnicodeEncodeError when one holds what is no text, a lone surrogate.
    """
    return f"{tenant_id}\n{resource_id}\n".encode()


def finding_ids(owners: Sequence[bytes], keys: Sequence[bytes]) -> U64:
    """The identities of findings, each of an owner at an assessment key in lower case: see `Findings.ids`.

    Neither can hold a line feed besides the two of the owner, so two different pairs never make one text.
    """
    return _first_words([owner + key for owner, key in zip(owners, keys, strict=True)], 2)


def content_digests(contents: Iterable[bytes]) -> U64:
    """The first 64 bits of the SHA-256 of each content."""
    return _first_words(contents, 1)[:, 0]


def digest(data: bytes) -> str:
    """The first ID_LENGTH hexadecimal digits of the SHA-256 of `data`."""
    return sha256(data).hexdigest()[:ID_LENGTH]


def distinct(statements: Sequence[Statement]) -> Collection[Statement]:
    """Each statement once that is the same object; to compare what they say would take longer than it saves."""
    return dict(zip(map(id, statements), statements, strict=True)).values()


def halves(ids: bytes) -> U64:
    """Ids of 16 bytes each, in two halves."""
    return np.frombuffer(ids, ">u8").astype(np.uint64).reshape(-1, 2)


def _first_words(contents: Iterable[bytes], words: int) -> U64:
    digests = b"".join([sha256(content).digest() for content in contents])
    return np.frombuffer(digests, ">u8").reshape(-1, 4)[:, :words].astype(np.uint64)
